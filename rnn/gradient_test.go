package rnn

import (
	"fmt"
	"math"
	"testing"

	"batchrnn/kernels"
)

// gradientShapes are one of everything, sizes between tiles and panels, and one
// that is more than a panel wide and a tile high.
var gradientShapes = []struct{ steps, rows, in, hidden, out int }{
	{1, 1, 1, 1, 1},
	{4, 3, 5, 7, 4},
	{3, 13, 3, 17, 9},
	{2, 5, 4, 37, 35},
}

// TestGradients holds forward and backward to a float64 network: states and
// losses to its own, gradients to the central differences of its loss.
func TestGradients(t *testing.T) {
	for _, act := range activations {
		for _, dense := range []bool{false, true} {
			for _, output := range []bool{true, false} {
				for _, s := range gradientShapes {
					c := Config{Input: s.in, Dense: dense, Layers: 1, Hidden: s.hidden, Activation: act}
					if output {
						c.Output = s.out
					}
					name := fmt.Sprintf("%v/dense=%t/output=%t/t=%d/b=%d/h=%d", act, dense, output, s.steps, s.rows, s.hidden)
					t.Run(name, func(t *testing.T) { checkGradients(t, c, s.steps, s.rows) })
				}
			}
		}
	}
}

// TestOutputGradients does the same for tied and adaptive outputs: clusters of
// one, clusters that no target is of.
func TestOutputGradients(t *testing.T) {
	for _, j := range []job{
		{Config{Input: 4, Layers: 1, Hidden: 7, Output: 4, Tied: true}, 4, 3},
		{Config{Input: 70, Layers: 1, Hidden: 37, Output: 70, Tied: true}, 3, 13},
		{Config{Input: 5, Layers: 1, Hidden: 7, Output: 9, Cutoffs: []int{4}}, 4, 3},
		{Config{Input: 5, Layers: 1, Hidden: 37, Output: 70, Cutoffs: []int{10, 40}}, 3, 13},
		{Config{Input: 5, Layers: 1, Hidden: 3, Output: 4, Cutoffs: []int{1, 2, 3}}, 1, 2},
		{Config{Input: 3, Dense: true, Layers: 1, Hidden: 19, Output: 300, Cutoffs: []int{3, 250, 299}, Activation: Sigmoid}, 2, 5},
		{Config{Input: 3, Layers: 1, Hidden: 5, Output: 200, Cutoffs: []int{1}}, 2, 35},
	} {
		t.Run(j.String(), func(t *testing.T) { checkGradients(t, j.Config, j.steps, j.rows) })
	}
}

// TestEmbeddingGradients holds embeddings before every kind of cell to the differences,
// with a tied output and without, with lengths and inputs that are None.
func TestEmbeddingGradients(t *testing.T) {
	const steps, rows = 4, 5
	wide := []Config{
		{Input: 40, Embedding: 35, Layers: 2, Residual: true, Hidden: 37, Output: 35, TimeSkip: 0.3},
		{Input: 70, Embedding: 37, Cell: GRU, Layers: 1, Hidden: 37, Output: 70, Tied: true},
		{Input: 20, Embedding: 12, Layers: 1, Bidirectional: true, Hidden: 6, Output: 20, Tied: true, LastStep: true},
		{Input: 20, Embedding: 9, Cell: GRU, Layers: 1, Hidden: 7, Output: 20, Cutoffs: []int{4, 9}},
		{Input: 7, Embedding: 1, Layers: 1, Hidden: 5, Activation: Sigmoid},
	}
	for _, c := range eachCell(Config{Input: 6, Embedding: 3, Layers: 1, Hidden: 8, Output: 6}) {
		tied := c
		tied.Embedding, tied.Tied = c.width(), true
		both := tied
		both.Layers, both.Bidirectional, both.Embedding = 2, true, 2*c.width()
		wide = append(wide, c, tied, both)
	}
	for _, c := range wide {
		for _, ragged := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/ragged=%t", job{c, steps, rows}, ragged), func(t *testing.T) {
				checkBatchGradients(t, c, steps, rows, func(seed uint64) batch {
					b := newBatch(c, steps, rows, seed)
					if ragged {
						b.ids[1], b.ids[2*rows], b.ids[2*rows+1] = None, None, None
						b = b.ragged(c, steps, rows, seed)
					}
					return b
				})
			})
		}
	}
}

func checkGradients(t *testing.T, c Config, steps, rows int) {
	t.Helper()
	checkBatchGradients(t, c, steps, rows, func(seed uint64) batch { return newBatch(c, steps, rows, seed) })
}

