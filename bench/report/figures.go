package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"batchrnn/bench/lm"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// A figure is one plot of a study.
type figure struct {
	name    string // of its files, without extension
	title   string
	caption string
	draft   func() *plot.Plot
}

// drawings returns the plots of one level that have rows.
func drawings(r study.Result, level string) []figure {
	at, rows := r.At(level), r.RowsAt(level)
	if len(at.Models) == 0 {
		return nil
	}
	token := at.Corpus.TokenName()
	all := []figure{{
		name:    "memory-" + level,
		title:   "Memory against order",
		caption: "The claim: the n-gram model grows with its order, the RNN has none. RNNs of about the same size share a line. Above and below the lines, bits per " + token + " of the stores that lose nothing and of the quantised one.",
		draft: func() *plot.Plot {
			p := draft(at)
			p.X.Label.Text = "n-gram order, in " + token + "s (an RNN has none)" // the caption explains the RNNs
			return p
		},
	}}
	if len(qualityPoints(rows)) > 0 {
		all = append(all, figure{
			name:    "quality-" + level,
			title:   "Quality against memory",
			caption: "Bits per " + token + " on the test split, lower is better, against bytes in memory. Further down and to the left is better. Orders that are far above every RNN are left out.",
			draft:   func() *plot.Plot { return qualityPlot(rows, token) },
		})
	}
	if slices.ContainsFunc(rows, func(r study.Row) bool { return r.LatencySeconds > 0 }) {
		all = append(all, figure{
			name:    "speed-" + level,
			title:   "Time against order",
			caption: "Time to score a " + token + ": one by one (solid), and with several streams at once (dashed), the RNNs on all threads, the n-gram models on one.",
			draft:   func() *plot.Plot { return speedPlot(at, rows) },
		})
	}
	return all
}

// qualityPoints returns the rows that have both bytes and bits.
func qualityPoints(rows []study.Row) (points []study.Row) {
	for _, r := range rows {
		if !r.Unscored && r.BytesPredicted > 0 {
			points = append(points, r)
		}
	}
	return points
}

// shown returns the rows that a plot of quality has room for. Orders of n-grams that
// predict far worse than every RNN would squeeze all others together.
func shown(rows []study.Row) []study.Row {
	best, worst := math.Inf(1), math.Inf(-1)
	for _, r := range rows {
		best = min(best, r.BitsPerToken)
		if r.Kind == study.KindRNN {
			worst = max(worst, r.BitsPerToken)
		}
	}
	if worst < best { // no RNN
		return rows
	}
	limit := worst + max(worst-best, 0.5)
	return slices.DeleteFunc(rows, func(r study.Row) bool { return r.BitsPerToken > limit })
}

