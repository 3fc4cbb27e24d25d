package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// ErrNothingToPlot is returned by [Plot] if no model was measured.
var ErrNothingToPlot = errors.New("no model was measured, so there is nothing to plot")

// The plot's size on paper, and the pixels per inch of a PNG (1440 x 900 in all).
const (
	plotWidth  = 9 * vg.Inch
	plotHeight = 5.625 * vg.Inch
	plotDPI    = 160
)

// Colours that colour-blind readers can tell apart (Okabe and Ito 2008). Black is
// reserved for the n-gram models.
var (
	paper     = color.RGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
	ink       = color.RGBA{R: 0x26, G: 0x26, B: 0x26, A: 0xff}
	gridLine  = color.RGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 0xff}
	rnnColors = []color.RGBA{
		{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, // vermilion
		{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, // blue
		{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, // green
		{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}, // purple
		{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, // orange
	}
)

// PlotFormat returns "png" or "svg" from a file name's extension, and an error
// for any other.
func PlotFormat(path string) (string, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".png", ".svg":
		return ext[1:], nil
	case "":
		return "", errors.New("has no extension: name the file .png or .svg")
	default:
		return "", fmt.Errorf("%s is not a format of plots here: name the file .png or .svg", ext)
	}
}

// Plot draws the bytes of every model of r, on a logarithmic axis, against the n-gram
// order. N-gram models are a line for each store. RNNs are flat lines, those of
// different cells and about the same size one together. format is "png" or "svg".
func Plot(w io.Writer, r study.LevelResult, format string) error {
	if len(r.Models) == 0 {
		return ErrNothingToPlot
	}
	return writePlot(w, draft(r), plotWidth, plotHeight, format)
}

// writePlot writes a plot of the given size as "png" or "svg".
func writePlot(w io.Writer, p *plot.Plot, width, height vg.Length, format string) error {
	if format == "svg" {
		canvas := vgsvg.New(width, height)
		render(p, canvas)
		var b bytes.Buffer
		if _, err := canvas.WriteTo(&b); err != nil {
			return err
		}
		// A reader's system may lack the font; the alternatives have the same widths.
		_, err := w.Write(bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
			[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")))
		return err
	}
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(plotDPI))}
	render(p, canvas)
	_, err := canvas.WriteTo(w)
	return err
}

// render draws the plot with a margin, on a background of its own.
func render(p *plot.Plot, canvas vg.CanvasSizer) {
	dc := draw.New(canvas)
	dc.SetColor(paper)
	dc.Fill(dc.Rectangle.Path())
	const margin = 12
	p.Draw(draw.Crop(dc, margin, -margin, margin, -margin))
}

// newPlot returns an empty plot in the common style.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = paper
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = sans(15), ink
	p.Title.Padding = vg.Points(10)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Label.TextStyle.Color = sans(12), ink
		axis.Label.Padding = vg.Points(6)
		axis.Tick.Label.Font = sans(11)
		axis.Tick.Label.Color = ink
		axis.Color, axis.Tick.Color = ink, ink
	}
	p.Legend.TextStyle.Font, p.Legend.TextStyle.Color = sans(11), ink
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(12), vg.Points(-6)
	p.Legend.Padding = vg.Points(4)
	p.Legend.ThumbnailWidth = vg.Points(24)

	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridLine, gridLine
	p.Add(grid)
	return p
}

// draft lays out the plot.
func draft(r study.LevelResult) *plot.Plot {
	unit := "bits per " + r.Corpus.TokenName()
	p := newPlot("Memory of a language model against n-gram order",
		fmt.Sprintf("n-gram order, in %ss (an RNN has none); beside the lines, %s", r.Corpus.TokenName(), unit),
		"size of the model (logarithmic)")

	lo, hi, orders := extent(r.Models)
	p.X.Min, p.X.Max = 0.6, float64(orders)+0.6
	p.X.Tick.Marker = orderTicks(orders)
	p.Y.Scale = plot.LogScale{}
	// This leaves room for a label below the lowest point.
	p.Y.Min, p.Y.Max = lo/3, hi*legendRoom(lo, hi, len(storesOf(r.Models))+len(bySize(r.Models)))
	p.Y.Tick.Marker = byteTicks{}

	addRNNs(p, r)
	addNgrams(p, r)
	return p
}

// legendRoom returns the factor that stretches a logarithmic axis at its top. The first
// four lines of the legend fit above the axis. Each further line needs a share of it.
func legendRoom(lo, hi float64, lines int) float64 {
	return 2 * math.Pow(hi/lo, 0.07*float64(max(lines-4, 0)))
}

// extent returns the smallest and the largest size of the models in bytes, and the
// highest n-gram order. All are at least 1.
func extent(models []study.Model) (lo, hi float64, orders int) {
	lo, hi, orders = math.Inf(1), 1, 1
	for _, m := range models {
		size := max(float64(m.BytesPredicted), 1)
		lo, hi = min(lo, size), max(hi, size)
		orders = max(orders, m.Order)
	}
	return lo, hi, orders
}

// storeStyles are the glyphs and dashes of the stores, in the order of measurement.
var storeStyles = []struct {
	shape  draw.GlyphDrawer
	dashes []vg.Length
}{
	{draw.PyramidGlyph{}, []vg.Length{vg.Points(2), vg.Points(3)}},
	{draw.BoxGlyph{}, []vg.Length{vg.Points(7), vg.Points(3)}},
	{draw.CircleGlyph{}, nil},
	{draw.RingGlyph{}, []vg.Length{vg.Points(7), vg.Points(3), vg.Points(2), vg.Points(3)}},
}

