package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// A Workspace holds every buffer of a pass over T steps of B sequences. Passes allocate
// nothing, with two exceptions: the first SetLengths, and the first loss that leaves out
// rows before others (Ignore, lengths). Only one goroutine at a time may use a Workspace.
type Workspace struct {
	T, B int // read-only; Resize sets them

	// Losses holds the loss of each output after Loss or Backward, in nats or squares.
	// It is [T,B], or [B] with Config.LastStep. Rows that don't count have 0.
	Losses []float32

	// The other fields exist only in training workspaces.

	// Grads holds the gradient of the mean loss after Backward.
	Grads Params
	// DState and DX hold the gradients with respect to the initial states and to a dense
	// input, [T,B,E]. They are empty unless KeepInputGradients was called.
	DState State
	DX     []float32

	m       *Model
	threads int // the maximum number of workers of a pass
	plan    plan
	layers  []layer
	// The buffers are for roomRows rows of steps and sequences, and roomB sequences.
	roomRows, roomB int
	// steps is the number of steps that a pass takes: T, or the length of the longest
	// sequence.
	steps int

	pass    pass
	lengths lengths
	masked  []float32 // [T,B,E], in training, a dense input with zeros where a sequence has ended; nil until SetLengths is called
	// embedded is [T,B,E], the rows of the embedding that the first layer reads.
	// dembedded is its gradient. Both are nil without an embedding.
	embedded, dembedded []float32
	drop                *dropout // nil without dropout
	shards              sharding

	counted // rows of outputs
	headRoom
	tails  *tailWork // nil without an adaptive softmax
	choice choices   // of the last LossesAfter

	grads   [2][]float32 // [T,B,W], dH and dZ of the current layer, and dH of the one below
	kept    bool         // a backward pass has filled the layers' dh
	back    backPass     // of gated cells
	reached []float32    // [B,W], dJ/dh along TimeSkip; nil without TimeSkip
	firstDZ []float32    // [B,H], dZ of each sequence's first step in reverse; nil until SetLengths is called

	region  func(*kernels.Worker) // runShare, bound once because a method value allocates
	task    func(*Workspace, *kernels.Worker)
	at      int             // the layer of the current task
	product kernels.Product // the product of the current task
}

// A pass holds the inputs of the last Forward, and of the losses and backward passes
// after it.
type pass struct {
	ran    bool      // the layers hold the states of a Forward
	ids    []int32   // [T,B], a copy in the room of all rows; nil with a dense input
	absent bool      // some of ids are None
	x      []float32 // [T,B,E], the caller's slice, or masked

	targets targets
	seen    []float32 // [N,W], the head's input for the rows that count
	dseen   []float32 // [N,W], the gradient of seen

	fromOutputs bool      // the backward pass begins at the head
	dout        []float32 // [T,B,W], the gradient of the last layer's output: grads[0], or the caller's slice
	dlast       State     // the gradient of the last states, the caller's slices; nil for zeros
}

// NewWorkspace returns a workspace for scoring: [Workspace.Forward], [Workspace.Loss]
// and [Workspace.Logits].
func (m *Model) NewWorkspace(steps, batch int) *Workspace {
	m.checkSize(steps, batch)
	ws := &Workspace{T: steps, B: batch, m: m, roomRows: steps * batch, roomB: batch, steps: steps}
	if !m.Dense {
		ws.pass.ids = make([]int32, steps*batch)
	}
	if m.embeds() {
		ws.embedded = kernels.Floats(steps * batch * m.reads(0))
	}
	for k := range m.Layers {
		ws.layers = append(ws.layers, m.newLayer(k, steps, batch))
	}
	ws.threads = m.engine.Threads()
	ws.plan.set(m, steps, batch, ws.threads)
	ws.newOutputs()
	ws.region = ws.runShare
	return ws
}

func (m *Model) checkSize(steps, batch int) {
	if steps < 1 || batch < 1 {
		panic(fmt.Sprintf("rnn: a workspace of %d steps and %d rows: both must be at least 1", steps, batch))
	}
	widest := int64(max(m.gateWidth()+2*m.directions()*m.Hidden, m.Output, m.Input, m.reads(0)))
	if int64(steps) >= maxStates/int64(batch)/widest {
		panic(fmt.Sprintf("rnn: a workspace of %d steps and %d rows %d wide is more than the %d floats that are supported",
			steps, batch, widest, int64(maxStates)))
	}
}

// maxStates bounds each buffer of a workspace, in floats.
const maxStates = 1 << 36

// LimitThreads limits the passes of this workspace to n workers. With n = 1 passes run
// on the calling goroutine alone. A larger n than the engine's threads is no limit. It
// changes no bits. It panics if n is below 1.
//
// One model can so serve requests on one thread each, and train on all threads.
// [Model.Step] and [Model.Update] are not limited.
func (ws *Workspace) LimitThreads(n int) {
	if n < 1 {
		panic(fmt.Sprintf("rnn: LimitThreads: n is %d, want at least 1", n))
	}
	ws.threads = min(n, ws.m.engine.Threads())
	ws.replan()
}

