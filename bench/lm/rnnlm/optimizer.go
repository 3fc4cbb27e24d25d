package rnnlm

import "batchrnn/rnn"

// The optimizers that [Options] can name.
const (
	Adam    = "adam"
	AdamW   = "adamw" // Adam with a weight decay of 0.01, PyTorch's default
	Adagrad = "adagrad"
	SGD     = "sgd"
)

// Optimizers lists the optimizers.
var Optimizers = []string{Adam, AdamW, Adagrad, SGD}

// weightDecay is that of AdamW.
const weightDecay = 0.01

// HasRate reports whether an optimizer has a default learning rate. It was chosen for
// Adam. Another optimizer needs one of another order.
func HasRate(optimizer string) bool { return optimizer == Adam || optimizer == AdamW }

// optimizer is one of package rnn with what a training changes, and a checkpoint holds.
type optimizer struct {
	rnn.Optimizer
	rate  *float32
	taken *int     // steps; nil where they play no part
	state []floats // the arrays, in the order of a checkpoint
}

// newOptimizer returns the optimizer of o for m.
func newOptimizer(o Options, m *rnn.Model) optimizer {
	rate := float32(o.Rate)
	adam := func(opt rnn.Optimizer, a *rnn.Adam) optimizer {
		a.Beta2 = o.recipe().beta2
		return optimizer{opt, &a.LR, &a.T, []floats{a.M, a.V}}
	}
	switch o.Optimizer {
	case SGD:
		opt := rnn.NewSGD(rate)
		return optimizer{opt, &opt.LR, nil, nil}
	case Adagrad:
		opt := rnn.NewAdagrad(m, rate)
		return optimizer{opt, &opt.LR, nil, []floats{opt.Sum}}
	case AdamW:
		opt := rnn.NewAdamW(m, rate, weightDecay)
		return adam(opt, &opt.Adam)
	}
	opt := rnn.NewAdam(m, rate)
	return adam(opt, opt)
}
