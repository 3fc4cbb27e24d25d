package rnn

import (
	"fmt"
	"math"

	"batchrnn/kernels"
)

// An Optimizer turns a gradient into a change of the parameters. Its state
// belongs to one model.
type Optimizer interface {
	// check panics where the state isn't that of a model of so many parameters.
	check(params int)
	// begin prepares a step whose gradient is to be read as scale times what is
	// given; update then changes the parameters p[span] from g[span], spans in
	// any order and at once.
	begin(scale float32)
	update(w *kernels.Worker, p, g []float32, span kernels.Span)
}

// SGD is gradient descent: p -= LR·g.
type SGD struct {
	LR    float32
	scale float32
}

// NewSGD returns gradient descent with learning rate lr.
func NewSGD(lr float32) *SGD { return &SGD{LR: lr} }

func (o *SGD) check(int) {}

func (o *SGD) begin(scale float32) { o.scale = scale }

func (o *SGD) update(w *kernels.Worker, p, g []float32, s kernels.Span) {
	w.SGD(p[s.Lo:s.Hi], g[s.Lo:s.Hi], o.scale, o.LR)
}

// Adagrad divides each step by the root of the sum of its parameter's squared
// gradients (Duchi, Hazan & Singer 2011).
type Adagrad struct {
	LR, Eps float32
	Sum     []float32 // Σ g², in the layout of the slab
	scale   float32
}

// NewAdagrad returns Adagrad for m with learning rate lr and Eps 1e-10.
func NewAdagrad(m *Model, lr float32) *Adagrad {
	return &Adagrad{LR: lr, Eps: 1e-10, Sum: kernels.Floats(len(m.Slab))}
}

func (o *Adagrad) check(params int) { checkState("Adagrad", len(o.Sum), params) }

func (o *Adagrad) begin(scale float32) { o.scale = scale }

func (o *Adagrad) update(w *kernels.Worker, p, g []float32, s kernels.Span) {
	w.Adagrad(p[s.Lo:s.Hi], g[s.Lo:s.Hi], o.Sum[s.Lo:s.Hi], o.scale, o.LR, o.Eps)
}

// Adam keeps running means of the gradient and its square, both corrected for
// their start at zero (Kingma & Ba 2015).
type Adam struct {
	LR, Beta1, Beta2, Eps float32
	M, V                  []float32 // first and second moments, in the layout of the slab
	T                     int       // steps taken
	args                  kernels.AdamStep
}

// NewAdam returns Adam for m with learning rate lr and the usual Beta1 0.9,
// Beta2 0.999 and Eps 1e-8.
func NewAdam(m *Model, lr float32) *Adam {
	n := len(m.Slab)
	return &Adam{LR: lr, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, M: kernels.Floats(n), V: kernels.Floats(n)}
}

func (o *Adam) check(params int) {
	checkState("Adam", len(o.M), params)
	checkState("Adam", len(o.V), params)
	if o.T < 0 {
		panic(fmt.Sprintf("rnn: Step: Adam has taken %d steps, want 0 or more", o.T))
	}
}

func (o *Adam) begin(scale float32) {
	o.T++
	o.args.Set(o.T, scale, o.LR, o.Beta1, o.Beta2, o.Eps)
}

func (o *Adam) update(w *kernels.Worker, p, g []float32, s kernels.Span) {
	w.Adam(p[s.Lo:s.Hi], g[s.Lo:s.Hi], o.M[s.Lo:s.Hi], o.V[s.Lo:s.Hi], &o.args)
}

// normChunk is the number of elements of each partial sum of the norm: fixed,
// so that the sum is the same for any number of workers.
const normChunk = 1 << 14

// stepState is what the workers of Step share.
type stepState struct {
	task  func(*kernels.Worker)
	opt   Optimizer
	grads []float32
	clip  float32
	sums  []float64 // Σ g² by chunk
	norm  float64
}

// Step changes the parameters by one step of opt along grads, a slab in the
// layout of the parameters, and readies the model for the next pass. Where
// clip > 0 and the gradient's norm over all parameters is greater, the gradient
// is read as scaled down to norm clip (Pascanu, Mikolov & Bengio 2013). It
// returns the norm before clipping; where that is NaN or infinite, so are the
// parameters from then on.
func (m *Model) Step(opt Optimizer, grads []float32, clip float32) (norm float64) {
	s := &m.step
	m.checkStep(opt, grads)
	s.opt, s.grads, s.clip = opt, grads, clip
	m.engine.Run(m.slabWorkers(), s.task)
	s.opt, s.grads = nil, nil
	return s.norm
}

// phaseElements is the number of elements for each worker between two barriers
// that stand there only so that the team may change: Adam takes some 0.2 ms.
const phaseElements = 1 << 17

// stepShare is one worker's part of stage 5.
func (m *Model) stepShare(w *kernels.Worker) {
	s := &m.step
	n := m.slabWorkers()
	for lo, phase := 0, n*phaseElements/normChunk; lo < len(s.sums); lo += phase {
		own := w.Share(min(phase, len(s.sums)-lo))
		for i := lo + own.Lo; i < lo+own.Hi; i++ {
			s.sums[i] = w.SumSquares(s.grads[i*normChunk : min((i+1)*normChunk, len(s.grads))])
		}
		w.Barrier()
	}
	if w.ID() == 0 {
		s.opt.begin(float32(s.scale()))
	}
	w.Barrier()
	for lo, phase := 0, n*phaseElements; lo < len(m.Slab); lo += phase {
		own := w.Share(min(phase, len(m.Slab)-lo))
		if own.Len() > 0 { // else the step may not have begun: it has no part in the phase
			s.opt.update(w, m.Slab, s.grads, kernels.Span{Lo: lo + own.Lo, Hi: lo + own.Hi})
		}
		w.Barrier()
	}
	m.pack(w)
}

// scale joins the sums to the norm, and returns what the gradient is read as
// scaled by.
func (s *stepState) scale() float64 {
	var sum float64
	for _, x := range s.sums {
		sum += x
	}
	if math.IsInf(sum, 1) { // squares overflow long before the gradient does
		sum = 0
		for _, g := range s.grads {
			sum += float64(g) * float64(g)
		}
	}
	s.norm = math.Sqrt(sum)
	switch {
	case math.IsInf(s.norm, 1) || math.IsNaN(s.norm):
		return math.NaN() // else an infinite gradient would come out as no step
	case s.clip > 0 && s.norm > float64(s.clip):
		return float64(s.clip) / s.norm
	}
	return 1
}
