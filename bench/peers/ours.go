package main

import (
	"slices"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// slowFlops is the largest work for the generic Set, which runs at about 10 GFLOP/s.
const slowFlops = 4e9

// Ours returns this project with each instruction set of this machine. The first is the
// one that the dispatch picks. A set that differs from another in int8 alone runs int8 alone.
func Ours() []*Impl {
	var impls []*Impl
	for _, isa := range slices.Backward(isas()) {
		impls = append(impls, ourImpl("batchrnn-"+isa, isa, func(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
			if w.Kind != "int8" && !slices.Contains(kernels.FloatISAs(), isa) {
				return nil, errUnsupported
			}
			if isa == "generic" && w.Flops() > slowFlops {
				return nil, errSlow
			}
			return newOurs(e, w, d)
		}))
	}
	return impls
}

// ourImpl returns an implementation on engines of one instruction set. They are made when
// they are needed.
func ourImpl(name, isa string, open func(e *kernels.Engine, w Workload, d *Data) (Instance, error)) *Impl {
	engines := map[int]*kernels.Engine{} // by threads
	return &Impl{
		Name: name,
		Ours: true,
		New: func(w Workload, d *Data, threads int) (Instance, error) {
			if engines[threads] == nil {
				e, err := kernels.New(isa, threads)
				if err != nil {
					return nil, err
				}
				engines[threads] = e
			}
			return open(engines[threads], w, d)
		},
		Close: func() {
			for _, e := range engines {
				e.Close()
			}
		},
	}
}

func newOurs(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
	switch w.Kind {
	case "gemm":
		return oursGemm(e, w, d), nil
	case "blas", "lapack":
		return oursAlgebra(e, w, d), nil
	case "rnn", "int8":
		return oursRNN(e, w, d)
	case "train":
		return oursTrain(e, w, d)
	case "onnx":
		return oursONNX(e, d)
	case "streams":
		return oursStreams(e, w, d)
	}
	return oursActivation(e, w, d), nil
}

func oursGemm(e *kernels.Engine, w Workload, d *Data) Instance {
	c := d.Operands.C
	p := kernels.Product{M: w.M, A: d.Operands.A, LDA: w.LDA(), TransA: w.TransA, C: c, LDC: w.N}
	b := kernels.Matrix{K: w.K, N: w.N, Data: d.Operands.B, LD: w.LDB(), Trans: w.TransB}
	run := func() { e.GemmPlain(p, b) }
	if w.Pack != "each" {
		p.B = e.NewPacked(w.K, w.N)
		e.Pack(p.B, w.TransB, d.Operands.B, w.LDB())
		run = func() { e.Gemm(p) }
	}
	return &timed{
		results: func() Results { run(); return Results{"c": widen(c)} },
		run:     loop(run),
	}
}

func oursActivation(e *kernels.Engine, w Workload, d *Data) Instance {
	f := map[string]func(dst, src []float32){"tanh": e.Tanh, "sigmoid": e.Sigmoid, "exp": e.Exp}[w.Act]
	y := make([]float32, w.Count)
	run := func() { f(y, d.Src) }
	return &timed{
		results: func() Results { run(); return Results{"y": widen(y)} },
		run:     loop(run),
	}
}

func oursRNN(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
	c := rnn.Config{Input: w.E, Dense: true, Layers: 1, Hidden: w.H, Cell: cellKinds[w.Cell], Activation: map[string]rnn.Activation{"tanh": rnn.Tanh, "relu": rnn.ReLU}[w.Act]}
	if w.E == 0 {
		c.Input, c.Dense = ids, false
	}
	m, err := newModel(e, c, d)
	if err != nil {
		return nil, err
	}
	if w.Kind == "int8" {
		if m, err = m.Quantise(nil); err != nil {
			return nil, err
		}
	}
	var ws *rnn.Workspace
	if w.Backward() {
		ws = m.NewTraining(w.T, w.B)
		ws.KeepInputGradients()
	} else {
		ws = m.NewWorkspace(w.T, w.B)
	}
	forward := func() {
		if c.Dense {
			ws.ForwardDense(d.X)
		} else {
			ws.Forward(d.IDs)
		}
		if w.Carry() {
			ws.Carry()
		}
	}
	pass := map[string]func(){
		"forward":  forward,
		"backward": func() { ws.BackwardStates(d.DH, rnn.State{}) },
		"both":     func() { forward(); ws.BackwardStates(d.DH, rnn.State{}) },
	}[w.Pass]
	run := pass
	if w.Pack == "each" {
		run = func() { m.Update(); pass() }
	}
	results := func() Results {
		if w.Carry() {
			ws.SetState(rnn.State{H: d.H0, C: d.C0})
		}
		forward()
		r := Results{"h": widen(ws.States())}
		if w.Backward() {
			ws.BackwardStates(d.DH, rnn.State{})
			r["dx"] = widen(ws.DX)
			r.addCell(ws.Grads.Cells[0])
		}
		return r
	}
	return &timed{results: results, run: loop(run)}, nil
}

func oursTrain(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
	m, err := newModel(e, rnn.Config{Input: w.V, Layers: 1, Hidden: w.H, Output: w.V, Cell: cellKinds[w.Cell]}, d)
	if err != nil {
		return nil, err
	}
	ws, opt := m.NewTraining(w.T, w.B), rnn.NewAdam(m, learningRate)
	step := func() float64 {
		ws.Forward(d.IDs)
		loss := ws.Backward(d.Targets)
		m.Step(opt, ws.Grads.Slab, clipNorm)
		ws.Carry()
		return float64(loss)
	}
	results := func() Results {
		ws.Forward(d.IDs)
		ws.Backward(d.Targets)
		r := Results{"dwy": widen(ws.Grads.Wy), "dby": widen(ws.Grads.By)}
		r.addCell(ws.Grads.Cells[0])
		for range trainedSteps {
			r["loss"] = append(r["loss"], step())
		}
		return r
	}
	return &timed{results: results, run: loop(func() { step() })}, nil
}

var cellKinds = map[string]rnn.CellKind{"": rnn.Vanilla, "lstm": rnn.LSTM, "gru": rnn.GRU}

// addCell adds copies of the gradients of a cell.
func (r Results) addCell(g rnn.Cell) {
	r["dwx"], r["dwh"], r["dbh"] = widen(g.Wx), widen(g.Wh), widen(g.Bh)
	if g.Br != nil {
		r["dbr"] = widen(g.Br)
	}
}

// newModel returns a model with the parameters of d.
func newModel(e *kernels.Engine, c rnn.Config, d *Data) (*rnn.Model, error) {
	m, err := rnn.New(e, c, 1)
	if err != nil {
		return nil, err
	}
	cell := m.Cells[0]
	copy(cell.Wx, d.Wx)
	copy(cell.Wh, d.Wh)
	copy(cell.Bh, d.Bh)
	copy(cell.Br, d.Br)
	copy(m.We, d.We)
	copy(m.Wy, d.Wy)
	copy(m.By, d.By)
	m.Update()
	return m, nil
}
