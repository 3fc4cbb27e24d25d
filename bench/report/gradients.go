package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"batchrnn/bench/gradients"
)

// Bounds of the axis of norms. Norms beyond them have vanished or exploded, and showing
// them would flatten the rest.
const (
	leastNorm = 1e-10
	mostNorm  = 1e10
)

// gradientColors has a colour for each network.
var gradientColors = append(rnnColors[:len(rnnColors):len(rnnColors)],
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, // sky blue
	color.RGBA{R: 0x8c, G: 0x6d, B: 0x31, A: 0xff}, // brown
	color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff}, // grey
	color.RGBA{R: 0x26, G: 0x26, B: 0x26, A: 0xff}, // black
)

// GradientPlot draws the norm of dJ/dh_t against the distance from the loss, for every
// network. It shows the adding problem at the greatest trained length, or else the copy
// task. Lines are dotted before training, dashed after it, and solid after it with
// clipping. format is "png" or "svg".
func GradientPlot(w io.Writer, r gradients.Result, format string) error {
	models := longest(r)
	if len(models) == 0 {
		return ErrNothingToPlot
	}
	first := models[0]
	p := newPlot(fmt.Sprintf("Norm of gradients beside that at distance 0, %s, T = %d", gradients.TaskName(first.Task), first.Length),
		"distance from the loss, in steps", "norm of dJ/dh")
	p.X.Min, p.X.Max = 0, float64(first.Length)
	p.X.Tick.Marker = roundTicks{}
	p.Y.Scale = plot.LogScale{}
	lo, hi := 0.1, 10.0
	var networks []string
	for _, m := range models {
		color := len(networks)
		if i := slices.Index(networks, m.Network); i >= 0 {
			color = i
		} else {
			networks = append(networks, m.Network)
		}
		stroke := gradientColors[color%len(gradientColors)]
		trained := draw.LineStyle{Color: stroke, Width: vg.Points(1.5), Dashes: []vg.Length{vg.Points(7), vg.Points(3)}}
		if m.Clip > 0 {
			trained = draw.LineStyle{Color: stroke, Width: vg.Points(2)}
		}
		for _, curve := range []struct {
			norms []gradients.Norm
			style draw.LineStyle
		}{
			{m.AtStart, draw.LineStyle{Color: stroke, Width: vg.Points(1.5), Dashes: []vg.Length{vg.Points(1.5), vg.Points(3)}}},
			{m.Trained, trained},
		} {
			points := logPoints(curve.norms)
			if len(points) == 0 {
				continue
			}
			for _, point := range points {
				lo, hi = min(lo, point.Y), max(hi, point.Y)
			}
			line, _ := plotter.NewLine(points) // finite and not empty
			line.LineStyle = curve.style
			p.Add(line)
		}
	}
	p.Y.Min, p.Y.Max = max(lo, leastNorm), min(hi, mostNorm)
	p.Y.Tick.Marker = powerTicks{p.Y.Max}
	p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, 0.075*float64(len(networks)+1)) // room for the legend
	for i, name := range networks {
		p.Legend.Add(name, &plotter.Line{LineStyle: draw.LineStyle{Color: gradientColors[i%len(gradientColors)], Width: vg.Points(2)}})
	}
	p.Legend.Add("dotted: at the start; dashed: trained; solid: trained with clipping",
		&plotter.Line{LineStyle: draw.LineStyle{Color: color.Transparent}})
	return writePlot(w, p, plotWidth, plotHeight, format)
}

// longest returns the models of one task at the greatest length that was trained.
func longest(r gradients.Result) []gradients.Model {
	for _, task := range []string{gradients.Adding, gradients.Copy} {
		most := 0
		for _, m := range r.Models {
			if m.Task == task {
				most = max(most, m.Length)
			}
		}
		if most > 0 {
			return r.Of(task, most)
		}
	}
	return nil
}

// logPoints returns the norms that a logarithmic axis can show. It stops at the first
// one beyond the bounds, where the line ends.
func logPoints(norms []gradients.Norm) (points plotter.XYs) {
	for _, n := range norms {
		if n.Norm <= 0 {
			break
		}
		points = append(points, plotter.XY{X: float64(n.Distance), Y: n.Norm})
		if n.Norm < leastNorm || n.Norm > mostNorm {
			break
		}
	}
	return points
}

// powerTicks marks powers of ten up to most.
type powerTicks struct{ most float64 }

// Ticks implements [plot.Ticker].
func (t powerTicks) Ticks(min, max float64) []plot.Tick {
	first, last := math.Ceil(math.Log10(min)), math.Floor(math.Log10(t.most))
	step := math.Max(1, math.Ceil((last-first)/10))
	var ticks []plot.Tick
	for e := math.Ceil(first/step) * step; e <= last; e += step {
		v := math.Pow(10, e)
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.3g", v)})
	}
	return ticks
}