func checkBatchGradients(t *testing.T, c Config, steps, rows int, draw func(seed uint64) batch) {
	t.Helper()
	b, seed := draw(3), uint64(1)
	if c.Activation == ReLU {
		b, seed = awayFromKinks(t, c, steps, rows, draw)
	}

	// All engines draw the same parameters, so the differences are taken once.
	var want [][]float64 // of Grads, DState and DX
	for _, isa := range isas() {
		e := newEngine(t, isa, 2)
		m := newModel(t, e, c, seed)
		ws := m.NewTraining(steps, rows)
		ws.KeepInputGradients()
		n, in := newNaive(m), newNaiveInput(b, steps, rows)

		b.forward(ws)
		s := n.states(in)
		nearScaled(t, isa+" States", onlySteps(in, ws.States()), onlySteps(in, s.out), 1e-5)
		last := m.NewState(rows)
		ws.State(last)
		nearScaled(t, isa+" State", last.all(), s.last, 1e-5)
		loss := b.backward(ws)
		if c.Output > 0 {
			losses, mean := n.losses(in, n.seen(in, s.out))
			near(t, isa+" Losses", ws.Losses, losses, 1e-5)
			near(t, isa+" loss", []float64{loss, b.loss(ws)}, []float64{mean, mean}, 1e-5)
			near(t, isa+" Losses of Loss", ws.Losses, losses, 1e-5)
		}

		if want == nil {
			f := func() float64 { return n.loss(in) }
			for _, x := range [][]float64{n.slab, in.h0, in.c0, in.x} {
				want = append(want, differences(thin(x), f))
			}
		}
		for i, got := range [][]float32{ws.Grads.Slab, ws.DState.H, ws.DState.C, ws.DX} {
			name := fmt.Sprint(isa, [...]string{" Grads", " DState.H", " DState.C", " DX"}[i])
			var some []float32
			for _, g := range thin(got) {
				some = append(some, *g)
			}
			near(t, name, some, want[i], 1e-4*maxAbs(want[i])+differenceError)
		}
	}
}

// onlySteps returns the rows of a, [T,B,·], of steps that their sequence has.
func onlySteps[A any](in naiveInput, a []A) []A {
	var rows []A
	n := len(a) / (in.steps * in.rows)
	for row := range in.steps * in.rows {
		if row/in.rows < in.length(row%in.rows) {
			rows = append(rows, a[row*n:][:n]...)
		}
	}
	return rows
}

// thin returns the places of all elements of x, or where they are many of about 150 at
// equal distances. Under the race detector, to which the values do not matter, 15 are
// many.
func thin[A float](x []A) []*A {
	var some []*A
	many := 150
	if raceDetector {
		many = 15
	}
	for i := 0; i < len(x); i += 1 + len(x)/many {
		some = append(some, &x[i])
	}
	return some
}

// awayFromKinks looks for a batch and parameters whose sums all stay further
// from 0 than the differences step, for there ReLU has no derivative.
func awayFromKinks(t *testing.T, c Config, steps, rows int, draw func(seed uint64) batch) (batch, uint64) {
	t.Helper()
	e := newEngine(t, "generic", 1)
	for seed := range uint64(100) {
		b := draw(seed)
		if newNaive(newModel(t, e, c, seed)).states(newNaiveInput(b, steps, rows)).kink > 2e-4 {
			return b, seed
		}
	}
	t.Fatal("every batch comes close to a kink")
	return batch{}, 0
}

// TestBackwardStatesKeepsOutput: BackwardStates knows nothing of an output
// layer, and its gradient stays.
func TestBackwardStatesKeepsOutput(t *testing.T) {
	e := newEngine(t, "", 1)
	c := Config{Input: 5, Layers: 1, Hidden: 9, Output: 6}
	m := newModel(t, e, c, 1)
	ws := m.NewTraining(3, 2)
	b := newBatch(c, 3, 2, 1)
	b.forward(ws)
	b.backward(ws)
	wy := append([]float32(nil), ws.Grads.Wy...)
	by := append([]float32(nil), ws.Grads.By...)
	ws.BackwardStates(randomFloats(newRand(1), 3*2*9), State{})
	sameBits(t, "dWy", ws.Grads.Wy, wy)
	sameBits(t, "dBy", ws.Grads.By, by)
}

// TestNaN: a NaN reaches the loss and the gradient's norm, and no other row of
// the batch.
func TestNaN(t *testing.T) {
	const steps, rows, bad = 4, 5, 2
	nan := float32(math.NaN())
	configs := eachCell(Config{Input: 6, Layers: 1, Hidden: 19, Output: 7})
	for _, act := range activations {
		configs = append(configs, Config{Input: 6, Layers: 1, Hidden: 19, Output: 7, Activation: act})
	}
	for _, c := range configs {
		t.Run(job{c, steps, rows}.String(), func(t *testing.T) {
			eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
				c := c
				c.Dense = true
				m := newModel(t, e, c, 1)
				ws := m.NewTraining(steps, rows)
				b := newBatch(c, steps, rows, 1)
				b.x[(1*rows+bad)*c.Input] = nan // the second step of one row
				b.forward(ws)
				if loss := b.backward(ws); !math.IsNaN(loss) {
					t.Errorf("a NaN in the input: loss is %v", loss)
				}
				for i, l := range ws.Losses {
					wanted := i/rows >= 1 && i%rows == bad
					if math.IsNaN(float64(l)) != wanted {
						t.Errorf("step %d of row %d has loss %v", i/rows, i%rows, l)
					}
				}
				if norm := m.Step(NewSGD(0.1), ws.Grads.Slab, 1); !math.IsNaN(norm) {
					t.Errorf("the gradient's norm is %v", norm)
				}

				c.Dense = false
				m = newModel(t, e, c, 1)
				m.Cells[0].Wx[3*c.Cell.gates()*c.Hidden+1] = nan
				ws = m.NewWorkspace(1, 1)
				ws.Forward([]int32{3})
				if loss := ws.Loss([]int32{0}); !math.IsNaN(loss) {
					t.Errorf("a NaN in the weights of an id: loss is %v", loss)
				}
			})
		})
	}
}
