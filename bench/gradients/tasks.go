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
	// config is the shape of the network, but for its hidden width and cells.
	config() rnn.Config
	// steps is how many steps a sequence has.
	steps() int
	// draw makes the next batch.
	draw(r *rand.Rand)
	forward(ws *rnn.Workspace)
	// backward, and loss without gradients, return the mean loss of the batch.
	backward(ws *rnn.Workspace) float64
	loss(ws *rnn.Workspace) float64
	// last is backward for the loss at the last step alone.
	last(ws *rnn.Workspace)
	// right counts the answers that are right, of all.
	right(ws *rnn.Workspace) (right, all int)
	// baseline is the loss of the best answer that does not look at the input,
	// chance its share of right answers.
	baseline() (loss, chance float64)
}

// newTask returns a task of that length, which is to remember so many symbols if
// it is the copy task.
func newTask(name string, length, remember, batch int) task {
	if name == Copy {
		return newCopying(length, remember, batch)
	}
	return newAdding(length, batch)
}

// adding is the adding problem (Hochreiter & Schmidhuber 1997): of so many
// numbers, uniform in [0,1], two are marked, one in either half of the sequence;
// the answer after the last is the sum of these two.
type adding struct {
	length, batch int
	x             []float32 // [T,B,2], the number and its mark, 0 or 1
	sums, said    []float32 // [B,1]
}

// near is what an answer may differ from the sum and be right (Hochreiter &
// Schmidhuber 1997).
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

// baseline of always saying 1: the variance of the sum of two uniform numbers,
// 2/12, and its density of 1 - |s-1| over ±near.
func (a *adding) baseline() (loss, chance float64) { return 1.0 / 6, 2*near - near*near }

// copying is the copy task (Arjovsky, Shah & Bengio 2016): symbols, then blank
// steps, then a sign to say the symbols, which takes as many steps as there were.
// A blank is no input (rnn.None), so that nothing new stirs what a network holds.
// Steps at which no symbol is to be said count nowhere (rnn.Ignore): with the
// blanks that the paper has a network say there, which are easily learnt, the loss
// is near 0 without anything being remembered. Nothing is drawn but the symbols: a
// single one makes as many sequences as there are symbols, and a network whose
// states never meet can tell them apart without learning to remember.
type copying struct {
	length, remember, batch int
	ids, targets            []int32   // [T,B]
	final                   []int32   // [T,B], the targets of the last step alone
	logits                  []float32 // [B,V]
}

// symbols is how many there are (as in the paper); the sign comes after them in
// the inputs.
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

// answer is the step of the sign, at which the first symbol is said; length steps
// without a symbol lie between the last that is read and that.
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
			// NaN is no answer.
			if row[said] == row[said] && int32(said) == c.targets[t*c.batch+b] {
				right++
			}
		}
	}
	return right, c.remember * c.batch
}

func (c *copying) baseline() (loss, chance float64) { return math.Log(symbols), 1.0 / symbols }
