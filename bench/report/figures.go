package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"batchrnn/bench/lm"
	"batchrnn/bench/report/chart"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// A figure is one plot of a study.
type figure struct {
	name string // of its files, without extension
	chart.Plot
}

// drawings returns the plots of one level that have rows.
func drawings(r study.Result, level string) (all []figure) {
	at, rows := r.At(level), r.RowsAt(level)
	if len(at.Models) == 0 {
		return nil
	}
	all = append(all, figure{"memory-" + level, memoryPlot(at)})
	if len(qualityPoints(rows)) > 0 {
		all = append(all, figure{"quality-" + level, qualityPlot(rows, at.Corpus.TokenName())})
	}
	if panels := timePanels(rows); len(panels) > 0 {
		all = append(all, figure{"speed-" + level, timePlot(panels, at.Corpus.TokenName())})
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

// shown splits rows into those that a plot of quality has room for, and others. Orders
// of n-grams that predict far worse than every RNN would squeeze all others together.
func shown(rows []study.Row) (in, out []study.Row) {
	best, worst := math.Inf(1), math.Inf(-1)
	for _, r := range rows {
		best = min(best, r.BitsPerToken)
		if r.Kind == study.KindRNN {
			worst = max(worst, r.BitsPerToken)
		}
	}
	if worst < best { // no RNN
		return rows, nil
	}
	limit := worst + max(worst-best, 0.5)
	for _, r := range rows {
		if r.BitsPerToken <= limit {
			in = append(in, r)
		} else {
			out = append(out, r)
		}
	}
	return in, out
}

// qualityPlot draws bits against bytes. It has a line through the orders of each store,
// lines through the widths of each cell in float32 and in int8, and a point for the
// mixture.
func qualityPlot(rows []study.Row, token string) chart.Plot {
	rows, out := shown(qualityPoints(rows))
	stores := storesOf(modelsOf(rows))
	var all []chart.Series
	add := func(s chart.Series, label func(study.Row) (label, short string), of func(study.Row) bool) {
		for _, r := range rows {
			if of(r) {
				label, short := label(r)
				s.Points = append(s.Points, chart.Point{X: float64(r.BytesPredicted), Y: r.BitsPerToken, Label: label, Short: short})
			}
		}
		if len(s.Points) > 0 {
			all = append(all, s)
		}
	}
	for i, store := range stores {
		order := func(r study.Row) (string, string) { return fmt.Sprint(r.Order), "" }
		if i > 0 && i < len(stores)-1 { // the points are as high as those of the stores beside
			order = func(study.Row) (string, string) { return "", "" }
		}
		add(chart.Series{Name: "n-gram models, by order: " + store, Style: storeStyle(i), Below: i > 0}, order,
			func(r study.Row) bool { return r.Kind == study.KindNgram && r.Store == store })
	}
	for i, cell := range cellsOf(rows) {
		label := func(r study.Row) (string, string) { return r.Name(), fmt.Sprint(r.Hidden) }
		of := func(r study.Row) bool { return r.Kind == study.KindRNN && lm.CellName(r.Cell) == cell }
		add(chart.Series{Name: cell + ", by width", Style: cellStyle(i, 0), Below: true}, label,
			func(r study.Row) bool { return of(r) && r.Store != study.Int8Store })
		add(chart.Series{Name: cell + " int8, by width", Style: cellStyle(i, 1), Below: true}, label,
			func(r study.Row) bool { return of(r) && r.Store == study.Int8Store })
	}
	add(chart.Series{Name: "the best RNN and the best n-gram model, mixed", Style: chart.Style{Color: chart.Hue(1), Marker: chart.Star}, Below: true},
		func(r study.Row) (string, string) { return fmt.Sprintf("mixed: %.3f", r.BitsPerToken), "" },
		func(r study.Row) bool { return r.Kind == study.KindMixture })
	caption := "Bits per " + token + " on the test text against memory: lower predicts better, further left is smaller."
	if len(stores) > 0 {
		caption += " The numbers beside the black lines are n-gram orders."
	}
	var orders []string
	for _, r := range out {
		if name := fmt.Sprint(r.Order); !slices.Contains(orders, name) {
			orders = append(orders, name)
		}
	}
	switch n := len(orders); {
	case n == 1:
		caption += " Order " + orders[0] + " predicts far worse and is left out."
	case n > 1:
		caption += " Orders " + strings.Join(orders[:n-1], ", ") + " and " + orders[n-1] + " predict far worse and are left out."
	}
	return chart.Plot{
		Title:   "Quality against memory",
		Caption: caption,
		X:       chart.Axis{Label: "size of the model, logarithmic", Unit: chart.Bytes},
		Y:       chart.Axis{Label: "bits per " + token, Unit: chart.Plain},
		Panels:  []chart.Panel{{Series: all}},
	}
}

// cellStyle returns the style of the nth cell, and of the nth width of it. Cells look
// alike in the plots of quality and time. The mixture has the second colour.
func cellStyle(cell, width int) chart.Style {
	styles := []chart.Style{
		{Color: chart.Hue(0), Marker: chart.Diamond},
		{Color: chart.Hue(2), Marker: chart.Down},
		{Color: chart.Hue(3), Marker: chart.Cross},
		{Color: chart.Hue(4), Marker: chart.Plus},
	}
	style := styles[cell%len(styles)]
	style.Dash = []chart.Dash{chart.Solid, chart.LongDash, chart.Dotted, chart.DashDot}[width%4]
	return style
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

// modelsOf returns the models of rows.
func modelsOf(rows []study.Row) (models []study.Model) {
	for _, r := range rows {
		models = append(models, r.Model)
	}
	return models
}

// timePanels returns a panel for tokens that wait for each other, and one for several
// streams at once. Times that were not measured have none.
func timePanels(rows []study.Row) (panels []chart.Panel) {
	streams := 0 // of the RNNs
	for _, r := range rows {
		if r.Kind == study.KindRNN {
			streams = max(streams, r.BatchStreams)
		}
	}
	batched := "batched"
	if streams > 0 {
		batched = fmt.Sprintf("batched, RNNs with %d streams", streams)
	}
	for _, of := range []struct {
		title   string
		seconds func(study.Row) float64
	}{
		{"one by one", func(r study.Row) float64 { return r.LatencySeconds }},
		{batched, func(r study.Row) float64 { return r.BatchSeconds }},
	} {
		if series := timesOf(rows, of.seconds); len(series) > 0 {
			panels = append(panels, chart.Panel{Title: of.title, Series: series})
		}
	}
	return panels
}

// timesOf returns a line for each store of n-gram models and a level line for each RNN in
// float32. Those in int8 would lie close to these, and twice as many labels are hard to
// read: the table has their times.
func timesOf(rows []study.Row, seconds func(study.Row) float64) (all []chart.Series) {
	for i, store := range storesOf(modelsOf(rows)) {
		line := chart.Series{Name: "n-gram models: " + store, Style: storeStyle(i)}
		for _, r := range rows {
			if s := seconds(r); r.Kind == study.KindNgram && r.Store == store && s > 0 {
				line.Points = append(line.Points, chart.Point{X: float64(r.Order), Y: s})
			}
		}
		if len(line.Points) > 0 {
			all = append(all, line)
		}
	}
	for i, cell := range cellsOf(rows) {
		width := 0
		for _, r := range rows {
			if r.Kind != study.KindRNN || r.Store == study.Int8Store || lm.CellName(r.Cell) != cell {
				continue
			}
			if s := seconds(r); s > 0 {
				all = append(all, chart.Series{Name: r.Name(), Style: cellStyle(i, width), Level: true,
					Points: []chart.Point{{Y: s, Label: r.Name() + ": " + secondsOrNone(s)}}})
			}
			width++
		}
	}
	return all
}

// timePlot draws the time of a token against the order.
func timePlot(panels []chart.Panel, token string) chart.Plot {
	return chart.Plot{
		Title: "Time against n-gram order",
		Caption: "Time to score a " + token + ", lower is faster. One by one, each " + token + " waits for the one before. Batched, several streams are read at once: " +
			"by an RNN on all threads, by an n-gram model on one. An RNN has no order, so its time is a level line. RNNs have weights of float32 here; the table has those of int8 too.",
		X:      chart.Axis{Label: "n-gram order", Unit: chart.Whole},
		Y:      chart.Axis{Label: "time per " + token + ", logarithmic", Unit: chart.Seconds},
		Panels: panels,
	}
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
