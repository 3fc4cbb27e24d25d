package rnn

import (
	"math"
	"testing"

	"batchrnn/kernels"
)

// The updates as the papers have them, in float64: p moves along g, the gradient
// after clipping.
type formula interface{ step(p, g []float64) }

type sgdFormula struct{ lr float64 }

func (f sgdFormula) step(p, g []float64) {
	for i := range p {
		p[i] -= f.lr * g[i]
	}
}

type adagradFormula struct {
	lr, eps float64
	sum     []float64
}

func (f adagradFormula) step(p, g []float64) {
	for i := range p {
		f.sum[i] += g[i] * g[i]
		p[i] -= f.lr * g[i] / (math.Sqrt(f.sum[i]) + f.eps)
	}
}

type adamFormula struct {
	lr, beta1, beta2, eps float64
	m, v                  []float64
	t                     int
}

func (f *adamFormula) step(p, g []float64) {
	f.t++
	for i := range p {
		f.m[i] = f.beta1*f.m[i] + (1-f.beta1)*g[i]
		f.v[i] = f.beta2*f.v[i] + (1-f.beta2)*g[i]*g[i]
		m := f.m[i] / (1 - math.Pow(f.beta1, float64(f.t)))
		v := f.v[i] / (1 - math.Pow(f.beta2, float64(f.t)))
		p[i] -= f.lr * m / (math.Sqrt(v) + f.eps)
	}
}

type adamWFormula struct {
	adamFormula
	decay float64
}

func (f *adamWFormula) step(p, g []float64) {
	for i := range p {
		p[i] *= 1 - f.lr*f.decay
	}
	f.adamFormula.step(p, g)
}

// TestOptimizers holds six steps of each optimiser, with clipping at work, out of
// reach and off, to the formulas. The slab is longer than a chunk of the norm.
func TestOptimizers(t *testing.T) {
	c := Config{Input: 40, Layers: 1, Hidden: 101, Output: 29}
	eachEngine(t, []int{1, 3}, func(t *testing.T, e *kernels.Engine) {
		for _, clip := range []float32{0, 0.5, 1e6} {
			m := newModel(t, e, c, 1)
			if len(m.Slab) <= normChunk {
				t.Fatalf("%d parameters fit one chunk of the norm", len(m.Slab))
			}
			n := len(m.Slab)
			zeros := func() []float64 { return make([]float64, n) }
			checkOptimizer(t, "SGD", m, NewSGD(0.1), sgdFormula{0.1}, clip)
			checkOptimizer(t, "Adagrad", m, NewAdagrad(m, 0.1), adagradFormula{0.1, 1e-10, zeros()}, clip)
			checkOptimizer(t, "Adam", m, NewAdam(m, 0.01), &adamFormula{0.01, 0.9, 0.999, 1e-8, zeros(), zeros(), 0}, clip)
			checkOptimizer(t, "AdamW", m, NewAdamW(m, 0.01, 0.3), &adamWFormula{adamFormula{0.01, 0.9, 0.999, 1e-8, zeros(), zeros(), 0}, 0.3}, clip)
			checkOptimizer(t, "momentum", m, &momentum{lr: 0.1, mu: 0.5, v: make([]float32, n)}, momentumFormula{0.1, 0.5, zeros()}, clip)
		}
	})
}

// momentum is an optimizer that a user might write.
type momentum struct {
	lr, mu, scale float32
	v             []float32
}

func (o *momentum) Check(*Model)        {}
func (o *momentum) Begin(scale float32) { o.scale = scale }

func (o *momentum) Update(_ *kernels.Worker, p, g []float32, s kernels.Span) {
	for i := s.Lo; i < s.Hi; i++ {
		o.v[i] = o.mu*o.v[i] + o.scale*g[i]
		p[i] -= o.lr * o.v[i]
	}
}

type momentumFormula struct {
	lr, mu float64
	v      []float64
}

func (f momentumFormula) step(p, g []float64) {
	for i := range p {
		f.v[i] = f.mu*f.v[i] + g[i]
		p[i] -= f.lr * f.v[i]
	}
}

