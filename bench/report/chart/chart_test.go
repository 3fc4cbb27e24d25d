package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// random returns a plot of the given seed, of any units, with points near each other.
func random(seed uint64) Plot {
	r := rand.New(rand.NewPCG(seed, 1))
	p := Plot{Title: "A title", Caption: strings.Repeat("Some words to wrap. ", 1+r.IntN(20)),
		X: Axis{"the abscissa", Unit(r.IntN(int(Powers) + 1))}, Y: Axis{"the ordinate", Unit(r.IntN(int(Powers) + 1))}}
	value := func(u Unit) float64 {
		switch u {
		case Whole:
			return float64(r.IntN(9))
		case Plain:
			return 2 + 3*r.Float64() - 3*float64(seed%2)
		case Seconds:
			return math.Pow(10, -9+float64(seed%7)*r.Float64())
		}
		return math.Pow(10, float64(seed%9)*r.Float64())
	}
	for i := range 1 + r.IntN(4) {
		panel := Panel{Title: fmt.Sprint("panel ", i)}
		for j := range r.IntN(9) {
			s := Series{Name: fmt.Sprint("series ", j), Style: Style{Hue(j), Dash(j % int(dashes)), Marker(j % int(markers))},
				Below: j%2 == 0, Level: j%4 == 3, Sparse: j%5 == 4}
			for range r.IntN(10) {
				s.Points = append(s.Points, Point{value(p.X.Unit), value(p.Y.Unit), fmt.Sprintf("%.2f", r.Float64()), ""})
			}
			if s.Level {
				s.Points = s.Points[:min(len(s.Points), 1)]
			}
			panel.Series = append(panel.Series, s)
		}
		p.Panels = append(p.Panels, panel)
	}
	return p
}

// TestLayout draws odd data: all of it lies on the paper, no text overlaps another one,
// and no label a marker.
func TestLayout(t *testing.T) {
	for seed := range uint64(100) {
		p := random(seed)
		for _, of := range []struct {
			width float64
			whole bool
		}{{348, false}, {860, false}, {p.fileWidth(), true}} {
			name := fmt.Sprint("seed ", seed, ", width ", of.width)
			sc := p.layout(of.width, of.whole)
			paper := rect{0, 0, sc.width, sc.height}
			for _, l := range sc.lines {
				for _, at := range l.points {
					if !(at.x >= 0 && at.x <= sc.width && at.y >= 0 && at.y <= sc.height) { // NaN neither
						t.Errorf("%s: a line through %v on paper of %v", name, at, paper)
					}
				}
			}
			for i, a := range sc.texts {
				if !a.box().inside(paper) {
					t.Errorf("%s: %q at %v on paper of %v", name, a.s, a.box(), paper)
				}
				for _, b := range sc.texts[i+1:] {
					if a.box().overlaps(b.box()) {
						t.Errorf("%s: %q overlaps %q", name, a.s, b.s)
					}
				}
			}
			for _, m := range sc.marks {
				box := rect{m.at.x, m.at.y, m.at.x, m.at.y}.grown(reach)
				if !(box.inside(paper)) {
					t.Errorf("%s: a marker at %v", name, m.at)
				}
				for _, a := range sc.texts {
					if a.label && a.box().overlaps(box) {
						t.Errorf("%s: the label %q overlaps a marker", name, a.s)
					}
				}
			}
		}
	}
}

