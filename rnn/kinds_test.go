package rnn

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"batchrnn/kernels"
)

// TestKindsGradients holds every kind of network, its layers, directions, skip
// connections and activations, with sequences of one and of different lengths, to
// the differences of a float64 network.
func TestKindsGradients(t *testing.T) {
	const steps, rows = 5, 4
	for _, layers := range []int{1, 2, 3} {
		for _, bidirectional := range []bool{false, true} {
			for _, kind := range []string{"states", "synced", "last"} {
				for _, act := range activations {
					c := Config{Input: 5, Layers: layers, Bidirectional: bidirectional, Hidden: 6, Activation: act}
					// What else there is takes turns, so that every pair occurs.
					turn := layers + int(act) + len(kind)
					c.Dense = turn%2 == 0
					c.Residual = layers > 1 && (turn/2+layers)%2 == 0
					if turn%3 == 0 {
						c.TimeSkip = 0.7
					}
					if kind != "states" {
						c.Output = 4
					}
					c.LastStep = kind == "last"
					for _, ragged := range []bool{false, true} {
						name := fmt.Sprintf("l=%d/bidirectional=%t/%s/%v/ragged=%t", layers, bidirectional, kind, act, ragged)
						t.Run(name, func(t *testing.T) {
							checkBatchGradients(t, c, steps, rows, func(seed uint64) batch {
								b := newBatch(c, steps, rows, seed)
								if c.Output == 0 {
									b.dlast = randomState(newRand(seed+9), c, rows)
								}
								if ragged {
									b = b.ragged(c, steps, rows, seed)
								}
								return b
							})
						})
					}
				}
			}
		}
	}
}

// TestCellGradients does it for every gated cell: one layer and two, one direction and
// both, whole sequences and ragged ones, ids and vectors, states, outputs and last steps.
func TestCellGradients(t *testing.T) {
	const steps, rows = 4, 3
	for _, c := range []Config{
		{Cell: LSTM}, {Cell: LSTM, TwoBiases: true}, {Cell: LSTM, Projection: 4},
		{Cell: GRU}, {Cell: GRUResetBefore}, {Cell: GRUResetBefore, TwoBiases: true}, {TwoBiases: true},
	} {
		every := 1
		if raceDetector { // it takes ten times as long; five of the turns have all that differs
			every = 5
		}
		for turn := 0; turn < 24; turn += every {
			c.Input, c.Hidden, c.Dense = 5, 6, turn%2 == 0
			c.Layers, c.Bidirectional = 1+turn/2%2, turn/4%2 == 1
			c.Residual = c.Layers > 1 && turn%3 == 0
			c.Output, c.LastStep = 4*min(turn/8, 1), turn/8 == 2
			ragged := turn%5 < 3
			t.Run(fmt.Sprintf("%v/turn=%d/ragged=%t", job{c, steps, rows}, turn, ragged), func(t *testing.T) {
				checkBatchGradients(t, c, steps, rows, func(seed uint64) batch {
					b := newBatch(c, steps, rows, seed)
					if c.Output == 0 && turn%3 > 0 {
						b.dlast = randomState(newRand(seed+9), c, rows)
					}
					if ragged {
						b = b.ragged(c, steps, rows, seed)
					}
					return b
				})
			})
		}
	}
}

// TestWideGradients does it for sizes beyond a panel and a tile.
func TestWideGradients(t *testing.T) {
	for _, j := range []job{
		{Config{Input: 7, Layers: 2, Bidirectional: true, Residual: true, Hidden: 37, Output: 35, TimeSkip: 0.3}, 3, 13},
		{Config{Input: 40, Layers: 3, Residual: true, Hidden: 33, Output: 40, Tied: true}, 4, 13},
		{Config{Input: 9, Dense: true, Layers: 2, Bidirectional: true, Hidden: 35, Output: 70, Cutoffs: []int{10, 40}}, 4, 13},
		{Config{Input: 9, Layers: 1, Bidirectional: true, Hidden: 35, Output: 70, LastStep: true, Cutoffs: []int{10, 40}}, 4, 33},
		{Config{Input: 7, Cell: LSTM, Layers: 2, Residual: true, Hidden: 37, Output: 35}, 3, 7},
		{Config{Input: 7, Cell: LSTM, Layers: 1, Bidirectional: true, Hidden: 37, Projection: 19, Output: 35, TwoBiases: true}, 3, 7},
		{Config{Input: 9, Cell: GRU, Dense: true, Layers: 1, Bidirectional: true, Hidden: 35, Output: 70, Cutoffs: []int{10, 40}}, 3, 7},
		{Config{Input: 9, Cell: GRUResetBefore, Layers: 1, Bidirectional: true, Hidden: 35, Output: 7, LastStep: true}, 3, 13},
	} {
		t.Run(j.String(), func(t *testing.T) {
			checkBatchGradients(t, j.Config, j.steps, j.rows, func(seed uint64) batch {
				return newBatch(j.Config, j.steps, j.rows, seed).ragged(j.Config, j.steps, j.rows, seed)
			})
		})
	}
}