func checkOptimizer(t *testing.T, name string, m *Model, opt Optimizer, f formula, clip float32) {
	t.Helper()
	r := newRand(9)
	p := widen(m.Slab)
	g := make([]float64, len(p))
	for step := range 6 {
		grads := randomFloats(r, len(p))
		var sum float64
		for _, v := range grads {
			sum += float64(v) * float64(v)
		}
		norm, scale := math.Sqrt(sum), 1.0
		if clip > 0 && norm > float64(clip) {
			scale = float64(clip) / norm
		}
		for i, v := range grads {
			g[i] = scale * float64(v)
		}
		f.step(p, g)
		before := append([]float32(nil), grads...)
		if got := m.Step(opt, grads, clip); !within(got, norm, 1e-5*norm) {
			t.Fatalf("%s, clip %g, step %d: norm %.8g, before clipping it is %.8g", name, clip, step+1, got, norm)
		}
		sameBits(t, name+": the gradient that Step read", grads, before)
		// The parameters are of order 1, and six updates round six times.
		near(t, name, m.Slab, p, 2e-6)
	}
}

// TestStepReadiesModel: the pass after Step computes with the new parameters,
// backward too.
func TestStepReadiesModel(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range eachCell(Config{Input: 6, Dense: true, Layers: 1, Hidden: 35, Output: 5}) {
			checkStepReadiesModel(t, e, c)
		}
	})
}

func checkStepReadiesModel(t *testing.T, e *kernels.Engine, c Config) {
	t.Helper()
	m := newModel(t, e, c, 1)
	ws, b := m.NewTraining(3, 5), newBatch(c, 3, 5, 1)
	ws.KeepInputGradients()
	b.forward(ws)
	b.backward(ws)
	m.Step(NewSGD(0.5), ws.Grads.Slab, 0)
	b.forward(ws)
	b.backward(ws)

	again := newModel(t, e, c, 2)
	fresh := again.NewTraining(3, 5)
	fresh.KeepInputGradients()
	copy(again.Slab, m.Slab)
	again.Update()
	b.forward(fresh)
	b.backward(fresh)
	sameBits(t, "H", ws.layers[0].h, fresh.layers[0].h)
	sameBits(t, "Grads", ws.Grads.Slab, fresh.Grads.Slab)
	sameBits(t, "DX", ws.DX, fresh.DX)
	sameBits(t, "DState", ws.DState.all(), fresh.DState.all())
}

// TestStepNotFinite: a gradient that isn't finite shows in the norm.
func TestStepNotFinite(t *testing.T) {
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		m := newModel(t, e, Config{Input: 2, Layers: 1, Hidden: 3}, 1)
		grads := make([]float32, len(m.Slab))
		grads[5] = float32(math.Inf(1))
		if norm := m.Step(NewSGD(1), grads, 1); !math.IsInf(norm, 1) {
			t.Errorf("norm is %v, want +Inf", norm)
		}
		grads[5] = float32(math.NaN())
		if norm := m.Step(NewSGD(1), grads, 1); !math.IsNaN(norm) {
			t.Errorf("norm is %v, want NaN", norm)
		}
	})
}

// TestStepLargeGradient: a gradient whose squares overflow is finite, and clipped like
// others.
func TestStepLargeGradient(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		m := newModel(t, e, Config{Input: 40, Layers: 1, Hidden: 101, Output: 29}, 1)
		grads := make([]float32, len(m.Slab))
		for i := range grads {
			grads[i] = 1e25
		}
		m.engine.Clear(m.Slab)
		root := math.Sqrt(float64(len(grads)))
		if norm := m.Step(NewSGD(1), grads, 2); !within(norm, 1e25*root, 1e20*root) {
			t.Errorf("norm is %v, want %v", norm, 1e25*root)
		}
		for i, v := range m.Slab {
			if want := -2 / root; !within(float64(v), want, -1e-5*want) {
				t.Fatalf("parameter %d has moved by %v, want %v", i, v, want)
			}
		}
	})
}

