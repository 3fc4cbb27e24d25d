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

	// The arguments of the last passes.
	ran     bool      // the layers hold the states of a Forward
	ids     []int32   // [T,B], a copy; nil with a dense input
	absent  bool      // some of ids are None
	x       []float32 // [T,B,E], the caller's, or masked
	masked  []float32 // [T,B,E], x with zeros where a sequence has ended; nil before it was needed
	lengths lengths

	outputs // stages 3 and 4

	fromOutputs bool         // the backward pass begins with the output layer
	grads       [2][]float32 // [T,B,W], dH and dZ of the layer at hand, and dH of the one below
	dout        []float32    // [T,B,W], the gradient of what the last layer gives: grads[0], or the caller's
	dhn         []float32    // [L·D,B,H], that of the last states, the caller's; nil for none
	kept        bool         // a pass has filled the layers' dh
	reached     []float32    // [B,W], dJ/dh as it comes back along TimeSkip; nil without
	firstDZ     []float32    // [B,H], dZ of each sequence's first step in reverse; nil before lengths were set

	drop *dropout // nil without

	// What the regions run, and the layer or the product that they are about.
	tasks   tasks
	at      int
	product kernels.Product
}

// tasks are a workspace's parts of passes, made once: a method value is an
// allocation.
type tasks struct {
	starts, steps, passUp, loss, outputs, stepsBack, grads, multiply func(*kernels.Worker)
}

// A layer is what a pass leaves in one layer. Both directions of a layer that has
// two stand side by side in rows of W = 2H.
type layer struct {
	// h holds the states, [T+1,B,W]: slot 0 the initial one, slot t+1 that after
	// step t. A second direction has its initial state in a slot T+1 more.
	h   []float32
	g   []float32 // [T,B,W], the activations; nil without TimeSkip, where they are the states
	out []float32 // [T,B,W], what the layer gives: the states after each step, or with what it read
	up  []float32 // [T,B,W], out as the layer above reads it: itself, or after dropout
	dh  []float32 // [T,B,W], dJ/dh of each step; nil unless KeepStateGradients was called
}

// NewWorkspace returns a workspace for scoring: [Workspace.Forward],
// [Workspace.Loss] and [Workspace.Logits].
func (m *Model) NewWorkspace(steps, batch int) *Workspace {
	m.checkSize(steps, batch)
	rows, width := steps*batch, m.width()
	ws := &Workspace{T: steps, B: batch, m: m}
	if !m.Dense {
		ws.ids = make([]int32, rows)
	}
	for k := range m.Layers {
		slots := steps + m.directions()
		l := layer{h: kernels.Floats(slots * batch * width)}
		l.out = l.h[batch*width:][:rows*width]
		if m.TimeSkip != 0 {
			l.g = kernels.Floats(rows * width)
		}
		if m.Residual && k > 0 {
			l.out = kernels.Floats(rows * width)
		}
		l.up = l.out
		ws.layers = append(ws.layers, l)
	}
	ws.threads = m.engine.Threads()
	ws.plan = m.newPlan(steps, batch, ws.threads)
	ws.newOutputs()
	ws.tasks = tasks{
		ws.startsShare, ws.stepsShare, ws.passUpShare, ws.lossShare,
		ws.outputsShare, ws.stepsBackShare, ws.gradsShare, ws.multiplyShare,
	}
	return ws
}

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

// run is a region of at most n workers about layer k.
func (ws *Workspace) run(n, k int, task func(*kernels.Worker)) {
	ws.at = k
	ws.m.engine.Run(n, task)
}

// productShare is the number of multiply-adds of a product that is worth a worker.
const productShare = 1 << 18

// multiply computes a product on as many workers as it is worth.
func (ws *Workspace) multiply(p kernels.Product) {
	ws.product = p
	ws.run(min(ws.threads, p.B.Panels(), p.M*p.B.K*p.B.N/productShare), 0, ws.tasks.multiply)
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

// top is the last layer.
func (ws *Workspace) top() *layer { return &ws.layers[len(ws.layers)-1] }

// slot returns a slot of h, [B,W].
func (ws *Workspace) slot(h []float32, i int) []float32 {
	n := ws.B * ws.m.width()
	return h[i*n:][:n:n]
}

// before and after are the slots on both sides of step t, as direction d goes.
func before(d, t int) int { return t + 2*d }
func after(_, t int) int  { return t + 1 }

// first and last are the slots of a direction's initial and last states.
func (ws *Workspace) first(d int) int { return d * (ws.T + 1) }
func (ws *Workspace) last(d int) int  { return ws.T - d*(ws.T-1) }

// time returns the s-th step that direction d takes.
func (ws *Workspace) time(d, s int) int {
	if d == 1 {
		return ws.T - 1 - s
	}
	return s
}
