package rnn

import (
	"fmt"
	"math"
)

// A training loop sets an optimizer's LR by these factors:
//
//	opt.LR = rate * float32(rnn.WarmUp(step, 50)*rnn.CosineDecay(done, 0.01))

// WarmUp returns a factor of the learning rate that rises over the first steps. At the
// given step, counted from 0, it is min((step+1)/steps, 1) (Goyal et al. 2017). It
// panics if step is negative.
func WarmUp(step, steps int) float64 {
	checkScheduled("WarmUp", step)
	return min(float64(step+1)/max(float64(steps), 1), 1)
}

// CosineDecay returns a factor of the learning rate. It falls along half a cosine, from
// 1 to floor (Loshchilov & Hutter 2017). done is the completed part of the training,
// and is clamped to [0,1]. It panics if done is NaN.
func CosineDecay(done, floor float64) float64 {
	if math.IsNaN(done) {
		panic("rnn: CosineDecay: the part done is NaN")
	}
	done = min(max(done, 0), 1)
	return floor + (1-floor)*(1+math.Cos(math.Pi*done))/2
}

// StepDecay returns a factor of the learning rate that decays by gamma after each every
// steps: gamma^⌊step/every⌋. step counts from 0. It panics if step is negative or every
// is below 1.
func StepDecay(step, every int, gamma float64) float64 {
	checkScheduled("StepDecay", step)
	if every < 1 {
		panic(fmt.Sprintf("rnn: StepDecay: every %d steps, want at least 1", every))
	}
	return math.Pow(gamma, float64(step/every))
}

func checkScheduled(op string, step int) {
	if step < 0 {
		panic(fmt.Sprintf("rnn: %s: step %d: steps count from 0", op, step))
	}
}