// TestSkipNonFinite: such a gradient then changes neither the model nor the optimizer.
func TestSkipNonFinite(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		c := Config{Input: 20, Layers: 1, Hidden: 130}
		m, plain := newModel(t, e, c, 1), newModel(t, e, c, 1)
		m.SkipNonFinite = true
		r := newRand(4)
		adam, want := NewAdam(m, 0.1), NewAdam(plain, 0.1)
		for step := range 4 {
			grads := randomFloats(r, len(m.Slab))
			if step%2 == 0 {
				plain.Step(want, grads, 1)
			} else {
				grads[len(grads)-1] = []float32{float32(math.NaN()), float32(math.Inf(-1))}[step/2]
			}
			if norm := m.Step(adam, grads, 1); step%2 == 1 && !math.IsNaN(norm) && !math.IsInf(norm, 1) {
				t.Errorf("step %d: norm is %v", step, norm)
			}
			sameBits(t, "parameters", m.Slab, plain.Slab)
			sameBits(t, "first moments", adam.M, want.M)
			if adam.T != want.T {
				t.Errorf("step %d: Adam has taken %d steps, want %d", step, adam.T, want.T)
			}
		}
	})
}

// TestOptimizerOfAnotherModel: the state of one model is refused by another of its size.
func TestOptimizerOfAnotherModel(t *testing.T) {
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		c := Config{Input: 2, Layers: 1, Hidden: 3}
		m, other := newModel(t, e, c, 1), newModel(t, e, c, 2)
		grads := make([]float32, len(m.Slab))
		adopted := &Adam{LR: 1, M: make([]float32, len(grads)), V: make([]float32, len(grads))}
		m.Step(adopted, grads, 0)
		for _, opt := range []Optimizer{NewAdam(m, 1), NewAdamW(m, 1, 0.1), NewAdagrad(m, 1), adopted} {
			m.Step(opt, grads, 0)
			mustPanic(t, func() { other.Step(opt, grads, 0) }, "rnn: Step", "another model")
		}
	})
}

// TestSchedules holds the factors of a learning rate to their formulas.
func TestSchedules(t *testing.T) {
	for _, x := range []struct {
		name      string
		got, want float64
	}{
		{"first of four", WarmUp(0, 4), 0.25},
		{"last of four", WarmUp(3, 4), 1},
		{"after four", WarmUp(90, 4), 1},
		{"no warm-up", WarmUp(0, 0), 1},
		{"cosine begins", CosineDecay(-0.1, 0.2), 1},
		{"cosine, a third", CosineDecay(1.0/3, 0.2), 0.2 + 0.8*0.75},
		{"cosine ends", CosineDecay(7, 0.2), 0.2},
		{"before a step", StepDecay(9, 10, 0.5), 1},
		{"two steps", StepDecay(20, 10, 0.5), 0.25},
	} {
		if !(math.Abs(x.got-x.want) <= 1e-12) {
			t.Errorf("%s: factor %v, want %v", x.name, x.got, x.want)
		}
	}
	mustPanic(t, func() { WarmUp(-1, 4) }, "rnn: WarmUp", "-1")
	mustPanic(t, func() { CosineDecay(math.NaN(), 0) }, "rnn: CosineDecay", "NaN")
	mustPanic(t, func() { StepDecay(1, 0, 0.5) }, "rnn: StepDecay", "0")
}

// TestOptimizerMistakes: what would spoil a model in silence is refused.
func TestOptimizerMistakes(t *testing.T) {
	m := newModel(t, newEngine(t, "generic", 1), Config{Input: 2, Layers: 1, Hidden: 3}, 1)
	grads := make([]float32, len(m.Slab))
	mustPanic(t, func() { m.Step(nil, grads, 0) }, "rnn: Step", "nil")
	adam := NewAdamW(m, 1, 0.1)
	adam.Beta2 = 1
	mustPanic(t, func() { m.Step(adam, grads, 0) }, "rnn: Step", "AdamW", "Beta2 1")
}