// addNgrams draws a line through the n-gram models of each store, with a point for each
// order. Bits of the first store stand above its line; they hold for all but the
// quantised one. Those of the last store stand below its line.
func addNgrams(p *plot.Plot, r study.LevelResult) {
	stores := storesOf(r.Models)
	for i, store := range stores {
		var points plotter.XYs
		var labels []string
		name := "n-gram models"
		for _, m := range r.Models {
			if m.Kind == study.KindNgram && m.Store == store {
				points = append(points, plotter.XY{X: float64(m.Order), Y: max(float64(m.BytesPredicted), 1)})
				labels = append(labels, fmt.Sprintf("%.2f", m.BitsPerToken))
				name = fmt.Sprintf("n-gram models, %s: %s", smoothingTerm(m.Smoothing), store)
			}
		}
		// Here and below no error is possible: the points are finite and not empty.
		line, dots, _ := plotter.NewLinePoints(points)
		style := storeStyles[i%len(storeStyles)]
		line.LineStyle = draw.LineStyle{Color: ink, Width: vg.Points(2), Dashes: style.dashes}
		dots.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(3.5), Shape: style.shape}
		p.Add(line)
		switch beside := besides(points, labels); {
		case i == len(stores)-1:
			p.Add(beside)
		case i == 0:
			beside.Offset = vg.Point{X: vg.Points(-27), Y: vg.Points(4)}
			p.Add(beside)
		}
		p.Add(dots)
		p.Legend.Add(name, line, dots)
	}
}

// storesOf returns the stores of the n-gram models, in the order of models.
func storesOf(models []study.Model) (stores []string) {
	for _, m := range models {
		if m.Kind == study.KindNgram && !slices.Contains(stores, m.Store) {
			stores = append(stores, m.Store)
		}
	}
	return stores
}

// besides returns labels beside points.
func besides(points plotter.XYs, labels []string) boxedLabels {
	beside, _ := plotter.NewLabels(plotter.XYLabels{XYs: points, Labels: labels})
	for i := range beside.TextStyle {
		beside.TextStyle[i].Font, beside.TextStyle[i].Color = sans(10), ink
	}
	beside.Offset = vg.Point{X: vg.Points(6), Y: vg.Points(-11)}
	return boxedLabels{beside, make([]bool, len(labels))}
}

// boxedLabels are labels with a background, so that no line of an RNN crosses their
// text. Some stand above their points instead of below.
type boxedLabels struct {
	*plotter.Labels
	above []bool
}

// Plot implements [plot.Plotter].
func (l boxedLabels) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i, label := range l.Labels.Labels {
		at := vg.Point{X: x(l.XYs[i].X), Y: y(l.XYs[i].Y)}.Add(l.Offset)
		if l.above[i] {
			at.Y += vg.Points(15)
		}
		c.SetColor(paper)
		c.Fill(l.TextStyle[i].Rectangle(label).Add(at).Path())
		c.FillText(l.TextStyle[i], at, label)
	}
}

// oneLine is the ratio of sizes up to which RNNs of different cells share a line. A
// width that fits into given bytes may fall short of them by this much.
const oneLine = 1.2

// bySize groups RNNs of different cells and about the same size, smallest first. Within
// a group they stay in the order of models.
func bySize(models []study.Model) (groups [][]study.Model) {
	for _, m := range models {
		if m.Kind != study.KindRNN {
			continue
		}
		i := slices.IndexFunc(groups, func(g []study.Model) bool {
			a, b := float64(g[0].BytesPredicted), float64(m.BytesPredicted)
			return max(a, b) <= oneLine*min(a, b) && !slices.ContainsFunc(g, func(other study.Model) bool { return other.Cell == m.Cell })
		})
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], m)
	}
	slices.SortStableFunc(groups, func(a, b []study.Model) int { return cmp.Compare(a[0].BytesPredicted, b[0].BytesPredicted) })
	return groups
}

// addRNNs draws a flat line for each size of RNNs.
func addRNNs(p *plot.Plot, r study.LevelResult) {
	for nth, group := range bySize(r.Models) {
		y := max(float64(group[0].BytesPredicted), 1)
		line, _ := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: y}, {X: p.X.Max, Y: y}})
		line.LineStyle = draw.LineStyle{
			Color: rnnColors[nth%len(rnnColors)],
			Width: vg.Points(2),
		}
		p.Add(line)
		var names []string
		for _, m := range group {
			name := m.Name()
			if !m.Unscored {
				name += fmt.Sprintf(" (%.2f bits)", m.BitsPerToken)
			}
			names = append(names, name)
		}
		p.Legend.Add(figures.Bytes(group[0].BytesPredicted)+": "+strings.Join(names, ", "), line)
	}
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// orderTicks marks the orders 1 to n.
func orderTicks(n int) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for i := 1; i <= n; i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: fmt.Sprint(i)})
	}
	return ticks
}

// byteTicks marks powers of two as sizes with units: 1 KiB, 4 KiB, ...
type byteTicks struct{}

// Ticks implements [plot.Ticker].
func (byteTicks) Ticks(min, max float64) []plot.Tick {
	first, last := math.Ceil(math.Log2(min)), math.Floor(math.Log2(max))
	step := math.Max(1, math.Ceil((last-first)/8))
	var ticks []plot.Tick
	for e := math.Ceil(first/step) * step; e <= last; e += step {
		v := math.Exp2(e)
		unit, label := v, "B"
		for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
			if unit < 1024 {
				break
			}
			unit, label = unit/1024, next
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g %s", unit, label)})
	}
	return ticks
}
