package rnn

import "fmt"

func (m *Model) checkStep(opt Optimizer, grads []float32) {
	m.checkWhole("Step")
	if len(grads) != len(m.Slab) {
		panic(fmt.Sprintf("rnn: Step: the gradient has length %d, the model %d parameters", len(grads), len(m.Slab)))
	}
	opt.check(len(m.Slab))
}

// checkState wants an optimiser's state to be of the model that it steps.
func checkState(optimizer string, have, params int) {
	if have != params {
		panic(fmt.Sprintf("rnn: Step: %s was made for %d parameters, the model has %d", optimizer, have, params))
	}
}