// qualityPlot draws bits against bytes. It has a line through the orders of each store,
// a line through the widths of each cell, and a point for the mixture.
func qualityPlot(rows []study.Row, token string) *plot.Plot {
	rows = shown(qualityPoints(rows))
	p := newPlot("Quality of a language model against its memory", "size of the model (logarithmic)", "bits per "+token+", lower is better")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, byteTicks{}
	lo, hi := math.Inf(1), 1.0
	low, high := math.Inf(1), 0.0
	for _, r := range rows {
		lo, hi = min(lo, float64(r.BytesPredicted)), max(hi, float64(r.BytesPredicted))
		low, high = min(low, r.BitsPerToken), max(high, r.BitsPerToken)
	}
	p.X.Min, p.X.Max = lo/2, hi*4 // room for the last label
	pad := max(0.1*(high-low), 0.05)
	p.Y.Min, p.Y.Max = max(low-pad, 0), high+3*pad       // room for the legend
	p.Legend.Left, p.Legend.XOffs = false, vg.Points(-4) // above the end of the lines, which fall
	p.Y.Tick.Marker = roundTicks{}

	stores := storesOf(modelsOf(rows))
	add := func(name string, c color.RGBA, shape draw.GlyphDrawer, dashes []vg.Length, label func(study.Row) string, of func(study.Row) bool) {
		var points plotter.XYs
		var labels []string
		for _, r := range rows {
			if of(r) {
				points = append(points, plotter.XY{X: float64(r.BytesPredicted), Y: r.BitsPerToken})
				if label != nil {
					labels = append(labels, label(r))
				}
			}
		}
		if len(points) == 0 {
			return
		}
		line, dots, _ := plotter.NewLinePoints(points) // finite and not empty
		line.LineStyle = draw.LineStyle{Color: c, Width: vg.Points(2), Dashes: dashes}
		dots.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(3.5), Shape: shape}
		p.Add(line)
		if label != nil {
			beside := besides(points, labels)
			for i, at := range points {
				if slices.ContainsFunc(rows, func(r study.Row) bool { return closeBelow(r, at, 2*pad) }) {
					beside.above[i] = true
				}
			}
			p.Add(beside)
		}
		p.Add(dots)
		p.Legend.Add(name, line, dots)
	}
	order := func(r study.Row) string { return fmt.Sprint(r.Order) }
	for i, store := range stores {
		label := order
		if i > 0 && i < len(stores)-1 { // no labels: the points are as high as those of the other stores
			label = nil
		}
		style := storeStyles[i%len(storeStyles)]
		add("n-gram models, by order: "+store, ink, style.shape, style.dashes, label, func(r study.Row) bool { return r.Kind == study.KindNgram && r.Store == store })
	}
	for i, cell := range cellsOf(rows) {
		style := cellStyles[i%len(cellStyles)]
		add(cell+"s, by width", style.color, style.shape, nil, func(r study.Row) string { return fmt.Sprint(r.Hidden) },
			func(r study.Row) bool { return r.Kind == study.KindRNN && lm.CellName(r.Cell) == cell })
	}
	add("the best of both, mixed", rnnColors[1], draw.PyramidGlyph{}, nil, func(r study.Row) string { return fmt.Sprintf("%.3f", r.BitsPerToken) },
		func(r study.Row) bool { return r.Kind == study.KindMixture })
	return p
}

// cellStyles are the colours and glyphs of cells. The mixture has the second colour.
var cellStyles = []struct {
	color color.RGBA
	shape draw.GlyphDrawer
}{
	{rnnColors[0], draw.BoxGlyph{}},
	{rnnColors[2], draw.CircleGlyph{}},
	{rnnColors[3], draw.PyramidGlyph{}},
	{rnnColors[4], draw.RingGlyph{}},
}

// cellsOf returns the names of the cells of RNNs, in the order of the rows.
func cellsOf(rows []study.Row) (cells []string) {
	for _, r := range rows {
		if name := lm.CellName(r.Cell); r.Kind == study.KindRNN && !slices.Contains(cells, name) {
			cells = append(cells, name)
		}
	}
	return cells
}

// closeBelow says whether an RNN's point lies where a label below at would stand.
func closeBelow(r study.Row, at plotter.XY, within float64) bool {
	ratio := float64(r.BytesPredicted) / at.X
	return r.Kind == study.KindRNN && r.BitsPerToken < at.Y && r.BitsPerToken > at.Y-within && ratio > 1/oneLine && ratio < 2
}

// modelsOf returns the models of rows.
func modelsOf(rows []study.Row) (models []study.Model) {
	for _, r := range rows {
		models = append(models, r.Model)
	}
	return models
}