// TestLossGradients holds every loss to the differences: rows that don't count,
// weights of labels, inputs that are None.
func TestLossGradients(t *testing.T) {
	const steps, rows = 4, 5
	for _, c := range []Config{
		{Input: 5, Layers: 1, Hidden: 7, Output: 6},
		{Input: 5, Layers: 1, Hidden: 7, Output: 6, LastStep: true},
		{Input: 6, Layers: 2, Hidden: 7, Output: 6, Tied: true},
		{Input: 5, Layers: 1, Hidden: 7, Output: 20, Cutoffs: []int{4, 9}},
		{Input: 5, Layers: 1, Hidden: 7, Output: 20, LastStep: true, Cutoffs: []int{4, 9}},
		{Input: 5, Cell: LSTM, Layers: 1, Hidden: 7, Output: 6, LastStep: true},
		{Input: 5, Cell: LSTM, Layers: 2, Hidden: 7, Projection: 4, Output: 20, Cutoffs: []int{4, 9}},
		{Input: 5, Cell: GRU, Layers: 1, Hidden: 7, Output: 6},
		{Input: 5, Cell: GRUResetBefore, Layers: 1, Bidirectional: true, Hidden: 7, Output: 6},
	} {
		for kind := crossEntropy; kind <= squaredError; kind++ {
			for _, weighted := range []bool{false, true} {
				for _, ragged := range []bool{false, true} {
					if kind != crossEntropy && c.Cutoffs != nil {
						continue
					}
					name := fmt.Sprintf("%v/kind=%d/weighted=%t/ragged=%t", job{c, steps, rows}, kind, weighted, ragged)
					t.Run(name, func(t *testing.T) {
						checkBatchGradients(t, c, steps, rows, func(seed uint64) batch {
							b := newBatch(c, steps, rows, seed)
							b.ids[1], b.ids[2*rows], b.ids[2*rows+1] = None, None, None
							if ragged {
								b = b.ragged(c, steps, rows, seed)
							}
							if kind == crossEntropy {
								b.targets[0], b.targets[len(b.targets)/2] = Ignore, Ignore
							} else {
								b = b.vectorTargets(c, kind, seed)
							}
							if weighted {
								b.weights = make([]float32, c.Output)
								for i := range b.weights {
									b.weights[i] = float32(i % 4) // some are 0
								}
								b.rowWts = make([]float32, len(b.targets))
								for i := range b.rowWts {
									b.rowWts[i] = float32((i+1)%5) / 3 // some are 0
								}
							}
							return b
						})
					})
				}
			}
		}
	}
}

// TestNothingCounts: where no row counts, the loss and the gradient are 0.
func TestNothingCounts(t *testing.T) {
	for _, c := range append(eachCell(Config{Input: 3, Layers: 2, Hidden: 5, Output: 4}),
		Config{Input: 3, Dense: true, Layers: 1, Hidden: 5, Output: 9, Cutoffs: []int{3}},
	) {
		ws := job{c, 3, 2}.workspace(t, newEngine(t, "", 1), nil)
		b := newBatch(c, 3, 2, 1)
		b.forward(ws)
		b.backward(ws)
		for i := range b.targets {
			b.targets[i] = Ignore
		}
		if a, z := b.backward(ws), b.loss(ws); a != 0 || z != 0 {
			t.Errorf("losses of %v and %v", a, z)
		}
		for name, x := range map[string][]float32{"Grads": ws.Grads.Slab, "DState": ws.DState.all(), "DX": ws.DX, "Losses": ws.Losses} {
			if maxAbs(x) != 0 {
				t.Errorf("%s is not 0", name)
			}
		}
	}
}

// TestCheckLosses: what is not a number in an input is named by step and row.
func TestCheckLosses(t *testing.T) {
	for _, c := range append(eachCell(Config{Input: 3, Dense: true, Layers: 2, Hidden: 5, Output: 4}),
		Config{Input: 3, Dense: true, Layers: 2, Hidden: 5, Output: 4, Activation: ReLU}) {
		checkLossesNamed(t, c)
	}
}

func checkLossesNamed(t *testing.T, c Config) {
	t.Helper()
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		m := newModel(t, newEngine(t, "", 1), c, 1)
		ws := m.NewTraining(4, 3)
		b := newBatch(c, 4, 3, 1)
		b.forward(ws)
		b.backward(ws)
		if err := ws.CheckLosses(); err != nil {
			t.Error(err)
		}
		for i := range 3 {
			b.x[(2*3+1)*3+i] = float32(bad)
		}
		b.forward(ws)
		loss := b.backward(ws)
		err := ws.CheckLosses()
		if err == nil || !strings.Contains(err.Error(), "step 2, row 1") || (c.Activation == ReLU || math.IsNaN(bad)) && finite(loss) {
			t.Errorf("%+v, with %v: loss %v, error %v", c, bad, loss, err)
		}
	}
}

