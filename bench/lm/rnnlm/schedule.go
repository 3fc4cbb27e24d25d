package rnnlm

import (
	"math"

	"batchrnn/rnn"
)

// How many validations a budget holds at most, and which part of it they may take.
const (
	validations   = 25
	validateShare = 20
)

// byTokens says whether the budget is one of tokens. Then the parameters of every
// step depend on nothing but the options and the text: the schedule never looks at
// the clock.
func (t *trainer) byTokens() bool { return t.options.Tokens > 0 }

// spent is how much of the budget is used up: in tokens, which validations are
// free of, or in nanoseconds.
func (t *trainer) spent() int64 {
	if t.byTokens() {
		return t.progress.Tokens
	}
	return int64(t.clock().Sub(t.started))
}

func (t *trainer) budget() int64 {
	if t.byTokens() {
		return t.options.Tokens
	}
	return int64(t.options.Budget)
}

// end is what is spent when the last step is to be done: what remains of a time is
// for one more validation, if there was any.
func (t *trainer) end() int64 {
	if t.byTokens() || t.progress.Valid == 0 {
		return t.budget()
	}
	return t.budget() - t.validCost
}

// dueToValidate says whether now is the time for a validation. The last one, at
// the end, must still fit after it.
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

// cutValidation shortens the validation text, before it is first scored, to what
// takes a validateShare-th of the budget, or to nothing if that is too short.
// Forward and loss are a third of the work of a step, and half of it leaves room
// for the rest. How long a step takes is told by the training so far.
func (t *trainer) cutValidation() {
	perToken := 0.5
	if !t.byTokens() {
		perToken *= float64(t.progress.Steps) / float64(t.progress.Tokens)
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

// rate is the learning rate of the next step: it rises over the first steps,
// then falls along half a cosine to a hundredth of its peak at the end, or by
// halves.
func (t *trainer) rate() float32 {
	rate := t.options.Rate * rnn.CosineDecay(float64(t.spent())/float64(max(t.end(), 1)), 0.01)
	if t.options.Halve {
		rate = math.Ldexp(t.options.Rate, -t.halvings)
	}
	steps := t.progress.Tokens / int64(len(t.streams.ids))
	return float32(rate * rnn.WarmUp(int(steps), warmUp))
}