// replan plans the passes anew.
func (ws *Workspace) replan() {
	blockRows := ws.plan.blockRows // what buffers were made for
	ws.plan.set(ws.m, ws.steps, ws.B, ws.threads)
	ws.plan.blockRows = blockRows
}

// Resize makes the workspace one of T = steps and B = batch, in the memory that it has. It
// allocates nothing. A pass then costs what it costs in a workspace made for T and B, and
// gives the same bits.
//
// Losses, DState and DX get the new sizes. Initial states become zeros. The lengths, the
// weights of rows, the Shard and the last pass are forgotten. All else stays: weights of
// labels, Dropout, a limit of threads.
//
// It panics if B is above that of NewWorkspace or NewTraining, or if T·B is above
// theirs, or if one of them is below 1.
func (ws *Workspace) Resize(steps, batch int) {
	if steps < 1 || batch < 1 || batch > ws.roomB || steps > ws.roomRows/batch {
		panic(fmt.Sprintf("rnn: Resize: %d steps of %d rows: want at least 1 of each, at most %d rows, and a product of at most %d, for which the workspace was made",
			steps, batch, ws.roomB, ws.roomRows))
	}
	m, rows := ws.m, steps*batch
	ws.T, ws.B, ws.steps = steps, batch, steps
	ws.pass.ran, ws.pass.x, ws.kept = false, nil, false
	ws.lengths.of, ws.rowWeights = nil, nil
	for k := range ws.layers {
		ws.layers[k].resize(m, k, rows, batch)
	}
	if m.Output > 0 {
		if ws.rows = rows; m.LastStep {
			ws.rows = batch
		}
		ws.Losses = ws.Losses[:ws.rows]
	}
	if ws.DState.H != nil {
		ws.sizeInputGrads()
	}
	ws.endShard()
	ws.replan()
	ws.Reset()
}

// run starts a region of at most n workers on layer k. Each worker does its share of
// task.
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
	if m.Layers > 1 && m.Cell == Vanilla {
		ws.grads[1] = kernels.Floats(rows * width)
	}
	if m.embeds() {
		ws.dembedded = kernels.Floats(len(ws.embedded))
	}
	ws.back = m.newBackPass(steps, batch)
	if m.TimeSkip != 0 {
		ws.reached = make([]float32, batch*width)
	}
	if m.Output > 0 {
		ws.trainOutputs()
	}
	return ws
}

// PassBytes returns the size of the activations and gradients of a training workspace
// of that many steps and rows, without those of the output layer.
func (c Config) PassBytes(steps, batch int) int64 {
	rows, slots := int64(steps)*int64(batch), int64(steps+c.directions())*int64(batch)
	width, units := int64(c.width()), int64(c.directions()*c.Hidden)
	layer, shared := slots*width, rows*width+2*rows*int64(c.Embedding)
	if c.Residual || c.TimeSkip != 0 {
		layer += rows * width
	}
	switch c.Cell {
	case Vanilla:
		if c.Layers > 1 {
			shared += rows * width
		}
	case LSTM:
		layer += slots * units
		fallthrough
	default:
		layer += rows * units * int64(c.Cell.kept())
		shared += rows * units * gradGroups
	}
	if c.Projection > 0 {
		layer += rows * units
		shared += rows * width
	}
	return 4 * (int64(c.Layers)*layer + shared)
}

// KeepInputGradients makes Backward compute DState, and also DX if the input is dense.
func (ws *Workspace) KeepInputGradients() {
	ws.checkTraining("KeepInputGradients")
	ws.DState = ws.m.NewState(ws.roomB)
	if ws.m.Dense {
		ws.DX = make([]float32, ws.roomRows*ws.m.Input)
	}
	ws.sizeInputGrads()
}

// sizeInputGrads gives DState and DX their sizes for T and B.
func (ws *Workspace) sizeInputGrads() {
	n := ws.m.cells() * ws.B
	ws.DState.H = ws.DState.H[:n*ws.m.stateWidth()]
	if ws.m.Cell == LSTM {
		ws.DState.C = ws.DState.C[:n*ws.m.Hidden]
	}
	if ws.m.Dense {
		ws.DX = ws.DX[:ws.T*ws.B*ws.m.Input]
	}
}

// Shape mistakes and ids out of range panic in the caller's goroutine, before anything
// is written.

// trains says whether the workspace was made by NewTraining.
func (ws *Workspace) trains() bool { return ws.grads[0] != nil }

func (ws *Workspace) checkTraining(op string) {
	ws.m.checkWhole(op)
	if !ws.trains() {
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

// outside panics with a message about id, which stands at index i.
func outside(op, name string, id int32, i, n int, what string) {
	panic(fmt.Sprintf("rnn: %s: %s %d at index %d is outside the %d %s", op, name, id, i, n, what))
}
