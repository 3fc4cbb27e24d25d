package streams

import (
	"context"
	"errors"
	"fmt"

	"batchrnn/rnn"
)

// A Stream is a sequence that goes on from call to call. It holds the state of the
// network after its last step. One call at a time may be under way; a second one returns
// ErrBusy.
type Stream struct {
	b      *Batcher
	state  rnn.State // of one row, unless it is stale
	output int       // V
	logits []float32 // [V], for Sample; nil before the first
	own    caller    // of calls of this stream, and of jobs whose first one is of this stream
	call   Call      // the call under way

	// Below what the Batcher's mutex guards. While a pass runs, its leader alone has home,
	// row and stale of the streams in it, and their state.

	closed     bool
	busy       bool
	caller     *caller // who waits for the call
	run        *runner // the model that the call began with
	n, taken   int     // steps of the call, and those that are done
	err        error   // why the call ends early; its pass may still run
	home       *runner // also holds the state, in row; nil if none does
	row        int
	stale      bool // home alone holds the state
	queued     bool
	next, prev *Stream // in the queue
	since      uint64  // passes begun when it was queued
}

// A Call is a chunk of a stream's input, and the outputs that are wanted. Outputs that are
// nil are not computed. All memory is the caller's. It must stay as it is until the call
// returns, and may be used again afterwards.
type Call struct {
	IDs []int32   // [n], below Config.Input or rnn.None; for models of ids
	X   []float32 // [n,E], for models with a dense input

	// Logits takes the logits after the last step, [V], or those after each step, [n,V].
	// If the call ends early, those after the last step are not written.
	// Of an adaptive softmax they are log-probabilities. With Config.LastStep they are
	// always [V].
	Logits []float32
	// LogProbs, [n], takes the log-probability in nats of each step's target. Targets,
	// [n], are below V. For rnn.Ignore the log-probability is 0. Models with
	// Config.LastStep have none.
	LogProbs []float32
	Targets  []int32
	// States takes the output of the last layer after the last step, [P], or after each
	// step, [n,P].
	States []float32
}

// Step feeds a chunk and returns the number of steps that were taken. The outputs of
// these steps have been written, and the state of the stream is that after them. Without
// an error these are all steps of the chunk. It allocates nothing.
//
// If ctx ends first, Step returns its error. A wrong chunk gives an error and changes
// nothing. Step returns ErrClosed if the stream or the Batcher is closed, or if the stream
// is closed meanwhile.
func (s *Stream) Step(ctx context.Context, c Call) (int, error) {
	b := s.b
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	if err := s.begin(&s.own, &c); err != nil {
		b.mu.Unlock()
		return 0, err
	}
	b.wait(ctx, &s.own)
	b.mu.Lock()
	n, err := s.taken, s.err
	s.end()
	b.mu.Unlock()
	return n, err
}

// Sample feeds ids and draws the next id from the logits after the last of them. The
// stream draws what it would draw alone. The draw itself runs on the caller's goroutine,
// beside the passes of other streams. Give each stream a sampler of its own. Sample
// returns an error as Step does, and as [rnn.Sampler.Draw] does. After an error some of
// ids may have been read: Step and Draw say how many.
func (s *Stream) Sample(ctx context.Context, sampler *rnn.Sampler, ids []int32) (int32, error) {
	b := s.b
	if sampler == nil {
		return 0, errors.New("streams: Sample: the sampler is nil: make one with rnn.NewSampler")
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	if s.logits == nil {
		s.logits = make([]float32, s.output)
	}
	if err := s.begin(&s.own, &Call{IDs: ids, Logits: s.logits}); err != nil {
		b.mu.Unlock()
		return 0, err
	}
	b.wait(ctx, &s.own)
	b.mu.Lock()
	err := s.err
	b.mu.Unlock()
	defer func() { // also if Draw panics: Close waits for the call
		b.mu.Lock()
		s.end()
		b.mu.Unlock()
	}()
	if err != nil {
		return 0, err
	}
	return sampler.Draw(s.logits)
}

// A Job is a call of one stream among several. Step sets Taken and Err.
type Job struct {
	Stream *Stream
	Call
	Taken int   // the number of steps taken
	Err   error // as of Stream.Step
}

// Step runs a call of each of several streams, and returns when all have ended. One
// goroutine can so drive many streams, without a switch of goroutines for each. Calls from
// other goroutines join. Logits of jobs that follow each other in one slice are not
// copied. It returns the error of the first job that has one. It allocates nothing.
func (b *Batcher) Step(ctx context.Context, jobs []Job) error {
	if err := ctx.Err(); err != nil {
		for i := range jobs {
			jobs[i].Taken, jobs[i].Err = 0, err
		}
		return err
	}
	var group *caller
	b.mu.Lock()
	for i := range jobs {
		j := &jobs[i]
		j.Taken, j.Err = 0, nil
		if j.Stream == nil || j.Stream.b != b {
			j.Err = fmt.Errorf("streams: Step: job %d has no stream of this Batcher", i)
			continue
		}
		c := group
		if c == nil {
			c = &j.Stream.own
		}
		if j.Err = j.Stream.begin(c, &j.Call); j.Err == nil {
			group = c
		}
	}
	if group == nil {
		b.mu.Unlock()
	} else {
		b.wait(ctx, group)
	}
	var first error
	b.mu.Lock()
	for i := range jobs {
		j := &jobs[i]
		if j.Err == nil {
			j.Taken, j.Err = j.Stream.taken, j.Stream.err
			j.Stream.end()
		}
		if first == nil {
			first = j.Err
		}
	}
	b.mu.Unlock()
	return first
}

// begin claims the stream for a call and queues it. The Batcher's mutex is held.
func (s *Stream) begin(c *caller, call *Call) error {
	b := s.b
	switch {
	case s.closed || b.closed:
		return ErrClosed
	case s.busy:
		return ErrBusy
	}
	n, err := call.check(b.run.model)
	if err != nil {
		return err
	}
	s.busy, s.call, s.caller, s.run = true, *call, c, b.run
	s.n, s.taken, s.err = n, 0, nil
	b.calls++
	c.pending++
	b.enqueue(s)
	return nil
}

// end gives the stream back after a call. The Batcher's mutex is held.
func (s *Stream) end() {
	b := s.b
	s.busy, s.call, s.caller, s.run = false, Call{}, nil, nil
	if b.calls--; b.calls == 0 && b.closed {
		b.quiet.Broadcast()
	}
}

// State sets dst to the state after the last step. Another stream, also of another
// Batcher or in another process, can go on from it. dst is a state of one row, as
// [rnn.Model.NewState] makes it. State also works after [Batcher.Close].
func (s *Stream) State(dst rnn.State) error {
	return s.copyState("State", dst, s.state, true)
}

// SetState makes the stream go on from a state of one row.
func (s *Stream) SetState(from rnn.State) error {
	return s.copyState("SetState", s.state, from, false)
}

func (s *Stream) copyState(op string, dst, src rnn.State, read bool) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	switch {
	case s.closed || s.b.closed && !read:
		return ErrClosed
	case s.busy:
		return ErrBusy
	case len(dst.H) != len(src.H) || len(dst.C) != len(src.C):
		return fmt.Errorf("streams: %s: the state is not one row of this model: make one with Model.NewState(1)", op)
	}
	if read {
		s.fetch()
	} else {
		s.home, s.stale = nil, false
	}
	copy(dst.H, src.H)
	copy(dst.C, src.C)
	return nil
}

