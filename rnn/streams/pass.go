package streams

import (
	"fmt"
	"slices"

	"batchrnn/rnn"
)

// A runner runs passes of one model. While one runs, its leader alone uses the runner,
// but for model. Otherwise whoever has the Batcher's mutex may.
type runner struct {
	model *rnn.Model
	ws    *rnn.Workspace
	room  int // the most steps and rows of a pass in all

	// The pass: all its streams take the same number of steps, so no row is padded. The
	// shortest chunk says how many. Streams whose calls are done make way for others at
	// once.
	batch []*Stream
	steps int
	each  int       // the first rows of the batch, whose logits after each step are wanted
	last  int       // these and those whose logits after the last step are wanted
	again bool      // the batch is that of the pass before, row by row
	done  []*caller // to wake after the pass

	// guests are the streams of the pass before. Those whose home is this runner have
	// their states in its workspace. No other stream has. A runner that takes no new calls
	// has no guests between its passes.
	guests []*Stream

	ids     []int32   // [T,B]
	x       []float32 // [T,B,E]
	targets []int32   // [T,B]; nil until a call has targets
	logits  []float32 // [B,V]; nil until two calls of a pass want logits
}

func newRunner(m *rnn.Model, rows, steps int) *runner {
	room := min(rows*steps, max(steps, roomRows))
	high := (room-1)/rows + 1
	r := &runner{
		model: m, ws: m.NewWorkspace(high, rows), room: high * rows,
		batch: make([]*Stream, 0, rows), done: make([]*caller, 0, rows), guests: make([]*Stream, 0, rows),
	}
	if m.Dense {
		r.x = make([]float32, r.room*m.Input)
	} else {
		r.ids = make([]int32, r.room)
	}
	return r
}

// admit orders the batch and sees to its states. Rows whose logits are wanted come first:
// those after each step, then those after the last one. The Batcher's mutex is held.
func (r *runner) admit() {
	r.each = r.gather(0, (*Stream).wantsEach)
	r.last = r.gather(r.each, (*Stream).wantsLast)
	r.again = r.ws.T == r.steps && r.ws.B == len(r.batch)
	for i, s := range r.batch {
		r.again = r.again && s.home == r && s.row == i
	}
	if !r.again {
		r.vacate()
	}
}

// vacate lets all guests leave, with their states. No pass of r may run.
func (r *runner) vacate() {
	for i, s := range r.guests {
		if s.home == r {
			s.fetch()
			s.home = nil
		}
		r.guests[i] = nil
	}
	r.guests = r.guests[:0]
}

// fetch brings state up to date. No pass of the stream's home may run.
func (s *Stream) fetch() {
	if s.stale {
		s.home.ws.Row(s.row, s.state)
		s.stale = false
	}
}

// run runs the pass. If it panics, as with an engine that is closed, it returns an error.
// The streams then have the states from before.
func (r *runner) run() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("streams: a pass has failed: %v", v)
			r.undo()
		}
	}()
	r.start()
	r.forward()
	for t := range r.steps {
		n := r.each
		if t == r.steps-1 {
			n = r.last
		}
		if n > 0 {
			r.takeLogits(t, n)
		}
	}
	r.takeLogProbs()
	r.takeStates()
	r.keep()
	return nil
}

// start sets the initial states of the pass.
func (r *runner) start() {
	if r.again {
		r.ws.Carry()
		return
	}
	if r.ws.T != r.steps || r.ws.B != len(r.batch) {
		r.ws.Resize(r.steps, len(r.batch))
	}
	for i, s := range r.batch {
		r.ws.SetRow(i, s.state)
	}
}

// keep takes the states after the pass. If the same batch has come twice, it is likely to
// come again: its states stay in the workspace.
func (r *runner) keep() {
	for i, s := range r.batch {
		if s.stale = r.again; !s.stale {
			r.ws.Row(i, s.state)
		}
		s.home, s.row = r, i
	}
	r.guests = append(r.guests[:0], r.batch...)
}

// undo takes the states from before a pass that has failed.
func (r *runner) undo() {
	if r.again {
		r.ws.SetLengths(make([]int32, len(r.batch))) // the last states are the initial ones
		for i, s := range r.batch {
			r.ws.Row(i, s.state)
		}
	}
	for _, s := range r.batch {
		s.home, s.stale = nil, false
	}
	r.ws.Resize(r.steps, len(r.batch))
}

