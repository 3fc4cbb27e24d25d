package rnnlm

import (
	"math"

	"batchrnn/rnn"
)

// How many validations a budget holds at most, and which share of it they may take.
const (
	validations   = 25
	validateShare = 20
)

// byTokens reports whether the budget is one of tokens. The schedule then never reads
// the clock: the parameters of every step depend on the options and the text alone.
func (t *trainer) byTokens() bool { return t.options.Tokens > 0 }

// spent returns how much of the budget is used: in tokens, where validations are free,
// or in nanoseconds.
func (t *trainer) spent() int64 {
	if t.byTokens() {
		return t.progress.Tokens
	}
	return int64(t.elapsed())
}

func (t *trainer) budget() int64 {
	if t.byTokens() {
		return t.options.Tokens
	}
	return int64(t.options.Budget)
}

// end returns the value of spent at which training steps end. A budget of time keeps
// room for one more validation, if there was any.
func (t *trainer) end() int64 {
	if t.byTokens() || t.progress.Valid == 0 {
		return t.budget()
	}
	return t.budget() - t.validCost
}

// dueToValidate reports whether it is time for a validation. The last one, at the end,
// must still fit after it.
func (t *trainer) dueToValidate() bool {
	now := t.spent()
	since := now - t.validated
	if len(t.valid) == 0 || since <= t.budget()/validations || t.progress.Tokens == 0 {
		return false
	}
	if !t.cut {
		t.cutValidation()
	}
	return len(t.valid) > 0 && (t.progress.Valid == 0 || since > validateShare*t.validCost) &&
		now+2*t.validCost <= t.budget()
}

// cutValidation shortens the validation text before it is first scored. Scoring it then
// takes a validateShare-th of the budget. If that is too short, the text is dropped.
//
// The length follows from the speed of the training so far. Forward and loss are a
// third of a training step; one half is assumed, to leave room for the rest.
func (t *trainer) cutValidation() {
	perToken := 0.5
	if !t.byTokens() {
		perToken *= float64(t.stepTime()) / float64(t.progress.Tokens)
	}
	t.cut = true
	fits := float64(t.budget()) / validateShare / perToken
	if fits < float64(min(len(t.valid), minValid)) {
		t.valid = nil
		return
	}
	t.valid = t.valid[:int(min(fits, float64(len(t.valid))))]
	t.validCost = int64(perToken * float64(len(t.valid)))
}

// warmUp is the number of steps over which the learning rate rises to its peak.
const warmUp = 50

// rate returns the learning rate of the next step. It rises over the first steps. Then
// it falls along half a cosine to a hundredth of its peak at the end, or by halves.
func (t *trainer) rate() float32 {
	rate := t.options.Rate * rnn.CosineDecay(float64(t.spent())/float64(max(t.end(), 1)), 0.01)
	if t.options.Halve {
		rate = math.Ldexp(t.options.Rate, -t.halvings)
	}
	return float32(rate * rnn.WarmUp(int(t.passes), warmUp))
}
