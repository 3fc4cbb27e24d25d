package report

import (
	"fmt"
	"io"
	"math"

	"batchrnn/bench/gradients"
	"batchrnn/bench/report/chart"
)

// Bounds of the axis of norms. Norms beyond them have vanished or exploded, and showing
// them would flatten the rest.
const (
	leastNorm = 1e-10
	mostNorm  = 1e10
)

// GradientPlot draws the norm of dJ/dh_t against the distance from the loss, for every
// network, before and after training. It shows both tasks beside each other, each at
// the greatest trained length. format is "png" or "svg".
func GradientPlot(w io.Writer, r gradients.Result, format string) error {
	var start, trained []chart.Panel
	colors := map[string]int{} // of the networks
	for _, task := range []string{gradients.Adding, gradients.Copy} {
		models := longest(r, task)
		if len(models) == 0 {
			continue
		}
		for _, m := range models {
			if _, ok := colors[m.Network]; !ok {
				colors[m.Network] = len(colors)
			}
		}
		name := fmt.Sprintf("%s, T = %d, ", gradients.TaskName(task), models[0].Length)
		start = append(start, chart.Panel{Title: name + "at the start", Series: startNorms(models, colors)})
		trained = append(trained, chart.Panel{Title: name + "trained", Series: trainedNorms(models, colors)})
	}
	if len(start) == 0 {
		return ErrNothingToPlot
	}
	return writePlot(w, chart.Plot{
		Title: "Gradients against distance",
		Caption: "The norm of the gradient of the last step’s loss with respect to the state some steps before, as a multiple of that at distance 0. " +
			"Where a line stays level, a network can learn over that distance; where it falls, gradients vanish; where it rises, they explode. " +
			fmt.Sprintf("A line that reaches %.0e or %.0e ends there.", leastNorm, mostNorm),
		X:      chart.Axis{Label: "distance from the loss, in steps", Unit: chart.Plain},
		Y:      chart.Axis{Label: "norm of dJ/dh, logarithmic", Unit: chart.Powers},
		Panels: append(start, trained...),
	}, format)
}

// longest returns the models of a task at the greatest length that was trained.
func longest(r gradients.Result, task string) []gradients.Model {
	most := 0
	for _, m := range r.Models {
		if m.Task == task {
			most = max(most, m.Length)
		}
	}
	return r.Of(task, most)
}

// networkStyle returns the style of the nth network.
func networkStyle(nth int) chart.Style {
	markers := []chart.Marker{chart.Disc, chart.Ring, chart.Square, chart.Triangle, chart.Diamond, chart.Down, chart.Cross, chart.Plus, chart.Star}
	return chart.Style{Color: chart.Hue(nth), Marker: markers[nth%len(markers)]}
}

// startNorms returns a line for each network before its training. Networks that differ
// in clipping alone start alike.
func startNorms(models []gradients.Model, nth map[string]int) (lines []chart.Series) {
	seen := map[string]bool{}
	for _, m := range models {
		if !seen[m.Network] {
			seen[m.Network] = true
			lines = append(lines, chart.Series{Name: m.Network, Style: networkStyle(nth[m.Network]), Sparse: true, Points: within(m.AtStart)})
		}
	}
	return lines
}

// trainedNorms returns a line for each model after its training, dashed if its gradients
// were not clipped.
func trainedNorms(models []gradients.Model, nth map[string]int) (lines []chart.Series) {
	clipped := map[bool]bool{}
	for _, m := range models {
		style := networkStyle(nth[m.Network])
		if m.Clip == 0 {
			style.Dash = chart.Dashed
		}
		clipped[m.Clip > 0] = true
		lines = append(lines, chart.Series{Name: m.Network, Style: style, Sparse: true, Points: within(m.Trained)})
	}
	if clipped[true] {
		lines = append(lines, chart.Series{Name: "trained with clipping", Style: chart.Style{Color: chart.Ink}})
	}
	if clipped[false] {
		lines = append(lines, chart.Series{Name: "trained without clipping", Style: chart.Style{Color: chart.Ink, Dash: chart.Dashed}})
	}
	return lines
}

// within returns the norms within the bounds. A line that leaves them ends at the bound.
func within(norms []gradients.Norm) (points []chart.Point) {
	for i, n := range norms {
		if !(n.Norm >= leastNorm && n.Norm <= mostNorm) {
			if i > 0 && n.Norm >= 0 {
				bound := min(max(n.Norm, leastNorm), mostNorm)
				before, share := norms[i-1], 1.0
				if n.Norm > 0 {
					share = math.Log(bound/before.Norm) / math.Log(n.Norm/before.Norm)
				}
				points = append(points, chart.Point{X: float64(before.Distance) + share*float64(n.Distance-before.Distance), Y: bound})
			}
			break
		}
		points = append(points, chart.Point{X: float64(n.Distance), Y: n.Norm})
	}
	return points
}
