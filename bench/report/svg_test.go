package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"batchrnn/bench/report/chart"
	"batchrnn/bench/study"
)

// A box is where an element of a drawing is. text is "" for a marker.
type box struct {
	x0, y0, x1, y1 float64
	text           string
}

func (b box) overlaps(o box) bool {
	return b.x0 < o.x1 && o.x0 < b.x1 && b.y0 < o.y1 && o.y0 < b.y1
}

var pathNumber = regexp.MustCompile(`-?[0-9.]+`)

// checkSVG wants a drawing to be well-formed, accessible, complete, and in need of
// nothing else. All of it must be inside the viewBox. Its texts must overlap neither
// each other nor markers, in a typeface of usual width. wanted are texts, some of which
// may be parts of a line.
func checkSVG(t *testing.T, name, svg string, wanted []string) {
	t.Helper()
	var view box
	var texts, marks []box
	var title, desc, all string
	d := xml.NewDecoder(strings.NewReader(svg))
	var element xml.StartElement
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, svg)
		}
		attr := func(name string) float64 {
			for _, a := range element.Attr {
				if a.Name.Local == name {
					v, err := strconv.ParseFloat(a.Value, 64)
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					return v
				}
			}
			return 0
		}
		attrs := map[string]string{}
		switch token := token.(type) {
		case xml.StartElement:
			element = token
			for _, a := range token.Attr {
				attrs[a.Name.Local] = a.Value
				if strings.Contains(a.Value, "://") && a.Name.Local != "xmlns" || strings.Contains(a.Value, "url(") || a.Name.Local == "href" {
					t.Errorf("%s: it needs %s=%q", name, a.Name.Local, a.Value)
				}
			}
			switch token.Name.Local {
			case "svg":
				if _, err := fmt.Sscanf(attrs["viewBox"], "%g %g %g %g", &view.x0, &view.y0, &view.x1, &view.y1); err != nil {
					t.Fatalf("%s: viewBox %q: %v", name, attrs["viewBox"], err)
				}
			case "circle":
				x, y, r := attr("cx"), attr("cy"), attr("r")
				marks = append(marks, box{x - r, y - r, x + r, y + r, ""})
			case "path":
				b := box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1), ""}
				numbers := pathNumber.FindAllString(attrs["d"], -1)
				for i, number := range numbers {
					v, err := strconv.ParseFloat(number, 64)
					if err != nil {
						t.Errorf("%s: path %q", name, attrs["d"])
					}
					if i%2 == 0 {
						b.x0, b.x1 = min(b.x0, v), max(b.x1, v)
					} else {
						b.y0, b.y1 = min(b.y0, v), max(b.y1, v)
					}
				}
				if b.x0 < view.x0 || b.x1 > view.x1 || b.y0 < view.y0 || b.y1 > view.y1 {
					t.Errorf("%s: the path %q lies outside", name, attrs["d"])
				}
				if attrs["fill"] != "none" { // a marker
					marks = append(marks, b)
				}
			}
		case xml.CharData:
			s := string(token)
			switch element.Name.Local {
			case "title":
				title += s
			case "desc":
				desc += s
			case "text":
				size := attr("font-size")
				b := box{x0: attr("x"), y0: attr("y") - 0.72*size, y1: attr("y") + 0.2*size, text: s}
				width := 0.5 * size * float64(utf8.RuneCountInString(s))
				for _, a := range element.Attr {
					if a.Name.Local == "text-anchor" {
						b.x0 -= width * map[string]float64{"middle": 0.5, "end": 1}[a.Value]
					}
				}
				b.x1 = b.x0 + width
				texts = append(texts, b)
				all += s + " "
			}
		case xml.EndElement:
			element = xml.StartElement{}
		}
	}
	if strings.TrimSpace(title) == "" || strings.TrimSpace(desc) == "" {
		t.Errorf("%s: no title or no description", name)
	}
	for _, bad := range []string{"NaN", "Inf"} {
		if strings.Contains(svg, bad) {
			t.Errorf("%s: holds %s", name, bad)
		}
	}
	for _, want := range wanted {
		if !strings.Contains(all, want) {
			t.Errorf("%s: no %q among its texts: %s", name, want, all)
		}
	}
	for i, a := range texts {
		if a.x0 < view.x0 || a.x1 > view.x1 || a.y0 < view.y0 || a.y1 > view.y1 {
			t.Errorf("%s: the text %q lies outside", name, a.text)
		}
		for _, b := range append(texts[i+1:len(texts):len(texts)], marks...) {
			if a.overlaps(b) {
				t.Errorf("%s: the text %q overlaps %q at %.0f, %.0f", name, a.text, b.text, b.x0, b.y0)
			}
		}
	}
}

