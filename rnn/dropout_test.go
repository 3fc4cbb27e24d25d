package rnn

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// dropped are jobs with every kind of output.
var dropped = []job{
	{Config{Input: 9, Layers: 1, Hidden: 35, Output: 17}, 5, 13},
	{Config{Input: 30, Layers: 1, Hidden: 35, Output: 30, Tied: true}, 5, 13},
	{Config{Input: 9, Layers: 1, Hidden: 35, Output: 90, Cutoffs: []int{20, 50}}, 5, 13},
	{Config{Input: 9, Layers: 3, Bidirectional: true, Residual: true, Hidden: 19, Output: 17}, 4, 5},
	{Config{Input: 9, Cell: LSTM, Layers: 2, Hidden: 35, Projection: 18, Output: 17}, 3, 5},
	{Config{Input: 9, Cell: GRU, Layers: 3, Bidirectional: true, Residual: true, Hidden: 19, Output: 17}, 4, 5},
	{Config{Input: 9, Cell: GRUResetBefore, Layers: 2, Hidden: 35, Output: 17}, 3, 5},
	{Config{Input: 30, Embedding: 35, Cell: GRU, Layers: 1, Hidden: 35, Output: 30, Tied: true}, 5, 13},
	{Config{Input: 30, Embedding: 9, Layers: 2, Bidirectional: true, Hidden: 19, Output: 17}, 4, 5},
}

// TestDropoutGradients holds the gradients to the differences of the losses that
// the states through the same masks have.
func TestDropoutGradients(t *testing.T) {
	const rate = 0.4
	for _, j := range dropped {
		e := newEngine(t, "", 2)
		ws := j.workspace(t, e, nil)
		n := newNaive(ws.m)
		b := newBatch(j.Config, j.steps, j.rows, 3)
		in := newNaiveInput(b, j.steps, j.rows)
		ws.Dropout(rate, 5)
		b.forward(ws)
		loss := b.backward(ws)

		// The masks, read from the states as the layers above have seen them.
		for _, l := range ws.layers {
			mask := make([]float64, len(l.up))
			for i, h := range l.out {
				mask[i] = float64(l.up[i]) / float64(h)
			}
			in.masks = append(in.masks, mask)
		}
		for i, x := range ws.embedded {
			e := j.Embedding
			in.mask = append(in.mask, float64(x)/float64(ws.m.We[int(b.ids[i/e])*e+i%e]))
		}
		f := func() float64 { return n.loss(in) }
		near(t, j.String()+": loss", []float64{loss}, []float64{f()}, 1e-5)
		want := differences(thin(n.slab), f)
		var got []float32
		for _, g := range thin(ws.Grads.Slab) {
			got = append(got, *g)
		}
		near(t, j.String()+": Grads", got, want, 1e-4*maxAbs(want)+differenceError)
	}
}

// TestDropoutMask: as many states are dropped as asked for, all others grow
// alike, and each pass draws anew.
func TestDropoutMask(t *testing.T) {
	e := newEngine(t, "", 1)
	j := job{Config{Input: 9, Layers: 1, Hidden: 128, Output: 5}, 20, 20}
	for _, rate := range []float64{0.1, 0.5, 0.9} {
		ws := j.workspace(t, e, nil)
		ws.Dropout(rate, 7)
		b := newBatch(j.Config, j.steps, j.rows, 1)
		b.forward(ws)
		b.backward(ws)
		count := 0
		for i, h := range ws.States() {
			switch d := ws.top().up[i]; {
			case d == 0:
				count++
			case !within(float64(d)*(1-rate), float64(h), 1e-4*math.Abs(float64(h))):
				t.Fatalf("rate %v: state %g came out as %g", rate, h, d)
			}
		}
		// Five standard deviations.
		n := float64(len(ws.top().up))
		if off := float64(count) - rate*n; !(math.Abs(off) <= 5*math.Sqrt(n*rate*(1-rate))) {
			t.Errorf("rate %v: %d of %v states dropped", rate, count, n)
		}
		first := slices.Clone(ws.top().up)
		b.forward(ws)
		b.backward(ws)
		if firstDifference(ws.top().up, first) < 0 {
			t.Errorf("rate %v: two passes draw the same mask", rate)
		}
	}
}

