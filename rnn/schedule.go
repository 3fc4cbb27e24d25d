package rnn

import (
	"fmt"
	"math"
)

// Factors of a learning rate, for a training loop to set an optimizer's LR by:
//
//	opt.LR = rate * float32(rnn.WarmUp(step, 50)*rnn.CosineDecay(done, 0.01))

// WarmUp returns the factor of the learning rate at the given step, from 0, of a rise
// over the first steps: (step+1)/steps, then 1 (Goyal et al. 2017). It panics where step is
// negative.
func WarmUp(step, steps int) float64 {
	checkScheduled("WarmUp", step)
	return min(float64(step+1)/max(float64(steps), 1), 1)
}

// CosineDecay returns the factor of the learning rate where the part done, from 0 to 1, of
// a training is over: it falls along half a cosine from 1 to floor (Loshchilov & Hutter
// 2017). A part beyond these ends counts as the end. It panics where done is NaN.
func CosineDecay(done, floor float64) float64 {
	if math.IsNaN(done) {
		panic("rnn: CosineDecay: the part done is NaN")
	}
	done = min(max(done, 0), 1)
	return floor + (1-floor)*(1+math.Cos(math.Pi*done))/2
}

// StepDecay returns the factor of the learning rate at the given step, from 0, of a decay
// by gamma after every so many steps: gamma^⌊step/every⌋. It panics where step is
// negative or every is below 1.
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