// everyday is a study with the figures of a usual run: two cells at two sizes, in float32
// and in int8.
func everyday() study.Result {
	trie := []int64{296, 8704, 60723, 223437, 568525, 1144832, 1945600, 3075000, 4490000}
	bits := []float64{4.498, 3.516, 2.813, 2.257, 2.006, 1.930, 1.910, 1.906, 1.907}
	one := sample()
	one.Models = one.Models[:0]
	for i, bytes := range trie {
		for nth, store := range []string{"map", "hash", "trie", "quantised trie"} {
			m := sample().Models[nth]
			m.Order, m.Store, m.BitsPerToken = i+1, store, bits[i]
			m.BytesPredicted = int64(float64(bytes) * []float64{11.8, 3.3, 1, 0.48}[nth])
			one.Models = append(one.Models, m)
		}
	}
	for i, cell := range []string{"rnn", "gru", "rnn", "gru"} {
		m := sample().Models[len(sample().Models)-1]
		m.Cell, m.Hidden = cell, []int{128, 65, 256, 140}[i]
		m.BytesPredicted, m.BitsPerToken = []int64{162713, 161792, 456089, 455680}[i], []float64{2.181, 2.235, 2.089, 2.065}[i]
		small := m
		small.Store, small.BytesPredicted, small.BitsPerToken = study.Int8Store, []int64{47600, 48100, 124400, 125600}[i], m.BitsPerToken+0.001
		one.Models = append(one.Models, m, small)
	}
	r := studyOf(one)
	for i := range r.Rows {
		row := &r.Rows[i]
		switch row.Kind {
		case study.KindRNN:
			row.LatencySeconds, row.BatchSeconds = 1.5e-5*float64(row.BytesPredicted)/160e3, 1.2e-6*float64(row.BytesPredicted)/160e3
			if row.Cell == "gru" {
				row.LatencySeconds, row.BatchSeconds = 1.1*row.LatencySeconds, 1.4*row.BatchSeconds
			}
		case study.KindNgram:
			row.LatencySeconds = 5e-9 * math.Pow(1.5, float64(row.Order)) * float64(1+i%4)
			row.BatchSeconds = 0.8 * row.LatencySeconds
		case study.KindMixture:
			row.BitsPerToken, row.BytesPredicted = 1.846, 3530000
		}
	}
	return r
}

// manyCells is everyday with two cells more. One has a long name.
func manyCells() study.Result {
	r := everyday()
	for _, row := range slices.Clone(r.Rows) {
		if row.Kind != study.KindRNN {
			continue
		}
		row.Cell = map[string]string{"rnn": "lstm", "gru": "gru-reset-before"}[row.Cell]
		row.BytesPredicted, row.LatencySeconds, row.BitsPerToken = row.BytesPredicted*99/100, row.LatencySeconds*1.02, row.BitsPerToken+0.01
		r.Rows = append(r.Rows, row)
	}
	return r
}