// Close ends the stream. A call under way returns ErrClosed, at the latest after the pass
// that it is in. A second Close does nothing.
func (s *Stream) Close() {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	b.open--
	b.enough(false)
	if s.busy {
		b.stop(s, ErrClosed)
	}
}

// check returns the number of steps of a call, or an error.
func (c *Call) check(m *rnn.Model) (int, error) {
	n := len(c.IDs)
	switch {
	case m.Dense && c.IDs != nil:
		return 0, fmt.Errorf("streams: the call has IDs, but the model's input is dense: set Call.X")
	case !m.Dense && c.X != nil:
		return 0, fmt.Errorf("streams: the call has X, but the model's input is ids: set Call.IDs")
	case m.Dense:
		if n = len(c.X) / m.Input; len(c.X)%m.Input != 0 {
			return 0, fmt.Errorf("streams: X has length %d, want a multiple of the input's width %d", len(c.X), m.Input)
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("streams: the call has no steps: set Call.IDs or Call.X")
	}
	for i, id := range c.IDs {
		if uint(id) >= uint(m.Input) && id != rnn.None {
			return 0, fmt.Errorf("streams: id %d at index %d is outside the %d inputs", id, i, m.Input)
		}
	}
	if err := c.checkOutputs(m, n); err != nil {
		return 0, err
	}
	return n, nil
}

func (c *Call) checkOutputs(m *rnn.Model, n int) error {
	width := stateWidth(m)
	switch {
	case c.Logits != nil && m.Output == 0:
		return fmt.Errorf("streams: the call wants Logits, but the model has no output layer: take Call.States")
	case c.Logits != nil && len(c.Logits) != m.Output && (m.LastStep || len(c.Logits) != n*m.Output):
		return fmt.Errorf("streams: Logits has length %d, want %d after the last step, or %d times as many after each", len(c.Logits), m.Output, n)
	case c.States != nil && len(c.States) != width && len(c.States) != n*width:
		return fmt.Errorf("streams: States has length %d, want %d after the last step, or %d times as many after each", len(c.States), width, n)
	case len(c.Targets) != len(c.LogProbs):
		return fmt.Errorf("streams: the call has %d Targets and room for %d LogProbs, want one for each step", len(c.Targets), len(c.LogProbs))
	case c.Targets == nil:
		return nil
	case m.Output == 0 || m.LastStep:
		return fmt.Errorf("streams: the call has Targets, but the model has no output at each step")
	case len(c.Targets) != n:
		return fmt.Errorf("streams: the call has %d Targets for %d steps, want one for each step", len(c.Targets), n)
	}
	for i, id := range c.Targets {
		if uint(id) >= uint(m.Output) && id != rnn.Ignore {
			return fmt.Errorf("streams: target %d at index %d is outside the %d outputs", id, i, m.Output)
		}
	}
	return nil
}

// stateWidth returns P.
func stateWidth(m *rnn.Model) int {
	if m.Projection > 0 {
		return m.Projection
	}
	return m.Hidden
}
