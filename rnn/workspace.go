package rnn

import "batchrnn/kernels"

// A Workspace holds every buffer of a pass over T steps of B sequences. Making
// one is the only allocation: passes allocate nothing. One goroutine may use it
// at a time.
type Workspace struct {
	T, B int // for reading

	// H holds the states, [T+1,B,H]: slot 0 the initial one, slot t+1 that after
	// step t.
	H []float32
	// Losses holds the cross-entropy of each row in nats, [T,B], after Loss or
	// Backward.
	Losses []float32

	// The rest exists in training workspaces.

	// Grads holds the gradient of the mean loss after Backward.
	Grads Params
	// DH0 and DX hold the gradients with respect to the initial state, [B,H],
	// and a dense input, [T,B,E]; nil unless KeepInputGradients was called.
	DH0, DX []float32

	m    *Model
	plan plan

	// The arguments of the last passes.
	ran     bool      // H holds the states of a Forward
	ids     []int32   // [T,B], a copy; nil with a dense input
	x       []float32 // [T,B,E], the caller's
	targets []int32   // [T,B], classes of the head: the caller's where it is all; nil: the loss is of the states
	seen    []float32 // [T,B,H], the states as the output layer sees them
	dh      []float32 // [T,B,H], dH without what comes from later steps: dz or the caller's

	logits []float32       // [blockRows,classes of the head], twice that for training
	blocks []outputBlock   // all rows of T·B
	dz     []float32       // [T,B,H]: dH of the output layer, then dZ
	dzP    *kernels.Packed // T·B×H
	tails  *tailWork       // nil without an adaptive softmax
	drop   *dropout        // nil without

	forward, loss, backward func(*kernels.Worker)
}

// NewWorkspace returns a workspace for scoring: [Workspace.Forward],
// [Workspace.Loss] and [Workspace.Logits].
func (m *Model) NewWorkspace(steps, batch int) *Workspace {
	m.checkSize(steps, batch)
	rows := steps * batch
	ws := &Workspace{
		T: steps, B: batch, m: m,
		H:      kernels.Floats((steps + 1) * batch * m.Hidden),
		Losses: make([]float32, rows),
	}
	if !m.Dense {
		ws.ids = make([]int32, rows)
	}
	ws.plan = m.newPlan(steps, batch)
	ws.logits = make([]float32, ws.plan.blockRows*m.head())
	if len(m.Cutoffs) > 0 {
		ws.tails = m.newTailWork(rows, batch)
	}
	ws.forward, ws.loss, ws.backward = ws.forwardShare, ws.lossShare, ws.backwardShare
	return ws
}

// NewTraining returns a workspace that can also run [Workspace.Backward].
func (m *Model) NewTraining(steps, batch int) *Workspace {
	m.checkWhole("NewTraining")
	ws := m.NewWorkspace(steps, batch)
	m.training.Do(m.train)
	rows := steps * batch
	ws.Grads = newParams(m.Config)
	ws.dz = kernels.Floats(rows * m.Hidden)
	ws.dzP = m.engine.NewPacked(rows, m.Hidden)
	if m.Output > 0 {
		ws.plan.blockRows = m.trainingBlockRows(rows)
		var bufs [2]*kernels.Packed
		ws.logits = make([]float32, len(bufs)*ws.plan.blockRows*m.head())
		right := m.head() // columns of what dWy, or its transpose, is a product with
		if m.Tied {
			right = m.Hidden
		}
		for lo := 0; lo < rows; lo += ws.plan.blockRows {
			i := len(ws.blocks)
			if i < len(bufs) {
				bufs[i] = m.engine.NewPacked(ws.plan.blockRows, right)
			}
			span := kernels.Span{Lo: lo, Hi: min(lo+ws.plan.blockRows, rows)}
			ws.blocks = append(ws.blocks, outputBlock{span, bufs[i%2].First(span.Len())})
		}
	}
	if ws.tails != nil {
		ws.tails.train(m, rows, batch)
	}
	return ws
}

// KeepInputGradients makes Backward compute DH0, and DX with a dense input.
func (ws *Workspace) KeepInputGradients() {
	ws.checkTraining("KeepInputGradients")
	ws.DH0 = make([]float32, ws.B*ws.m.Hidden)
	if ws.m.Dense {
		ws.DX = make([]float32, ws.T*ws.B*ws.m.Input)
	}
}

// Reset sets the initial state to zero.
func (ws *Workspace) Reset() { clear(ws.state(0)) }

// Carry makes the last state the initial one of the next pass, so that a stream
// can be fed in pieces and trained by truncated BPTT. It comes after Backward,
// which still needs the initial state.
func (ws *Workspace) Carry() { copy(ws.state(0), ws.state(ws.T)) }

// state returns slot t of H, [B,H].
func (ws *Workspace) state(t int) []float32 {
	n := ws.B * ws.m.Hidden
	return ws.H[t*n:][:n:n]
}
