package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// A Workspace holds every buffer of a pass over T steps of B sequences. Making
// one is the only allocation: passes allocate nothing, but for the first that
// leaves rows out (Ignore, SetLengths). One goroutine may use it at a time.
type Workspace struct {
	T, B int // for reading

	// Losses holds the loss of each output in nats, or squares, [T,B], or [B] with
	// Config.LastStep, after Loss or Backward; 0 where none counts.
	Losses []float32

	// The rest exists in training workspaces.

	// Grads holds the gradient of the mean loss after Backward.
	Grads Params
	// DH0 and DX hold the gradients with respect to the initial states,
	// [L·D,B,H], and a dense input, [T,B,E]; nil unless KeepInputGradients was
	// called.
	DH0, DX []float32

	m       *Model
	threads int // the most workers of a pass
	plan    plan
	layers  []layer

	pass    pass
	lengths lengths
	masked  []float32 // [T,B,E], a dense input with zeros where a sequence has ended; nil before it was needed
	drop    *dropout  // nil without

	counted // rows of outputs
	headRoom
	tails *tailWork // nil without an adaptive softmax

	grads   [2][]float32 // [T,B,W], dH and dZ of the layer at hand, and dH of the one below
	kept    bool         // a pass has filled the layers' dh
	reached []float32    // [B,W], dJ/dh as it comes back along TimeSkip; nil without
	firstDZ []float32    // [B,H], dZ of each sequence's first step in reverse; nil before lengths were set

	region  func(*kernels.Worker) // runShare, bound once: a method value is an allocation
	task    func(*Workspace, *kernels.Worker)
	at      int             // the layer that the task is about
	product kernels.Product // or the product
}

// A pass is what the last Forward was given, and the losses and backward passes
// after it.
type pass struct {
	ran    bool      // the layers hold the states of a Forward
	ids    []int32   // [T,B], a copy; nil with a dense input
	absent bool      // some of ids are None
	x      []float32 // [T,B,E], the caller's, or masked

	targets targets
	seen    []float32 // [N,W], what the head sees of the rows that count
	dseen   []float32 // [N,W], its gradient

	fromOutputs bool      // the backward pass begins with the head
	dout        []float32 // [T,B,W], the gradient of what the last layer gives: grads[0], or the caller's
	dhn         []float32 // [L·D,B,H], that of the last states, the caller's; nil for none
}

// NewWorkspace returns a workspace for scoring: [Workspace.Forward],
// [Workspace.Loss] and [Workspace.Logits].
func (m *Model) NewWorkspace(steps, batch int) *Workspace {
	m.checkSize(steps, batch)
	ws := &Workspace{T: steps, B: batch, m: m}
	if !m.Dense {
		ws.pass.ids = make([]int32, steps*batch)
	}
	for k := range m.Layers {
		ws.layers = append(ws.layers, m.newLayer(k, steps, batch))
	}
	ws.threads = m.engine.Threads()
	ws.plan = m.newPlan(steps, batch, ws.threads)
	ws.newOutputs()
	ws.region = ws.runShare
	return ws
}

func (m *Model) checkSize(steps, batch int) {
	if steps < 1 || batch < 1 {
		panic(fmt.Sprintf("rnn: a workspace of %d steps and %d rows: both must be at least 1", steps, batch))
	}
	widest := int64(max(m.width(), m.Output, m.Input))
	if int64(steps) >= maxStates/int64(batch)/widest {
		panic(fmt.Sprintf("rnn: a workspace of %d steps and %d rows %d wide is more than the %d floats that are supported",
			steps, batch, widest, int64(maxStates)))
	}
}

// maxStates bounds each buffer of a workspace, in floats.
const maxStates = 1 << 36

// LimitThreads holds the passes of this workspace to at most n workers, 1 for the
// calling goroutine alone. So one model serves requests, each on one thread, and
// trains on all. It changes no bits. [Model.Step] and [Model.Update] are not
// limited. It panics where n is below 1; more than the engine has is no limit.
func (ws *Workspace) LimitThreads(n int) {
	if n < 1 {
		panic(fmt.Sprintf("rnn: LimitThreads: n is %d, want at least 1", n))
	}
	blockRows := ws.plan.blockRows // what buffers were made for
	ws.threads = min(n, ws.m.engine.Threads())
	ws.plan = ws.m.newPlan(ws.T, ws.B, ws.threads)
	ws.plan.blockRows = blockRows
}

// run is a region of at most n workers about layer k: each does its share of task.
func (ws *Workspace) run(n, k int, task func(*Workspace, *kernels.Worker)) {
	ws.at, ws.task = k, task
	ws.m.engine.Run(n, ws.region)
}

func (ws *Workspace) runShare(w *kernels.Worker) { ws.task(ws, w) }

// productShare is the number of multiply-adds of a product that is worth a worker.
const productShare = 1 << 18

// multiply computes a product on as many workers as it is worth.
func (ws *Workspace) multiply(p kernels.Product) {
	ws.product = p
	ws.run(min(ws.threads, p.B.Panels(), p.M*p.B.K*p.B.N/productShare), 0, (*Workspace).multiplyShare)
	ws.product = kernels.Product{}
}

func (ws *Workspace) multiplyShare(w *kernels.Worker) {
	w.Gemm(ws.product, w.Share(ws.product.B.Panels()))
}

// NewTraining returns a workspace that can also run [Workspace.Backward].
func (m *Model) NewTraining(steps, batch int) *Workspace {
	m.checkWhole("NewTraining")
	ws := m.NewWorkspace(steps, batch)
	m.training.Do(m.train)
	rows, width := steps*batch, m.width()
	ws.Grads = newParams(m.Config)
	ws.grads[0] = kernels.Floats(rows * width)
	if m.Layers > 1 {
		ws.grads[1] = kernels.Floats(rows * width)
	}
	if m.TimeSkip != 0 {
		ws.reached = make([]float32, batch*width)
	}
	if m.Output > 0 {
		ws.trainOutputs()
	}
	return ws
}

// KeepInputGradients makes Backward compute DH0, and DX with a dense input.
func (ws *Workspace) KeepInputGradients() {
	ws.checkTraining("KeepInputGradients")
	ws.DH0 = make([]float32, ws.m.cells()*ws.B*ws.m.Hidden)
	if ws.m.Dense {
		ws.DX = make([]float32, ws.T*ws.B*ws.m.Input)
	}
}

// Shape mistakes and ids out of range panic in the caller's goroutine and before
// anything is written.

func (ws *Workspace) checkTraining(op string) {
	ws.m.checkWhole(op)
	if ws.grads[0] == nil {
		panic("rnn: " + op + " needs a workspace made by NewTraining")
	}
}

func (ws *Workspace) checkRan(op string) {
	if !ws.pass.ran {
		panic("rnn: " + op + " needs the states of a Forward or ForwardDense before it")
	}
}

func (ws *Workspace) checkLen(op, name string, have, want int, formula string) {
	if have != want {
		panic(fmt.Sprintf("rnn: %s: %s has length %d, want %d = %s for T %d, B %d", op, name, have, want, formula, ws.T, ws.B))
	}
}

// outside panics because of an id at an index.
func outside(op, name string, id int32, i, n int, what string) {
	panic(fmt.Sprintf("rnn: %s: %s %d at index %d is outside the %d %s", op, name, id, i, n, what))
}