// TestLabelsOfLevelLines sets more labels in the margin than there is room for, or fewer
// at almost one height: labels stay in their panel, in the order of the lines, the middle
// of them beside the lines.
func TestLabelsOfLevelLines(t *testing.T) {
	for _, n := range []int{1, 6, 60} {
		panel := Panel{Series: []Series{{Points: []Point{{1, 0, "", ""}, {2, 10, "", ""}}}}}
		for i := range n {
			panel.Series = append(panel.Series, Series{Level: true, Points: []Point{{Y: 5 - float64(i)/100, Label: fmt.Sprintf("line\n%02d", i)}}})
		}
		sc := Plot{Panels: []Panel{panel}}.layout(348, false)
		var labels []text
		bottom, height := 0.0, 0.0 // of the panel, of the lines
		for _, l := range sc.lines {
			if l.color == Soft {
				bottom = l.points[0].y
			}
			if l.color == panel.Series[1].Style.Color && l.width == stroke {
				height = l.points[0].y
			}
		}
		sum := 0.0
		for _, a := range sc.texts {
			if !a.label {
				continue
			}
			labels = append(labels, a)
			sum += (a.box().y0 + a.box().y1) / 2
			if last := len(labels) - 2; a.box().y0 < 0 || a.box().y1 > bottom+1 || last >= 0 && a.box().y0 < labels[last].box().y1-1 {
				t.Errorf("%d lines: %q at %v, the panel ends at %g", n, a.s, a.box(), bottom)
			}
		}
		if len(labels) < min(2*n, 16) || len(labels) > 2*n || labels[1].s != "00" {
			t.Errorf("%d lines: %d labels", n, len(labels))
		}
		if middle := sum / float64(len(labels)); n < 60 && !(math.Abs(middle-height) < 6) {
			t.Errorf("%d lines at %g: the middle of the labels is at %g", n, height, middle)
		}
	}
}

