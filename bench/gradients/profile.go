package gradients

import (
	"math"
	"math/rand/v2"
	"slices"

	"batchrnn/rnn"
)

// Marks are the distances that every profile has, up to the length of its sequence.
var Marks = []int{1, 10, 50, 100, 200, 500, 1000}

// profileBatches is the number of batches that a profile averages.
const profileBatches = 8

// profilePoints is the number of distances in a profile beside the marks.
const profilePoints = 50

// profile returns the norms of dJ/dh_t for the loss at the last step alone. The one at
// distance T belongs to the initial state.
func profile(m *rnn.Model, t task, r *rand.Rand) []Norm {
	steps := t.steps()
	// The workspace of the training need not keep all gradients, so profile has its
	// own.
	ws := m.NewTraining(steps, batch)
	ws.KeepStateGradients()
	ws.KeepInputGradients()
	norms, sums := make([]float64, steps), make([]float64, steps+1) // sums by distance
	for range profileBatches {
		t.draw(r)
		t.forward(ws)
		t.last(ws)
		ws.StateGradNorms(norms, 0)
		for i, n := range norms {
			sums[steps-1-i] += n
		}
		var squares float64
		for _, g := range ws.DState.H {
			squares += float64(g) * float64(g)
		}
		sums[steps] += math.Sqrt(squares)
	}
	var profile []Norm
	for _, d := range distances(steps) {
		if n := sums[d] / sums[0]; !math.IsNaN(n) && !math.IsInf(n, 0) {
			profile = append(profile, Norm{d, n})
		}
	}
	return profile
}

// distances returns the marks up to steps and evenly spaced distances, ascending from
// 0.
func distances(steps int) []int {
	var all []int
	for i := range min(profilePoints, steps) + 1 {
		all = append(all, i*steps/min(profilePoints, steps))
	}
	for _, d := range Marks {
		if d <= steps {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
