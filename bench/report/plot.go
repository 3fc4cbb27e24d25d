package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"batchrnn/bench/report/chart"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// ErrNothingToPlot is returned by [Plot] if no model was measured.
var ErrNothingToPlot = errors.New("no model was measured, so there is nothing to plot")

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
// order. N-gram models are a line for each store. RNNs are level lines, those of
// different cells and about the same size one together. format is "png" or "svg".
func Plot(w io.Writer, r study.LevelResult, format string) error {
	if len(r.Models) == 0 {
		return ErrNothingToPlot
	}
	return writePlot(w, memoryPlot(r), format)
}

// writePlot writes a plot as "png" or "svg".
func writePlot(w io.Writer, p chart.Plot, format string) error {
	if format == "svg" {
		return p.SVG(w)
	}
	return p.PNG(w)
}

// storeStyle returns the style of the nth store, in the order of measurement. Stores
// look alike in all plots.
func storeStyle(nth int) chart.Style {
	styles := []chart.Style{
		{Color: chart.Ink, Dash: chart.Dotted, Marker: chart.Triangle},
		{Color: chart.Ink, Dash: chart.Dashed, Marker: chart.Square},
		{Color: chart.Ink, Dash: chart.Solid, Marker: chart.Disc},
		{Color: chart.Ink, Dash: chart.DashDot, Marker: chart.Ring},
	}
	return styles[nth%len(styles)]
}

// memoryPlot draws bytes against order.
func memoryPlot(r study.LevelResult) chart.Plot {
	token := r.Corpus.TokenName()
	series := ngramSizes(r.Models)
	caption := "An n-gram model grows with its order, its number of " + token + "s."
	if groups := bySize(r.Models); len(groups) > 0 {
		caption += " An RNN has no order, so its size is a level line; RNNs of about the same size share one."
		series = append(series, rnnSizes(groups)...)
	}
	if len(series) > len(bySize(r.Models)) {
		caption += " The numbers at the points are bits per " + token + " on the test text, lower is better."
	}
	return chart.Plot{
		Title:   "Memory against n-gram order",
		Caption: caption,
		X:       chart.Axis{Label: "n-gram order", Unit: chart.Whole},
		Y:       chart.Axis{Label: "size of the model, logarithmic", Unit: chart.Bytes},
		Panels:  []chart.Panel{{Series: series}},
	}
}

// ngramSizes returns a line through the n-gram models of each store, with a point for
// each order. Bits stand at the first store; they hold for all but the quantised one.
func ngramSizes(models []study.Model) (lines []chart.Series) {
	for i, store := range storesOf(models) {
		line := chart.Series{Style: storeStyle(i)}
		for _, m := range models {
			if m.Kind != study.KindNgram || m.Store != store {
				continue
			}
			line.Name = fmt.Sprintf("n-gram models, %s: %s", smoothingTerm(m.Smoothing), store)
			at := chart.Point{X: float64(m.Order), Y: max(float64(m.BytesPredicted), 1)}
			if i == 0 && !m.Unscored {
				at.Label = fmt.Sprintf("%.2f", max(m.BitsPerToken, 0)) // max makes 0 of -0
			}
			line.Points = append(line.Points, at)
		}
		lines = append(lines, line)
	}
	return lines
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

// oneLine is the ratio of sizes up to which RNNs of different cells share a line. A
// width that fits into given bytes may fall short of them by this much.
const oneLine = 1.2

// bySize groups RNNs of different cells, one store and about the same size, smallest
// first. Within a group they stay in the order of models.
func bySize(models []study.Model) (groups [][]study.Model) {
	for _, m := range models {
		if m.Kind != study.KindRNN {
			continue
		}
		i := slices.IndexFunc(groups, func(g []study.Model) bool {
			a, b := float64(g[0].BytesPredicted), float64(m.BytesPredicted)
			return max(a, b) <= oneLine*min(a, b) && g[0].Store == m.Store && !slices.ContainsFunc(g, func(other study.Model) bool { return other.Cell == m.Cell })
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

// rnnSizes returns a level line for each size of RNNs, dashed for weights of int8.
func rnnSizes(groups [][]study.Model) (lines []chart.Series) {
	for nth, group := range groups {
		var names, described []string
		for _, m := range group {
			names = append(names, m.Name())
			if m.Unscored {
				described = append(described, m.Name())
			} else {
				described = append(described, fmt.Sprintf("%s (%.2f bits)", m.Name(), m.BitsPerToken))
			}
		}
		style := chart.Style{Color: chart.Hue(nth)}
		if group[0].Store == study.Int8Store {
			style.Dash = chart.LongDash
		}
		lines = append(lines, chart.Series{
			Name:   figures.Bytes(group[0].BytesPredicted) + ": " + strings.Join(described, ", "),
			Style:  style,
			Points: []chart.Point{{Y: max(float64(group[0].BytesPredicted), 1), Label: strings.Join(names, ",\n")}},
			Level:  true,
		})
	}
	return lines
}
