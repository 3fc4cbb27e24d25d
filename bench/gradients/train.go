package gradients

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// testBatches is the number of batches in the test of a trained model.
const testBatches = 32

// solvedAfter is the number of consecutive batches without a wrong answer that end a
// training.
const solvedAfter = 100

// Streams of random numbers for each task and length. All networks read the same
// sequences.
const (
	trainStream uint64 = iota
	testStream
	profileStream
)

// A job is a model to train.
type job struct {
	task     string
	length   int
	remember int
	variant
}

// random returns a random stream of a job.
func (j job) random(seed, stream uint64) *rand.Rand {
	id := uint64(j.length)<<3 | stream<<1
	if j.task == Copy {
		id |= 1
	}
	return rand.New(rand.NewPCG(seed, id))
}

// run trains the model and measures it. The only error is that of ctx.
func (j job) run(ctx context.Context, e *kernels.Engine, seed uint64, updates int) (Model, error) {
	began := time.Now()
	t := newTask(j.task, j.length, j.remember, batch)
	m, err := j.model(e, t, seed)
	if err != nil {
		return Model{}, err
	}
	r := j.describe(t)
	r.AtStart = profile(m, t, j.random(seed, profileStream))

	ws := m.NewTraining(t.steps(), batch)
	if err := r.train(ctx, m, ws, t, j.random(seed, trainStream), updates); err != nil {
		return Model{}, err
	}
	if !r.Diverged {
		r.test(ws, t, j.random(seed, testStream))
	}
	if !r.Diverged {
		r.Trained = profile(m, t, j.random(seed, profileStream))
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// describe returns a model before its training.
func (j job) describe(t task) Model {
	m := Model{Task: j.task, Length: j.length, Network: j.name, Cell: j.cell.String(), Start: j.start.String(),
		LearningRate: float64(j.learningRate(j.length))}
	switch {
	case j.cell == rnn.Vanilla:
		m.Activation = j.activation.String()
	case j.cell == rnn.LSTM && j.start == uniform:
		m.Start += ", forget biases 1"
	}
	if j.skip {
		m.TimeSkip = alpha
		if j.start == identity {
			m.Start = "0, beside the skip connection's identity"
		}
	}
	if j.clipped {
		m.Clip = clip
	}
	m.Baseline, m.Chance = t.baseline()
	return m
}

// train trains by Adam, with a learning rate that falls linearly to 0.
func (r *Model) train(ctx context.Context, m *rnn.Model, ws *rnn.Workspace, t task, random *rand.Rand, updates int) error {
	opt := rnn.NewAdam(m, 0)
	inRow := 0
	for u := range updates {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.draw(random)
		t.forward(ws)
		t.backward(ws)
		if ws.CheckLosses() != nil {
			r.Diverged = true
			return nil
		}
		right, all := t.right(ws)
		if inRow++; right < all {
			inRow = 0
		}
		opt.LR = float32(r.LearningRate) * float32(updates-u) / float32(updates)
		norm := m.Step(opt, ws.Grads.Slab, float32(r.Clip))
		if math.IsNaN(norm) || math.IsInf(norm, 0) {
			r.Diverged = true
			return nil
		}
		r.Updates++
		r.LargestNorm = max(r.LargestNorm, norm)
		if r.Clip > 0 && norm > r.Clip {
			r.Clipped++
		}
		if inRow == solvedAfter {
			r.Solved = true
			return nil
		}
	}
	return nil
}

// test sets the loss and the accuracy.
func (r *Model) test(ws *rnn.Workspace, t task, random *rand.Rand) {
	var loss float64
	right, all := 0, 0
	for range testBatches {
		t.draw(random)
		t.forward(ws)
		loss += t.loss(ws) / testBatches
		if ws.CheckLosses() != nil || math.IsInf(loss, 0) {
			r.Diverged = true // in the last update
			return
		}
		n, of := t.right(ws)
		right, all = right+n, all+of
	}
	r.Loss, r.Accuracy = loss, float64(right)/float64(all)
}