// TestDropoutEmbedding: embeddings have a mask unlike those of all layers, None stays
// zeros, and a network of embeddings and states alone may have dropout.
func TestDropoutEmbedding(t *testing.T) {
	e := newEngine(t, "", 1)
	const width, rate = 64, 0.5
	for _, j := range []job{
		{Config{Input: 9, Embedding: width, Layers: 3, Hidden: width, Output: 5}, 10, 10},
		{Config{Input: 9, Embedding: width, Cell: LSTM, Layers: 1, Hidden: width}, 10, 10},
	} {
		ws := j.workspace(t, e, nil)
		ws.Dropout(rate, 7)
		b := newBatch(j.Config, j.steps, j.rows, 1)
		b.ids[3] = None
		b.forward(ws)
		b.backward(ws)
		if x := ws.embedded[3*width:][:width]; maxAbs(x) != 0 {
			t.Errorf("%v: None reads %v", j, x)
		}
		count := 0
		for i, x := range ws.embedded {
			if x == 0 {
				count++
			} else if want := ws.m.We[int(b.ids[i/width])*width+i%width]; !within(float64(x)*(1-rate), float64(want), 1e-4) {
				t.Fatalf("%v: %g came out as %g", j, want, x)
			}
		}
		n := float64(len(ws.embedded) - width)
		if off := float64(count-width) - rate*n; !(math.Abs(off) <= 5*math.Sqrt(n*rate*(1-rate))) {
			t.Errorf("%v: %d of %v elements dropped", j, count-width, n)
		}
		for k, l := range ws.layers {
			if k+1 == j.Layers && j.Output == 0 {
				continue
			}
			same := 0
			for i, x := range ws.embedded {
				if (x == 0) == (l.up[i] == 0) {
					same++
				}
			}
			if !(float64(same) < 0.6*float64(len(l.up))) {
				t.Errorf("%v: %d of %d elements are dropped as in layer %d", j, same, len(l.up), k)
			}
		}
	}
}

// TestDropoutBits: a seed gives the same bits for any number of threads and, as
// training does without dropout, from AVX2 and AVX-512; scoring drops nothing;
// and a rate of 0 is none.
func TestDropoutBits(t *testing.T) {
	run := func(e *kernels.Engine, j job, rate float64, seed uint64) trace {
		ws := j.workspace(t, e, nil)
		ws.Dropout(0.9, 1)
		ws.Dropout(rate, seed)
		return j.run(ws, 2)
	}
	for _, j := range dropped {
		for i, isa := range isas() {
			want := run(newEngine(t, isa, 1), j, 0.3, 1)
			for _, threads := range []int{2, 3} {
				run(newEngine(t, isa, threads), j, 0.3, 1).same(t, fmt.Sprintf("%s, %d threads, %v", isa, threads, j), want)
			}
			if i == 2 {
				run(newEngine(t, kernels.ISAs()[1], 1), j, 0.3, 1).same(t, j.String(), want)
			}
			e := newEngine(t, isa, 1)
			j.run(j.workspace(t, e, nil), 2).same(t, "no dropout", run(e, j, 0, 1))
			other := run(e, j, 0.3, 2)
			if slices.EqualFunc(other.values, want.values, slices.Equal) {
				t.Error("seeds 1 and 2 drop the same states")
			}
		}
		e := newEngine(t, "", 1)
		ws, b := j.workspace(t, e, nil), newBatch(j.Config, j.steps, j.rows, 1)
		want := b.score(ws)
		want = score{slices.Clone(want.states), slices.Clone(want.losses), want.logits}
		ws.Dropout(0.5, 1)
		b.forward(ws)
		b.backward(ws)
		if j.Layers == 1 && j.Embedding == 0 { // with others a workspace with dropout does not score
			b.score(ws).same(t, "scoring", want)
		}
		for _, rate := range []float64{-0.1, 1, math.NaN()} {
			mustPanic(t, func() { ws.Dropout(rate, 1) }, "Dropout", "from 0 to below 1")
		}
	}
}

// TestSkipDropout: a workspace that skips the passes of another draws its masks.
func TestSkipDropout(t *testing.T) {
	e := newEngine(t, "", 1)
	j := job{Config{Input: 9, Layers: 1, Hidden: 32, Output: 5}, 4, 3}
	b := newBatch(j.Config, j.steps, j.rows, 1)
	mask := func(skip uint64, passes int) []float32 {
		ws := j.workspace(t, e, nil)
		ws.SkipDropout(5) // without dropout there is nothing to skip
		ws.Dropout(0.5, 7)
		ws.SkipDropout(skip)
		for range passes {
			b.forward(ws)
		}
		b.backward(ws)
		return slices.Clone(ws.top().up)
	}
	want := mask(0, 4)
	if i := firstDifference(mask(3, 1), want); i >= 0 {
		t.Errorf("state %d differs", i)
	}
	if firstDifference(mask(2, 1), want) < 0 {
		t.Error("skipping another number gives the same mask")
	}
}