// TestLabelsKeepOffLines sets labels at the corners of a zigzag, where some spots near
// the points are crossed by it.
func TestLabelsKeepOffLines(t *testing.T) {
	s := Series{Name: "zigzag", Style: Style{Ink, Solid, Disc}}
	for i := range 8 {
		s.Points = append(s.Points, Point{float64(i), float64(i % 2), "label", ""})
	}
	level := Series{Name: "level", Style: Style{Color: Hue(0)}, Level: true, Points: []Point{{Y: 0.5, Label: "across"}}}
	for _, width := range []float64{400, 860} {
		sc := Plot{Title: "t", Panels: []Panel{{Series: []Series{s, level}}}}.layout(width, false)
		labels := 0
		for _, a := range sc.texts {
			if !a.label {
				continue
			}
			labels++
			for _, l := range sc.lines {
				for i := 1; i < len(l.points); i++ {
					if l.color != Grid && a.box().crosses(l.points[i-1], l.points[i]) {
						t.Errorf("width %g: a line crosses %q", width, a.s)
					}
				}
			}
		}
		if labels != 9 {
			t.Errorf("width %g: %d labels, want 9", width, labels)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		unit   Unit
		lo, hi float64
		most   int
		want   string
	}{
		{Plain, 1.93, 2.34, 8, "1.95 2.00 2.05 2.10 2.15 2.20 2.25 2.30"},
		{Plain, 1.93, 2.34, 5, "2.0 2.1 2.2 2.3"},
		{Plain, -0.5, 31, 5, "0 10 20 30"},
		{Plain, 0, 500, 6, "0 100 200 300 400 500"},
		{Whole, 0.6, 3.4, 20, "1 2 3"},
		{Whole, 0.6, 9.4, 5, "2 4 6 8"},
		{Bytes, 300, 30e6, 7, "512 B 4 KiB 32 KiB 256 KiB 2 MiB 16 MiB"},
		{Bytes, 100, 1000, 8, "128 B 256 B 512 B"},
		{Seconds, 3e-8, 2e-2, 7, "100 ns 1 µs 10 µs 100 µs 1 ms 10 ms"},
		{Seconds, 1e-7, 1.1e-6, 7, "100 ns 200 ns 500 ns 1 µs"},
		{Seconds, 0.4, 20, 9, "500 ms 1 s 2 s 5 s 10 s 20 s"},
		{Powers, 1e-10, 1e10, 5, "1e-10 1e-05 1 1e+05 1e+10"},
	} {
		var labels []string
		for _, tick := range test.unit.ticks(test.lo, test.hi, test.most) {
			labels = append(labels, tick.label)
			if tick.at < test.lo*(1-1e-9) || tick.at > test.hi*(1+1e-9) {
				t.Errorf("a tick at %g between %g and %g", tick.at, test.lo, test.hi)
			}
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("unit %d from %g to %g, at most %d: %s, want %s", test.unit, test.lo, test.hi, test.most, got, test.want)
		}
	}
}

// Every axis has two ticks or more, with labels that differ, where its values do.
func TestEveryAxisIsMarked(t *testing.T) {
	for unit := Plain; unit <= Powers; unit++ {
		for _, v := range [][2]float64{{1, 1}, {1, 2}, {3, 1000}, {1, 1e12}, {2.0001, 2.0002}, {math.Inf(1), math.Inf(-1)}} {
			if unit == Whole && v[0] != math.Trunc(v[0]) {
				continue
			}
			lo, hi := unit.bounds(v)
			for most := 2; most < 12; most++ {
				var labels []string
				for _, tick := range unit.ticks(lo, hi, most) {
					labels = append(labels, tick.label)
				}
				if n := len(slices.Compact(labels)); n != len(labels) || n > most || n < 1 || n < 2 && most > 3 && v[0] != v[1] && unit != Whole {
					t.Errorf("unit %d from %g to %g, at most %d: %q", unit, lo, hi, most, labels)
				}
			}
		}
	}
}

// Values that no measurement has, such as those of a damaged file, stay on the paper.
func TestAbsurdValues(t *testing.T) {
	for unit := Plain; unit <= Powers; unit++ {
		for _, v := range [][]float64{{1e18, 1e18}, {5e-324, 1}, {1e308, 1e308}, {-1e308, 1e308}, {-1e308}, {0, 0}, {1, 1e18}} {
			p := Plot{X: Axis{Unit: unit}, Y: Axis{Unit: unit}, Panels: []Panel{{Series: []Series{{}, {Style: Style{Marker: Disc}}}}}}
			for _, x := range v {
				p.Panels[0].Series[1].Points = append(p.Panels[0].Series[1].Points, Point{x, x, "label", ""})
			}
			sc := p.layout(348, false)
			for _, m := range sc.marks {
				if !(m.at.x >= 0 && m.at.x <= sc.width && m.at.y >= 0 && m.at.y <= sc.height) {
					t.Errorf("unit %d, values %g: a marker at %v", unit, v, m.at)
				}
			}
			for _, a := range sc.texts {
				if len(a.s) > 120 {
					t.Errorf("unit %d, values %g: %s", unit, v, a.s)
				}
			}
		}
	}
}

// Text of every kind stays text.
func TestSVGIsWellFormed(t *testing.T) {
	const odd = "a <b> & \"c\" 'd' \x00 \xff €"
	p := Plot{Title: odd, Caption: odd, X: Axis{Label: odd}, Y: Axis{Label: odd}, Panels: []Panel{{odd, []Series{
		{Name: odd, Points: []Point{{1, 1, odd, ""}, {2, 2, "", ""}}}, {Name: odd + "2", Level: true, Points: []Point{{1, 1, odd, ""}}}}}}}
	var file bytes.Buffer
	if err := p.SVG(&file); err != nil {
		t.Fatal(err)
	}
	drawings := []string{file.String(), p.Inline(860, "wide"), p.Inline(348, "narrow")}
	for _, key := range p.Legend() {
		drawings = append(drawings, key.Swatch)
	}
	if len(drawings) != 5 {
		t.Errorf("%d entries in the legend, want 2", len(drawings)-3)
	}
	for _, svg := range drawings {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, svg)
			}
		}
	}
	for _, svg := range drawings[:3] {
		if !strings.Contains(svg, "a &lt;b&gt; &amp;") {
			t.Errorf("no text in\n%s", svg)
		}
	}
}

func TestPNG(t *testing.T) {
	for seed := range uint64(2) {
		var b bytes.Buffer
		p := random(seed)
		if err := p.PNG(&b); err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		sc := p.layout(p.fileWidth(), true)
		if got := img.Bounds().Size(); got.X != int(density*sc.width) || got.Y != int(density*sc.height) {
			t.Errorf("a picture of %v", got)
		}
		colors := map[[3]uint32]bool{}
		for x := range img.Bounds().Dx() {
			for y := range img.Bounds().Dy() {
				r, g, b, _ := img.At(x, y).RGBA()
				colors[[3]uint32{r, g, b}] = true
			}
		}
		if len(colors) < 10 {
			t.Errorf("a picture of %d colours", len(colors))
		}
	}
	if err := random(1).PNG(broken{}); err == nil {
		t.Error("no error from a writer that takes nothing")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