// speedPlot draws the time of a token against the order. N-gram models are a line for
// each store, each RNN is a flat line.
func speedPlot(at study.LevelResult, rows []study.Row) *plot.Plot {
	token := at.Corpus.TokenName()
	p := newPlot("Time to score a "+token+" against n-gram order", "n-gram order, in "+token+"s (an RNN has none)", "time per "+token+" (logarithmic)")
	lo, hi, orders := math.Inf(1), 0.0, 1
	rnns := 0
	for _, r := range rows {
		switch r.Kind {
		case study.KindMixture:
			continue
		case study.KindRNN:
			rnns++
		}
		orders = max(orders, r.Order)
		for _, s := range []float64{r.LatencySeconds, r.BatchSeconds} {
			if s > 0 {
				lo, hi = min(lo, s), max(hi, s)
			}
		}
	}
	p.X.Min, p.X.Max = 0.6, float64(orders)+0.6
	p.X.Tick.Marker = orderTicks(orders)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, timeTicks{}
	p.Y.Min, p.Y.Max = lo/2, hi*legendRoom(lo, hi, len(storesOf(at.Models))+rnns)

	dashed := []vg.Length{vg.Points(5), vg.Points(4)}
	line := func(points plotter.XYs, c color.RGBA, dashes []vg.Length) *plotter.Line {
		l, _ := plotter.NewLine(points) // finite and not empty
		l.LineStyle = draw.LineStyle{Color: c, Width: vg.Points(2), Dashes: dashes}
		p.Add(l)
		return l
	}
	nth := 0
	for _, r := range rows {
		if r.Kind != study.KindRNN {
			continue
		}
		c := rnnColors[nth%len(rnnColors)]
		nth++
		for _, of := range []struct {
			seconds float64
			dashes  []vg.Length
			name    string
		}{{r.BatchSeconds, dashed, ""}, {r.LatencySeconds, nil, fmt.Sprintf("%s: %s, %s with %d streams", r.Name(), figures.Seconds(r.LatencySeconds), figures.Seconds(r.BatchSeconds), r.BatchStreams)}} {
			if of.seconds <= 0 {
				continue
			}
			l := line(plotter.XYs{{X: p.X.Min, Y: of.seconds}, {X: p.X.Max, Y: of.seconds}}, c, of.dashes)
			if of.name != "" {
				p.Legend.Add(of.name, l)
			}
		}
	}
	for i, store := range storesOf(modelsOf(rows)) {
		var points, batched plotter.XYs
		for _, r := range rows {
			if r.Kind != study.KindNgram || r.Store != store {
				continue
			}
			if r.LatencySeconds > 0 {
				points = append(points, plotter.XY{X: float64(r.Order), Y: r.LatencySeconds})
			}
			if r.BatchSeconds > 0 {
				batched = append(batched, plotter.XY{X: float64(r.Order), Y: r.BatchSeconds})
			}
		}
		for _, of := range []struct {
			points plotter.XYs
			dashes []vg.Length
			name   string
		}{{batched, dashed, ""}, {points, nil, "n-gram models: " + store}} {
			if len(of.points) == 0 {
				continue
			}
			l := line(of.points, ink, of.dashes)
			dots, _ := plotter.NewScatter(of.points)
			dots.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(3.5), Shape: storeStyles[i%len(storeStyles)].shape}
			p.Add(dots)
			if of.name != "" {
				p.Legend.Add(of.name, l, dots)
			}
		}
	}
	return p
}

// roundTicks marks about six round numbers.
type roundTicks struct{}

// Ticks implements [plot.Ticker].
func (roundTicks) Ticks(min, max float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10((max-min)/5)))
	for _, times := range []float64{1, 2, 5, 10} {
		if (max-min)/(times*step) <= 8 {
			step *= times
			break
		}
	}
	for i := math.Ceil(min / step); i*step <= max; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: fmt.Sprintf("%.4g", i*step)})
	}
	return ticks
}

// timeTicks marks powers of ten as times with units: 100 ns, 1 µs, ...
type timeTicks struct{}

// Ticks implements [plot.Ticker].
func (timeTicks) Ticks(min, max float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Ceil(math.Log10(min) - 1e-9); e <= math.Log10(max); e++ {
		v, unit := math.Round(math.Pow(10, e+9)), "ns" // whole nanoseconds, at least one
		if e < -9 {
			continue
		}
		for _, next := range []string{"µs", "ms", "s"} {
			if v < 1000 {
				break
			}
			v, unit = v/1000, next
		}
		ticks = append(ticks, plot.Tick{Value: math.Pow(10, e), Label: fmt.Sprintf("%g %s", v, unit)})
		if e+math.Log10(3) <= math.Log10(max) {
			ticks = append(ticks, plot.Tick{Value: 3 * math.Pow(10, e)})
		}
	}
	return ticks
}

// nameOf returns the name of a row in a table.
func nameOf(r study.Row) string {
	if r.Interrupted {
		return r.Label + " *"
	}
	return r.Label
}

// sizeOf formats a row's bytes.
func sizeOf(r study.Row) string {
	return figures.Known(r.BytesPredicted > 0, figures.Bytes(r.BytesPredicted))
}
