package rnn

import (
	"fmt"
	"math"
	"slices"

	"batchrnn/kernels"
)

// An Optimizer turns a gradient into a change of the parameters. Its state belongs to
// one model. [Model.Step] calls Check and then Begin once. It then calls Update for
// parts of the slab, on several workers at once and in any order.
type Optimizer interface {
	// Check panics if the state can't be that of m.
	Check(m *Model)
	// Begin prepares a step. The step's gradient is scale times the g of Update.
	Begin(scale float32)
	// Update changes p[s.Lo:s.Hi], of the slab p, along g[s.Lo:s.Hi]. It reads and
	// writes only these elements of its state.
	Update(w *kernels.Worker, p, g []float32, s kernels.Span)
}

// SGD is gradient descent: p -= LR·g.
type SGD struct {
	LR    float32
	scale float32
}

// NewSGD returns gradient descent with learning rate lr.
func NewSGD(lr float32) *SGD { return &SGD{LR: lr} }

// Check accepts every model.
func (o *SGD) Check(*Model) {}

// Begin implements [Optimizer].
func (o *SGD) Begin(scale float32) { o.scale = scale }

// Update implements [Optimizer].
func (o *SGD) Update(w *kernels.Worker, p, g []float32, s kernels.Span) {
	w.SGD(p[s.Lo:s.Hi], g[s.Lo:s.Hi], o.scale, o.LR)
}

// Adagrad divides each parameter's step by the root of the sum of its squared gradients
// (Duchi, Hazan & Singer 2011).
type Adagrad struct {
	LR, Eps float32
	Sum     []float32 // Σ g², in the layout of the slab
	owner   owner
	scale   float32
	// bound is at least the largest element of Sum: the one before the first step, and
	// the squared norms of all steps since.
	bound   float64
	bounded bool // after the first Check
}

// NewAdagrad returns Adagrad for m with learning rate lr and Eps 1e-10.
func NewAdagrad(m *Model, lr float32) *Adagrad {
	return &Adagrad{LR: lr, Eps: 1e-10, Sum: kernels.Floats(len(m.Slab)), owner: owner{m}}
}

// Check panics if m is not the model of o: the one that o was made for, or else stepped
// first.
func (o *Adagrad) Check(m *Model) {
	if o.owner.check("Adagrad", m, o.Sum); !o.bounded {
		o.bound, o.bounded = float64(slices.Max(o.Sum)), true
	}
}

// Begin implements [Optimizer].
func (o *Adagrad) Begin(scale float32) {
	norm := float64(scale) * o.owner.m.step.norm
	o.scale, o.bound = scale, o.bound+norm*norm
}

// Update implements [Optimizer].
func (o *Adagrad) Update(w *kernels.Worker, p, g []float32, s kernels.Span) {
	w.Adagrad(p[s.Lo:s.Hi], g[s.Lo:s.Hi], o.Sum[s.Lo:s.Hi], o.scale, o.LR, o.Eps)
}

// Adam keeps running means of the gradient and of its square. It corrects both for
// their start at zero (Kingma & Ba 2015).
type Adam struct {
	LR, Beta1, Beta2, Eps float32
	M, V                  []float32 // first and second moments, in the layout of the slab
	T                     int       // steps taken
	owner                 owner
	args                  kernels.AdamStep
}

// NewAdam returns Adam for m with learning rate lr and the usual Beta1 0.9,
// Beta2 0.999 and Eps 1e-8.
func NewAdam(m *Model, lr float32) *Adam {
	n := len(m.Slab)
	return &Adam{LR: lr, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, M: kernels.Floats(n), V: kernels.Floats(n), owner: owner{m}}
}

// Check panics if m is not the model of o: the one that o was made for, or else stepped
// first. It also panics if T is negative, or if Beta1 or Beta2 is outside [0,1).
func (o *Adam) Check(m *Model) { o.check("Adam", m) }

func (o *Adam) check(name string, m *Model) {
	o.owner.check(name, m, o.M, o.V)
	if o.T < 0 {
		panic(fmt.Sprintf("rnn: Step: %s has taken %d steps, want 0 or more", name, o.T))
	}
	if !(o.Beta1 >= 0 && o.Beta1 < 1 && o.Beta2 >= 0 && o.Beta2 < 1) {
		panic(fmt.Sprintf("rnn: Step: %s has Beta1 %v and Beta2 %v, want both from 0 to below 1", name, o.Beta1, o.Beta2))
	}
}

// Begin implements [Optimizer].
func (o *Adam) Begin(scale float32) {
	o.T++
	o.args.Set(o.T, scale, o.LR, o.Beta1, o.Beta2, o.Eps)
}

// Update implements [Optimizer].
func (o *Adam) Update(w *kernels.Worker, p, g []float32, s kernels.Span) {
	w.Adam(p[s.Lo:s.Hi], g[s.Lo:s.Hi], o.M[s.Lo:s.Hi], o.V[s.Lo:s.Hi], &o.args)
}

// AdamW is [Adam] with weight decay separate from the gradient (Loshchilov & Hutter
// 2019). Each step first sets p to (1-LR·Decay)·p. Biases decay too, as in PyTorch.
type AdamW struct {
	Adam
	Decay float32
}

