package gradients

import (
	"math"
	"math/rand/v2"

	"batchrnn/rnn"
)

// The names of the tasks.
const (
	Adding = "adding"
	Copy   = "copy"
)

// A task draws batches and runs them through a network.
type task interface {
	// config is the shape of the network, without its hidden width and cells.
	config() rnn.Config
	// steps is the length of a sequence.
	steps() int
	// draw makes the next batch.
	draw(r *rand.Rand)
	forward(ws *rnn.Workspace)
	// loss returns the mean loss of the batch. backward also computes the gradients.
	backward(ws *rnn.Workspace) float64
	loss(ws *rnn.Workspace) float64
	// last is backward for the loss at the last step alone.
	last(ws *rnn.Workspace)
	// right counts the right answers, and all answers.
	right(ws *rnn.Workspace) (right, all int)
	// baseline returns the loss of the best answer that ignores the input, and its
	// share of right answers.
	baseline() (loss, chance float64)
}

// newTask returns a task of the given length. remember is the number of symbols of the
// copy task.
func newTask(name string, length, remember, batch int) task {
	if name == Copy {
		return newCopying(length, remember, batch)
	}
	return newAdding(length, batch)
}

// adding is the adding problem (Hochreiter & Schmidhuber 1997). The input is a sequence
// of length numbers, uniform in [0,1]. Two of them are marked, one in either half. The
// answer after the last step is the sum of these two.
type adding struct {
	length, batch int
	x             []float32 // [T,B,2], the number and its mark, 0 or 1
	sums, said    []float32 // [B,1]
}

// near is the largest error of a right answer (Hochreiter & Schmidhuber 1997).
const near = 0.04

func newAdding(length, batch int) *adding {
	return &adding{length, batch, make([]float32, length*batch*2), make([]float32, batch), make([]float32, batch)}
}

func (a *adding) config() rnn.Config {
	return rnn.Config{Input: 2, Dense: true, Output: 1, LastStep: true}
}

func (a *adding) steps() int { return a.length }

func (a *adding) draw(r *rand.Rand) {
	for i := range a.length * a.batch {
		a.x[2*i], a.x[2*i+1] = r.Float32(), 0
	}
	half := a.length / 2
	for b := range a.batch {
		a.sums[b] = 0
		for _, t := range [2]int{r.IntN(half), half + r.IntN(a.length-half)} {
			row := a.x[2*(t*a.batch+b):][:2]
			row[1] = 1
			a.sums[b] += row[0]
		}
	}
}

func (a *adding) forward(ws *rnn.Workspace) { ws.ForwardDense(a.x) }

func (a *adding) backward(ws *rnn.Workspace) float64 { return ws.BackwardSquared(a.sums) }

func (a *adding) loss(ws *rnn.Workspace) float64 { return ws.LossSquared(a.sums) }

func (a *adding) last(ws *rnn.Workspace) { ws.BackwardSquared(a.sums) }

func (a *adding) right(ws *rnn.Workspace) (right, all int) {
	ws.Logits(a.said, a.length-1)
	for b, y := range a.said {
		if math.Abs(float64(y-a.sums[b])) < near {
			right++
		}
	}
	return right, a.batch
}

// baseline always answers 1. Its loss is the variance of the sum of two uniform
// numbers, 2/12. Its chance is the integral of the density 1 - |s-1| over ±near.
func (a *adding) baseline() (loss, chance float64) { return 1.0 / 6, 2*near - near*near }

// copying is the copy task (Arjovsky, Shah & Bengio 2016). The input is a row of
// symbols, then blank steps, then a sign. From the sign on, the network must repeat the
// symbols.
//
// A blank is no input (rnn.None), so it doesn't disturb the state. Steps without a
// symbol to repeat have no loss (rnn.Ignore). In the paper the network must answer
// blanks there. Those are easy, so the loss would be near 0 without any memory.
//
// The symbols are the only random input. A single symbol gives as many sequences as
// there are symbols. A network whose states never meet can then tell them apart without
// learning to remember.
type copying struct {
	length, remember, batch int
	ids, targets            []int32   // [T,B]
	final                   []int32   // [T,B], the targets of the last step alone
	logits                  []float32 // [B,V]
}

// symbols is the number of symbols, as in the paper. Among the inputs, the sign follows
// them.
const (
	symbols = 8
	sign    = symbols
)

func newCopying(length, remember, batch int) *copying {
	c := &copying{length: length, remember: remember, batch: batch, logits: make([]float32, batch*symbols)}
	n := c.steps() * batch
	c.ids, c.targets, c.final = make([]int32, n), make([]int32, n), make([]int32, n)
	for i := range n {
		c.ids[i], c.targets[i], c.final[i] = rnn.None, rnn.Ignore, rnn.Ignore
	}
	for b := range batch {
		c.ids[c.answer()*batch+b] = sign
	}
	return c
}

func (c *copying) config() rnn.Config { return rnn.Config{Input: symbols + 1, Output: symbols} }

func (c *copying) steps() int { return c.length + 2*c.remember }

// answer returns the step of the sign, where the first symbol is to be repeated. length
// steps without a symbol lie between the last symbol read and that step.
func (c *copying) answer() int { return c.length + c.remember }

func (c *copying) draw(r *rand.Rand) {
	for t := range c.remember {
		at := (c.answer() + t) * c.batch
		for b := range c.batch {
			s := int32(r.IntN(symbols))
			c.ids[t*c.batch+b], c.targets[at+b] = s, s
		}
	}
	from := (c.steps() - 1) * c.batch
	copy(c.final[from:], c.targets[from:])
}

func (c *copying) forward(ws *rnn.Workspace) { ws.Forward(c.ids) }

func (c *copying) backward(ws *rnn.Workspace) float64 { return ws.Backward(c.targets) }

func (c *copying) loss(ws *rnn.Workspace) float64 { return ws.Loss(c.targets) }

func (c *copying) last(ws *rnn.Workspace) { ws.Backward(c.final) }

func (c *copying) right(ws *rnn.Workspace) (right, all int) {
	for t := c.answer(); t < c.steps(); t++ {
		ws.Logits(c.logits, t)
		for b := range c.batch {
			row := c.logits[b*symbols:][:symbols]
			said := 0
			for s, y := range row {
				if y > row[said] {
					said = s
				}
			}
			// NaN is a wrong answer.
			if row[said] == row[said] && int32(said) == c.targets[t*c.batch+b] {
				right++
			}
		}
	}
	return right, c.remember * c.batch
}

func (c *copying) baseline() (loss, chance float64) { return math.Log(symbols), 1.0 / symbols }