// TestStateIO: a stream fed in pieces through State and SetState gives the bits of
// one that is carried, whatever the layers.
func TestStateIO(t *testing.T) {
	for _, c := range eachCell(Config{Input: 7, Layers: 3, Residual: true, Hidden: 33, Output: 5}) {
		m := newModel(t, newEngine(t, "", 1), c, 1)
		a, b := m.NewWorkspace(4, 3), m.NewWorkspace(4, 3)
		state := m.NewState(3)
		for i := range uint64(3) {
			ids := newBatch(c, 4, 3, i).ids
			a.Forward(ids)
			b.SetState(state)
			b.Forward(ids)
			b.State(state)
			sameBits(t, c.Cell.String()+" States", b.States(), a.States())
			a.Carry()
		}
	}
}

// TestOneToOne: a network of one step and no state before it is a layer of a
// feed-forward network.
func TestOneToOne(t *testing.T) {
	c := Config{Input: 4, Dense: true, Layers: 1, Hidden: 9, Output: 3}
	checkGradients(t, c, 1, 6)
}

// TestStateGradients: where the loss is of the last step alone, dJ/dh_t is the
// gradient of the initial state of the steps that follow.
func TestStateGradients(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		const steps, rows = 6, 3
		c := Config{Input: 4, Layers: 1, Hidden: 9, Output: 3, LastStep: true}
		skip := c
		skip.TimeSkip = 0.4
		for _, c := range append(eachCell(c), skip) {
			m := newModel(t, e, c, 1)
			ws := m.NewTraining(steps, rows)
			ws.KeepStateGradients()
			b := newBatch(c, steps, rows, 1)
			b.forward(ws)
			b.backward(ws)
			norms := make([]float64, steps)
			ws.StateGradNorms(norms, 0)
			for s := range steps - 1 {
				rest := b.part(c, rows, span{s + 1, steps}, span{0, rows})
				before := m.NewWorkspace(s+1, rows)
				b.part(c, rows, span{0, s + 1}, span{0, rows}).forward(before)
				before.State(rest.h0)
				after := m.NewTraining(steps-1-s, rows)
				after.KeepInputGradients()
				rest.forward(after)
				rest.backward(after)
				var sum float64
				for _, x := range after.DState.H {
					sum += float64(x) * float64(x)
				}
				if want := math.Sqrt(sum); !within(norms[s], want, 1e-5*want) {
					t.Errorf("%v, step %d: norm %v, want %v", c.Cell, s, norms[s], want)
				}
			}
		}
	})
}

// TestStateGradientsEnd: a state that its sequence doesn't have has no gradient, and
// every other one of every layer has.
func TestStateGradientsEnd(t *testing.T) {
	const steps, rows = 6, 3
	c := Config{Input: 4, Layers: 2, Residual: true, Bidirectional: true, Hidden: 9, Output: 3}
	skip := c
	skip.TimeSkip = 0.5
	for _, c := range append(eachCell(c), skip) {
		ws := job{c, steps, rows}.workspace(t, newEngine(t, "", 1), nil)
		ws.KeepStateGradients()
		b := newBatch(c, steps, rows, 1).ragged(c, steps, rows, 1)
		for range 2 {
			b.forward(ws)
			b.backward(ws)
			for k := range ws.layers {
				for row := range steps * rows {
					dh := ws.layers[k].dh[row*c.width():][:c.width()]
					if ended := row/rows >= int(b.lengths[row%rows]); ended && maxAbs(dh) != 0 || !ended && !(maxAbs(dh) > 0) {
						t.Errorf("%v, layer %d, step %d, row %d: dJ/dh is %v", c.Cell, k, row/rows, row%rows, dh)
					}
				}
			}
		}
	}
}

// TestGradientNorms holds the norms to a network without an activation, whose
// gradient passes through powers of Wh.
func TestGradientNorms(t *testing.T) {
	c := Config{Input: 2, Layers: 1, Hidden: 4, Activation: Identity}
	m := newModel(t, newEngine(t, "", 1), c, 1)
	m.InitIdentity(0.5)
	const steps = 9
	ws := m.NewTraining(steps, 2)
	ws.KeepStateGradients()
	ws.Forward(make([]int32, steps*2))
	dhn := State{H: []float32{3, 0, 0, 0, 0, 4, 0, 0}}
	ws.BackwardStates(nil, dhn)
	norms := make([]float64, steps)
	ws.StateGradNorms(norms, 0)
	for s, norm := range norms {
		if want := 5 * math.Pow(0.5, float64(steps-1-s)); !within(norm, want, 1e-6*want) {
			t.Errorf("step %d: norm %v, want %v", s, norm, want)
		}
	}
}

func TestClipValue(t *testing.T) {
	nan := float32(math.NaN())
	g := []float32{-3, -1, 0.5, 2, nan}
	ClipValue(g, 1)
	sameBits(t, "clipped", g[:4], []float32{-1, -1, 0.5, 1})
	if g[4] == g[4] {
		t.Error("a NaN is gone")
	}
	for _, limit := range []float32{0, -1, nan} {
		mustPanic(t, func() { ClipValue(g, limit) }, "rnn: ClipValue", "above 0")
	}
}