// gather moves the streams for which want holds to the places of the batch from index from
// on. It returns the index behind them.
func (r *runner) gather(from int, want func(*Stream, *runner) bool) int {
	for i := from; i < len(r.batch); i++ {
		if want(r.batch[i], r) {
			r.batch[i], r.batch[from] = r.batch[from], r.batch[i]
			from++
		}
	}
	return from
}

// wantsEach says whether the call takes logits after each step of this pass.
func (s *Stream) wantsEach(r *runner) bool {
	return len(s.call.Logits) > r.model.Output
}

// wantsLast says whether the call takes logits after the last step of this pass.
func (s *Stream) wantsLast(r *runner) bool {
	return s.call.Logits != nil && s.taken+r.steps == s.n
}

// forward runs the network on the next steps of all calls.
func (r *runner) forward() {
	n := len(r.batch)
	if n == 1 { // the call has them in a row
		s := r.batch[0]
		if r.model.Dense {
			e := r.model.Input
			r.ws.ForwardDense(s.call.X[s.taken*e : (s.taken+r.steps)*e])
		} else {
			r.ws.Forward(s.call.IDs[s.taken : s.taken+r.steps])
		}
		return
	}
	if r.model.Dense {
		e := r.model.Input
		for i, s := range r.batch {
			for t := range r.steps {
				copy(r.x[(t*n+i)*e:][:e], s.call.X[(s.taken+t)*e:])
			}
		}
		r.ws.ForwardDense(r.x[:r.steps*n*e])
		return
	}
	for i, s := range r.batch {
		for t, id := range s.call.IDs[s.taken : s.taken+r.steps] {
			r.ids[t*n+i] = id
		}
	}
	r.ws.Forward(r.ids[:r.steps*n])
}

// takeLogits computes the logits of the first n rows after step t of the pass.
func (r *runner) takeLogits(t, n int) {
	v := r.model.Output
	if out := r.inARow(t, n); out != nil {
		r.ws.LogitsRows(out, t, n)
		return
	}
	if r.logits == nil {
		r.logits = make([]float32, cap(r.batch)*v)
	}
	r.ws.LogitsRows(r.logits[:n*v], t, n)
	for i, s := range r.batch[:n] {
		copy(s.at(s.call.Logits, v, t), r.logits[i*v:])
	}
}

// inARow returns the places of the logits of the first n rows after step t if they follow
// each other in memory, otherwise nil.
func (r *runner) inARow(t, n int) []float32 {
	v := r.model.Output
	first := r.batch[0].at(r.batch[0].call.Logits, v, t)
	if cap(first) < n*v {
		return nil
	}
	out := first[:n*v]
	for i, s := range r.batch[1:n] {
		if &s.at(s.call.Logits, v, t)[0] != &out[(i+1)*v] {
			return nil
		}
	}
	return out
}

// at returns the place of step t of this pass in out, which is [n,width], or [width] for
// the last step alone.
func (s *Stream) at(out []float32, width, t int) []float32 {
	if len(out) == width {
		return out
	}
	return out[(s.taken+t)*width:][:width]
}

// takeLogProbs computes the log-probabilities of the targets.
func (r *runner) takeLogProbs() {
	if !slices.ContainsFunc(r.batch, func(s *Stream) bool { return s.call.Targets != nil }) {
		return
	}
	if r.targets == nil {
		r.targets = make([]int32, r.room)
	}
	n := len(r.batch)
	for i, s := range r.batch {
		for t := range r.steps {
			target := int32(rnn.Ignore)
			if s.call.Targets != nil {
				target = s.call.Targets[s.taken+t]
			}
			r.targets[t*n+i] = target
		}
	}
	r.ws.Loss(r.targets[:r.steps*n])
	for i, s := range r.batch {
		if s.call.Targets == nil {
			continue
		}
		for t := range r.steps {
			s.call.LogProbs[s.taken+t] = 0 - r.ws.Losses[t*n+i]
		}
	}
}

// takeStates copies the outputs of the last layer that are wanted.
func (r *runner) takeStates() {
	n, width := len(r.batch), stateWidth(r.model)
	for i, s := range r.batch {
		out := s.call.States
		if out == nil {
			continue
		}
		states, first := r.ws.States(), 0
		if len(out) == width { // only the last step of the call counts
			first = r.steps
			if s.taken+r.steps == s.n {
				first--
			}
		}
		for t := first; t < r.steps; t++ {
			copy(s.at(out, width, t), states[(t*n+i)*width:][:width])
		}
	}
}