// TestPlotsOfAStudy checks the plots of each level in a file, on a desk and on a phone:
// every label of the data is there.
func TestPlotsOfAStudy(t *testing.T) {
	studies := oddStudies()
	studies["everyday"] = everyday()
	studies["two cells"] = studyOf(withGRU())
	const many = "many cells" // not all labels have room
	studies[many] = manyCells()
	for name, r := range studies {
		for _, level := range []string{"char", "word"} {
			for _, fig := range drawings(r, level) {
				var names, labels, firm []string // firm ones stand on a phone too
				for _, panel := range fig.Panels {
					for _, s := range panel.Series {
						names = append(names, s.Name)
						for _, at := range s.Points {
							labels = append(labels, strings.Split(at.Label, "\n")...)
							if at.Short != "" {
								firm = append(firm, " "+at.Short+" ")
							} else if s.Style.Color != chart.Ink {
								firm = append(firm, strings.Split(at.Label, "\n")...)
							}
						}
					}
				}
				if name == many {
					labels, firm = nil, nil
				}
				var file, picture bytes.Buffer
				if err := fig.SVG(&file); err != nil {
					t.Fatal(err)
				}
				checkSVG(t, name+" "+fig.name, file.String(), append(names, labels...))
				checkSVG(t, name+" "+fig.name+", wide", fig.Inline(wide, "w"), labels)
				checkSVG(t, name+" "+fig.name+", narrow", fig.Inline(narrow, "n"), firm)
				if name == "everyday" && level == "char" {
					if err := fig.PNG(&picture); err != nil || picture.Len() == 0 {
						t.Errorf("%s as PNG: %d bytes, error %v", fig.name, picture.Len(), err)
					}
				}
			}
		}
	}
}

// TestLinesDifferWithoutColour wants any two series of a panel to differ in dash or
// marker, or to have their names beside them.
func TestLinesDifferWithoutColour(t *testing.T) {
	for _, fig := range drawings(everyday(), "char") {
		for _, panel := range fig.Panels {
			seen := map[chart.Style]string{}
			for _, s := range panel.Series {
				style := s.Style
				style.Color = chart.Ink
				if other, ok := seen[style]; ok && !(s.Level && s.Points[0].Label != "") {
					t.Errorf("%s: %q looks like %q", fig.name, s.Name, other)
				}
				seen[style] = s.Name
			}
		}
	}
}

// TestTimePlotShowsStreams wants a panel for single tokens and one for batches, each
// with every store and every RNN. Without times of batches there is one panel.
func TestTimePlotShowsStreams(t *testing.T) {
	r := everyday()
	plot := func() chart.Plot {
		for _, fig := range drawings(r, "word") {
			if fig.name == "speed-word" {
				return fig.Plot
			}
		}
		t.Fatal("no plot of times")
		return chart.Plot{}
	}
	p := plot()
	if len(p.Panels) != 2 || len(p.Panels[0].Series) != 4+4 || len(p.Panels[1].Series) != 4+4 {
		t.Errorf("panels: %+v", p.Panels)
	}
	for i := range r.Rows {
		r.Rows[i].BatchSeconds = 0
	}
	if p := plot(); len(p.Panels) != 1 {
		t.Errorf("%d panels without batches", len(p.Panels))
	}
}

// TestQualityAxis wants the axis of bits to begin and end near the figures.
func TestQualityAxis(t *testing.T) {
	for _, fig := range drawings(everyday(), "char") {
		if fig.name != "quality-char" {
			continue
		}
		if !strings.Contains(fig.Caption, "Orders 1, 2 and 3 predict far worse and are left out.") {
			t.Errorf("caption %q", fig.Caption)
		}
		ticks := regexp.MustCompile(`>([0-9]\.[0-9]+)<`).FindAllStringSubmatch(fig.Inline(wide, "w"), -1)
		for _, tick := range ticks {
			if v, err := strconv.ParseFloat(tick[1], 64); err != nil || v < 1.8 || v > 2.4 {
				t.Errorf("a tick at %s, far from the figures", tick[1])
			}
		}
		if len(ticks) < 4 {
			t.Errorf("ticks %q", ticks)
		}
	}
}