// NewAdamW returns AdamW for m with learning rate lr and the given weight decay. Its
// other settings are those of [NewAdam].
func NewAdamW(m *Model, lr, decay float32) *AdamW { return &AdamW{*NewAdam(m, lr), decay} }

// Check panics if the Check of [Adam] does.
func (o *AdamW) Check(m *Model) { o.check("AdamW", m) }

// Update implements [Optimizer].
func (o *AdamW) Update(w *kernels.Worker, p, g []float32, s kernels.Span) {
	kept := float32(1 - float64(o.LR)*float64(o.Decay))
	for lo := s.Lo; lo < s.Hi; lo += decayBlock { // the second pass finds p in L1
		part := kernels.Span{Lo: lo, Hi: min(lo+decayBlock, s.Hi)}
		w.Scale(kept, p[part.Lo:part.Hi])
		o.Adam.Update(w, p, g, part)
	}
}

// decayBlock is the number of parameters that AdamW decays at a time.
const decayBlock = 1 << 11

// An owner is the model of an optimiser's state: the one that it was made for, or else
// the first that it steps.
type owner struct{ m *Model }

// check panics if m is another model, or if the states are not of its size.
func (o *owner) check(optimizer string, m *Model, states ...[]float32) {
	for _, s := range states {
		if len(s) != len(m.Slab) {
			panic(fmt.Sprintf("rnn: Step: %s was made for %d parameters, the model has %d", optimizer, len(s), len(m.Slab)))
		}
	}
	if o.m == nil {
		o.m = m
	}
	if o.m != m {
		panic(fmt.Sprintf("rnn: Step: %s has the state of another model: each model needs an optimizer of its own", optimizer))
	}
}

// normChunk is the number of elements of each partial sum of the norm. It is fixed, so
// that the sum is the same for any number of workers.
const normChunk = 1 << 14

// stepState is what the workers of Step share.
type stepState struct {
	task  func(*kernels.Worker)
	opt   Optimizer
	grads []float32
	clip  float32
	sums  []float64 // Σ g² by chunk
	norm  float64
	skip  bool // the norm isn't finite, and the step must change nothing
}

// Step changes the parameters by one step of opt along grads, and prepares the model
// for the next pass. grads is a slab in the layout of the parameters. Step returns the
// norm of the gradient over all parameters, before clipping.
//
// If clip > 0 and the norm is greater, Step scales the gradient down to norm clip
// (Pascanu et al. 2013). grads itself does not change. A gradient whose norm is then
// still above 2⁶³, about 9.2e18, counts as infinite, and Step returns +Inf. Its squares
// may overflow a float32. Adam and Adagrad would divide by infinity ever after, and no
// longer move. For Adagrad the root of all squared norms so far counts in its place.
//
// If the norm is NaN or infinite, SkipNonFinite leaves the parameters and the state of
// opt as they are. Without it the step spoils them. Step panics if grads has another
// length than the slab, or if opt refuses m.
func (m *Model) Step(opt Optimizer, grads []float32, clip float32) (norm float64) {
	s := &m.step
	m.checkWhole("Step")
	if len(grads) != len(m.Slab) {
		panic(fmt.Sprintf("rnn: Step: the gradient has length %d, the model %d parameters", len(grads), len(m.Slab)))
	}
	if opt == nil {
		panic("rnn: Step: the optimizer is nil: make one with NewSGD, NewAdagrad, NewAdam or NewAdamW")
	}
	opt.Check(m)
	s.opt, s.grads, s.clip = opt, grads, clip
	m.engine.Run(m.slabWorkers(), s.task)
	s.opt, s.grads = nil, nil
	return s.norm
}

// phaseElements is the number of elements for each worker between two optional
// barriers. Such a barrier only lets the team change. Adam takes about 0.2 ms for that
// many.
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
		scale := s.scale()
		if s.skip = m.SkipNonFinite && math.IsNaN(scale); !s.skip {
			s.opt.Begin(float32(scale))
		}
	}
	w.Barrier()
	for lo, phase := 0, n*phaseElements; lo < len(m.Slab); lo += phase {
		own := w.Share(min(phase, len(m.Slab)-lo))
		if own.Len() > 0 && !s.skip { // a worker without a part may arrive here before the step begins
			s.opt.Update(w, m.Slab, s.grads, kernels.Span{Lo: lo + own.Lo, Hi: lo + own.Hi})
		}
		w.Barrier()
	}
	m.pack(w)
}

// maxNorm is the largest norm of a gradient that an optimizer reads. The square of any
// element is then a quarter of the largest float32 at most.
const maxNorm = 1 << 63

// scale joins the sums to the norm, and returns the factor by which the gradient is
// read. The factor is NaN if the norm isn't finite.
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
	scale, read := 1.0, s.norm
	if s.clip > 0 && s.norm > float64(s.clip) {
		scale, read = float64(s.clip)/s.norm, float64(s.clip)
	}
	squares := read * read
	if a, ok := s.opt.(*Adagrad); ok {
		squares += a.bound
	}
	if squares > maxNorm*maxNorm {
		s.norm = math.Inf(1)
	}
	if math.IsInf(s.norm, 1) || math.IsNaN(s.norm) {
		return math.NaN() // otherwise an infinite gradient would lead to a step of zero
	}
	return scale
}