// TestStepTooLargeGradient: a finite gradient whose squares may overflow never freezes an
// optimizer in silence. Step returns +Inf for it, and with SkipNonFinite later steps move
// every parameter.
func TestStepTooLargeGradient(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		c := Config{Input: 40, Layers: 1, Hidden: 101, Output: 29}
		for name, newOptimizer := range map[string]func(m *Model) Optimizer{
			"SGD":     func(m *Model) Optimizer { return NewSGD(0.01) },
			"Adagrad": func(m *Model) Optimizer { return NewAdagrad(m, 0.01) },
			"Adam":    func(m *Model) Optimizer { return NewAdam(m, 0.01) },
			"AdamW":   func(m *Model) Optimizer { return NewAdamW(m, 0.01, 0.1) },
		} {
			for _, test := range []struct {
				g        float32 // one element; the others are 0
				clip     float32
				infinite bool
			}{
				{math.MaxFloat32, 0, true}, {-1e20, 0, true}, {1.85e19, 0, true}, {1.84e19, 0, true}, {-9.3e18, 0, true},
				{9.2e18, 0, false}, {1e20, 5, false}, {math.MaxFloat32, 9.2e18, false}, {1e30, 1e20, true}, {1e10, 1e20, false},
			} {
				m := newModel(t, e, c, 1)
				m.SkipNonFinite = true
				opt, before := newOptimizer(m), append([]float32(nil), m.Slab...)
				grads := make([]float32, len(m.Slab))
				at := len(grads) - 3
				grads[at] = test.g
				norm := m.Step(opt, grads, test.clip)
				if math.IsInf(norm, 1) != test.infinite || !test.infinite && !within(norm, math.Abs(float64(test.g)), 1e-6*norm) {
					t.Errorf("%s, gradient %g, clip %g: norm %v", name, test.g, test.clip, norm)
				}
				if test.infinite {
					sameBits(t, name+": parameters after a step that was refused", m.Slab, before)
					for i := range grads {
						grads[i] = 1
					}
					m.Step(opt, grads, 0)
					for i := range before {
						if m.Slab[i] == before[i] {
							t.Fatalf("%s: after a gradient of %g parameter %d stands still", name, test.g, i)
						}
					}
				}
				for _, state := range optimizerState(opt) {
					for i, v := range state {
						if !(math.Abs(float64(v)) <= math.MaxFloat32) {
							t.Fatalf("%s, gradient %g, clip %g: the state of parameter %d is %v", name, test.g, test.clip, i, v)
						}
					}
				}
				// Without SkipNonFinite the step shows in the parameters too.
				if m.SkipNonFinite = false; test.infinite {
					clear(grads)
					grads[at] = test.g
					m.Step(opt, grads, test.clip)
					if v := m.Slab[at]; v == v {
						t.Errorf("%s, gradient %g, clip %g: the parameter is %v", name, test.g, test.clip, v)
					}
				}
			}
		}
	})
}

// TestAdagradKeepsRoom: gradients may fit one by one, and their squares add up to more
// than a float32 holds. That shows in the norm too, also after sums that were set by hand.
func TestAdagradKeepsRoom(t *testing.T) {
	m := newModel(t, newEngine(t, "generic", 1), Config{Input: 2, Layers: 1, Hidden: 3}, 1)
	m.SkipNonFinite = true
	grads := make([]float32, len(m.Slab))
	for _, start := range []float32{0, 1e38, 8e37} {
		opt := NewAdagrad(m, 0.1)
		opt.Sum[4] = start
		refused := 0
		for step := range 100 {
			grads[4] = 3e18
			if norm := m.Step(opt, grads, 0); math.IsInf(norm, 1) {
				refused++
			} else if refused > 0 || step > 20 || start == 1e38 {
				t.Fatalf("sums from %g, step %d: norm %v, refused before: %d", start, step, norm, refused)
			}
			if v := float64(opt.Sum[4]); !(v <= math.MaxFloat32) {
				t.Fatalf("sums from %g, step %d: %v", start, step, v)
			}
		}
		if grads[4] = 1; math.IsInf(m.Step(opt, grads, 0), 1) != (start == 1e38) {
			t.Errorf("sums from %g: a small gradient counts as infinite or not", start)
		}
	}
}

// optimizerState returns the arrays of an optimizer.
func optimizerState(opt Optimizer) [][]float32 {
	switch o := opt.(type) {
	case *Adagrad:
		return [][]float32{o.Sum}
	case *Adam:
		return [][]float32{o.M, o.V}
	case *AdamW:
		return [][]float32{o.M, o.V}
	}
	return nil
}
