package rnn

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// A mistake is a call that must panic, and what its message must name.
type mistake struct {
	name  string
	call  func()
	parts []string
}

// TestMistakes: each mistake panics with the argument, the wanted and the given;
// before anything is written; and leaves the engine usable.
func TestMistakes(t *testing.T) {
	const steps, rows = 3, 33
	c := Config{Input: 6, Layers: 1, Hidden: 20, Output: 7}
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		m := newModel(t, e, c, 1)
		ws := m.NewTraining(steps, rows)
		ws.plan.all(e.Threads()) // however small the passes are
		b := newBatch(c, steps, rows, 1)
		b.forward(ws)
		b.backward(ws)
		want := recorded(ws)

		for _, k := range mistakes(t, e, ws) {
			t.Run(k.name, func(t *testing.T) {
				mustPanic(t, k.call, append(k.parts, "rnn: ")...)
				recorded(ws).same(t, "after the panic", want)
				b.forward(ws)
				b.backward(ws)
				recorded(ws).same(t, "in the next pass", want)
			})
		}
	})
}

// recorded is everything that a mistake must leave alone.
func recorded(ws *Workspace) trace {
	var tr trace
	tr.add("H", ws.layers[0].h)
	tr.add("Losses", ws.Losses)
	tr.add("Grads", ws.Grads.Slab)
	tr.add("parameters", ws.m.Slab)
	return tr
}

func mistakes(t *testing.T, e *kernels.Engine, ws *Workspace) []mistake {
	m, n := ws.m, ws.T*ws.B
	good := make([]int32, n)
	with := func(id int32) []int32 {
		ids := slices.Clone(good)
		ids[n-1] = id
		return ids
	}
	lengths := func(last int32) []int32 {
		l := slices.Repeat([]int32{2}, ws.B)
		l[ws.B-1] = last
		return l
	}
	both := newModel(t, e, Config{Input: m.Output, Layers: 1, Bidirectional: true, Hidden: 5, Output: m.Output, LastStep: true}, 1).NewTraining(ws.T, ws.B)
	both.Forward(good)
	logits := make([]float32, ws.B*m.Output)

	scoring := m.NewWorkspace(ws.T, ws.B)
	dense := newModel(t, e, Config{Input: 4, Dense: true, Layers: 1, Hidden: 20}, 1)
	vectors := dense.NewTraining(ws.T, ws.B)
	vectors.ForwardDense(make([]float32, n*4))
	small := newModel(t, e, Config{Input: 1, Layers: 1, Hidden: 1}, 1)
	lstm := newModel(t, e, Config{Input: m.Input, Cell: LSTM, Layers: 1, Hidden: 20, Projection: 6}, 1)
	gated := lstm.NewTraining(ws.T, ws.B)
	gated.Forward(good)
	vanilla := ws.m.NewState(ws.B)
	hAndC, short := lstm.NewState(ws.B), lstm.NewState(ws.B)
	short.C = short.C[1:]
	fresh := m.NewTraining(ws.T, ws.B)
	freshDense := dense.NewTraining(ws.T, ws.B)

	return []mistake{
		{"Forward: too few ids", func() { ws.Forward(good[1:]) }, []string{"Forward", "ids", "98", "99", "T·B", "T 3", "B 33"}},
		{"Forward: no ids", func() { ws.Forward(nil) }, []string{"Forward", "ids", "0", "99"}},
		{"Forward: id too large", func() { ws.Forward(with(6)) }, []string{"Forward", "id 6", "index 98", "6 inputs"}},
		{"Forward: id negative", func() { ws.Forward(with(-1)) }, []string{"Forward", "id -1", "index 98"}},
		{"Forward: id as small as can be", func() { ws.Forward(with(math.MinInt32)) }, []string{"Forward", "id -2147483648"}},
		{"Forward: dense model", func() { vectors.Forward(good) }, []string{"Forward", "ForwardDense"}},
		{"ForwardDense: model of ids", func() { ws.ForwardDense(make([]float32, n*m.Input)) }, []string{"ForwardDense", "Forward", "Config.Dense"}},
		{"ForwardDense: x too long", func() { vectors.ForwardDense(make([]float32, n*4+1)) }, []string{"ForwardDense", "x", "397", "396", "T·B·E"}},

		{"Loss: too many targets", func() { ws.Loss(append(good, 0)) }, []string{"Loss", "targets", "100", "99"}},
		{"Loss: target too large", func() { ws.Loss(with(7)) }, []string{"Loss", "target 7", "index 98", "7 outputs"}},
		{"Loss: no output layer", func() { vectors.Loss(good) }, []string{"output layer", "Config.Output"}},
		{"Logits: step too late", func() { ws.Logits(logits, 3) }, []string{"Logits", "step 3", "3 steps"}},
		{"Logits: step negative", func() { ws.Logits(logits, -1) }, []string{"Logits", "step -1"}},
		{"Logits: dst too short", func() { ws.Logits(logits[1:], 0) }, []string{"Logits", "dst", "230", "231", "B·V"}},
		{"Logits: no output layer", func() { vectors.Logits(nil, 0) }, []string{"Logits", "output layer"}},
		{"LogitsRows: no row", func() { ws.LogitsRows(nil, 0, 0) }, []string{"LogitsRows", "n is 0", "33 rows"}},
		{"LogitsRows: too many rows", func() { ws.LogitsRows(logits, 0, 34) }, []string{"LogitsRows", "n is 34", "33 rows"}},
		{"LogitsRows: dst too long", func() { ws.LogitsRows(logits, 0, 32) }, []string{"LogitsRows", "dst", "231", "224", "n·V"}},

		{"Backward: target negative", func() { ws.Backward(with(-1)) }, []string{"target -1", "index 98"}},
		{"Backward: too few targets", func() { ws.Backward(good[:5]) }, []string{"targets", "5", "99"}},
		{"Backward: scoring workspace", func() { scoring.Backward(good) }, []string{"Backward", "NewTraining"}},
		{"Backward: no output layer", func() { vectors.Backward(good) }, []string{"output layer", "BackwardStates"}},
		{"Backward: before Forward", func() { fresh.Backward(good) }, []string{"Backward", "Forward"}},
		{"SetLengths: too few", func() { ws.SetLengths(make([]int32, 3)) }, []string{"SetLengths", "3 lengths", fmt.Sprint(ws.B)}},
		{"SetLengths: negative", func() { ws.SetLengths(lengths(-1)) }, []string{"SetLengths", "sequence 32 has -1 steps", "from 0 to the 3"}},
		{"SetLengths: beyond T", func() { ws.SetLengths(lengths(4)) }, []string{"SetLengths", "sequence 32 has 4 steps", "from 0 to the 3"}},
		{"Resize: no steps", func() { ws.Resize(0, 2) }, []string{"Resize", "0 steps of 2 rows", "at least 1"}},
		{"Resize: no rows", func() { ws.Resize(1, 0) }, []string{"Resize", "1 steps of 0 rows", "at least 1"}},
		{"Resize: negative", func() { ws.Resize(-3, -33) }, []string{"Resize", "-3 steps of -33 rows"}},
		{"Resize: too many rows", func() { ws.Resize(1, 34) }, []string{"Resize", "1 steps of 34 rows", "at most 33 rows"}},
		{"Resize: too many steps", func() { ws.Resize(4, 25) }, []string{"Resize", "4 steps of 25 rows", "product of at most 99"}},
		{"Resize: more than an int", func() { ws.Resize(math.MaxInt/2+2, 2) }, []string{"Resize", "product of at most 99"}},
		{"SetRow: no such row", func() { ws.SetRow(33, m.NewState(1)) }, []string{"SetRow", "row 33", "33 rows"}},
		{"SetRow: negative", func() { ws.SetRow(-1, m.NewState(1)) }, []string{"SetRow", "row -1", "33 rows"}},
		{"SetRow: a state of all rows", func() { ws.SetRow(0, vanilla) }, []string{"SetRow", "s.H", "660", "20", "L·D·B·P", "B 1"}},
		{"SetRow: no c", func() { gated.SetRow(0, State{H: lstm.NewState(1).H}) }, []string{"SetRow", "s.C is nil"}},
		{"Row: no such row", func() { ws.Row(33, m.NewState(1)) }, []string{"Row", "row 33", "33 rows"}},
		{"Row: too short", func() { ws.Row(0, State{H: make([]float32, 7)}) }, []string{"Row", "dst.H", "7", "20"}},
		{"Row: before Forward", func() { fresh.Row(0, m.NewState(1)) }, []string{"Row", "Forward"}},
		{"Carry: before Forward", func() { fresh.Carry() }, []string{"Carry", "Forward"}},
		{"CarryRows: before Forward", func() { fresh.CarryRows(good[:fresh.B]) }, []string{"CarryRows", "Forward"}},
		{"SetState: too short", func() { ws.SetState(State{H: make([]float32, 7)}) }, []string{"SetState", "s.H", "7", "660", "L·D·B·P"}},
		{"State: too short", func() { ws.State(State{H: make([]float32, 7)}) }, []string{"State", "dst.H", "7", "660"}},
		{"BackwardStates: last too short", func() { ws.BackwardStates(nil, State{H: make([]float32, 7)}) }, []string{"BackwardStates", "last.H", "7", "660"}},
		{"SetState: no c", func() { gated.SetState(State{H: hAndC.H}) }, []string{"SetState", "s.C is nil", "h and c", "Model.NewState"}},
		{"State: no c", func() { gated.State(State{H: hAndC.H}) }, []string{"State", "dst.C is nil"}},
		{"BackwardStates: no c", func() { gated.BackwardStates(nil, State{H: hAndC.H}) }, []string{"BackwardStates", "last.C is nil"}},
		{"BackwardStates: c alone", func() { gated.BackwardStates(nil, State{C: hAndC.C}) }, []string{"BackwardStates", "last.H", "0", "198"}},
		{"SetState: c too short", func() { gated.SetState(short) }, []string{"SetState", "s.C", "659", "660", "L·D·B·H"}},
		{"SetState: h without projection", func() { gated.SetState(vanilla) }, []string{"SetState", "s.H", "660", "198", "L·D·B·P"}},
		{"SetState: c of a vanilla cell", func() { ws.SetState(State{vanilla.H, hAndC.C}) }, []string{"SetState", "s.C is not nil", "LSTM"}},
		{"State: c of a vanilla cell", func() { ws.State(State{vanilla.H, hAndC.C}) }, []string{"State", "dst.C is not nil", "LSTM"}},
		{"State: empty c of a vanilla cell", func() { ws.State(State{vanilla.H, []float32{}}) }, []string{"State", "dst.C is not nil"}},
		{"InitIdentity: gates", func() { lstm.InitIdentity(1) }, []string{"InitIdentity", "vanilla", "lstm", "InitForget"}},
		{"InitForget: no gates", func() { m.InitForget(1) }, []string{"InitForget", "forget gate", "Config.Cell"}},
		{"InitForget: NaN", func() { lstm.InitForget(float32(math.NaN())) }, []string{"InitForget", "bias is NaN"}},
		{"InitForget: infinite", func() { lstm.InitForget(float32(math.Inf(-1))) }, []string{"InitForget", "bias is -Inf"}},
		{"InitChrono: no gates", func() { m.InitChrono(9, 1) }, []string{"InitChrono", "forget gate", "Config.Cell"}},
		{"InitChrono: too short", func() { lstm.InitChrono(2, 1) }, []string{"InitChrono", "2 steps", "at least 3"}},
		{"BackwardBinary: too short", func() { ws.BackwardBinary(make([]float32, 7)) }, []string{"BackwardBinary", "targets", "7", "693"}},
		{"BackwardBinary: not a probability", func() { v := make([]float32, n*m.Output); v[5] = 1.5; ws.BackwardBinary(v) }, []string{"BackwardBinary", "1.5 at index 5", "from 0 to 1"}},
		{"BackwardSquared: scoring workspace", func() { scoring.BackwardSquared(make([]float32, n*m.Output)) }, []string{"BackwardSquared", "NewTraining"}},
		{"LossSquared: too short", func() { ws.LossSquared(nil) }, []string{"LossSquared", "targets", "0", "693"}},
		{"WeightLabels: too few", func() { ws.WeightLabels(make([]float32, 2)) }, []string{"WeightLabels", "2", "7"}},
		{"WeightRows: too many", func() { ws.WeightRows(make([]float32, 1000)) }, []string{"WeightRows", "1000", "each row"}},
		{"WeightLabels: negative", func() { ws.WeightLabels([]float32{0, 0, 0, -1, 0, 0, 0}) }, []string{"WeightLabels", "label 3", "-1"}},
		{"StateGradNorms: not kept", func() { ws.StateGradNorms(make([]float64, ws.T), 0) }, []string{"Gradients", "KeepStateGradients"}},
		{"StateGradNorms: no such layer", func() { ws.StateGradNorms(make([]float64, ws.T), 1) }, []string{"StateGradNorms", "layer 1", "1 layers"}},
		{"KeepStateGradients: scoring workspace", func() { scoring.KeepStateGradients() }, []string{"KeepStateGradients", "NewTraining"}},
		{"Carry: bidirectional", func() { both.Carry() }, []string{"Carry", "bidirectional"}},
		{"CarryRows: bidirectional", func() { both.CarryRows(good[:both.B]) }, []string{"CarryRows", "bidirectional"}},
		{"CarryRows: too few", func() { ws.CarryRows(good[:2]) }, []string{"CarryRows", "from", "2", "33"}},
		{"CarryRows: no such row", func() { ws.CarryRows(with(33)[n-ws.B:]) }, []string{"CarryRows", "row 33", "index 32", "33 rows"}},
		{"Logits: before the last step", func() { both.Logits(logits, 0) }, []string{"Logits", "step 0", "last step"}},
		{"Backward: targets for every step", func() { both.Backward(good) }, []string{"Backward", "targets", "99", "33", "last step"}},
		{"BackwardStates: scoring workspace", func() { scoring.BackwardStates(nil, State{}) }, []string{"BackwardStates", "NewTraining"}},
		{"BackwardStates: dh too short", func() { ws.BackwardStates(make([]float32, 20), State{}) }, []string{"BackwardStates", "dh", "20", "1980", "T·B·D·P"}},
		{"BackwardStates: before ForwardDense", func() { freshDense.BackwardStates(make([]float32, n*20), State{}) }, []string{"BackwardStates", "Forward"}},

		{"Step: gradient of another model", func() { m.Step(NewSGD(1), small.Slab, 0) }, []string{"Step", "3", "parameters"}},
		{"Step: Adagrad of another model", func() { m.Step(NewAdagrad(small, 1), ws.Grads.Slab, 0) }, []string{"Step", "Adagrad", "3"}},
		{"Step: Adam of another model", func() { m.Step(NewAdam(small, 1), ws.Grads.Slab, 0) }, []string{"Step", "Adam", "3"}},

		{"NewWorkspace: no steps", func() { m.NewWorkspace(0, 1) }, []string{"0 steps", "1 rows", "at least 1"}},
		{"NewTraining: negative batch", func() { m.NewTraining(1, -2) }, []string{"-2 rows", "at least 1"}},
	}
}

// TestChecksHeedLengths: an input or target out of range is refused at each step that its
// sequence has, and read at no other.
func TestChecksHeedLengths(t *testing.T) {
	const steps, rows, outputs = 4, 3, 5
	lengths := []int32{4, 2, 1}
	m := newModel(t, newEngine(t, "", 1), Config{Input: 6, Layers: 1, Hidden: 7, Output: outputs}, 1)
	ws := m.NewTraining(steps, rows)
	ws.SetLengths(lengths)
	ids, targets, vectors := make([]int32, steps*rows), make([]int32, steps*rows), make([]float32, steps*rows*outputs)
	ws.Forward(ids)
	for i := range ids {
		ids[i], targets[i], vectors[i*outputs+2] = 6, outputs, 1.5
		for name, pass := range map[string]func(){
			"id":          func() { ws.Forward(ids) },
			"target":      func() { ws.Loss(targets) },
			"probability": func() { ws.LossBinary(vectors) },
		} {
			if i/rows < int(lengths[i%rows]) {
				mustPanic(t, pass, "rnn: ")
			} else {
				pass()
			}
			if t.Failed() {
				t.Fatalf("%s out of range in step %d of row %d, which has %d", name, i/rows, i%rows, lengths[i%rows])
			}
		}
		ids[i], targets[i], vectors[i*outputs+2] = 0, 0, 0
	}
}

// TestNoneIsNoTarget: the marks of a missing input and of a target that is left out
// differ, so that one in the place of the other is told.
func TestNoneIsNoTarget(t *testing.T) {
	ws := newModel(t, newEngine(t, "generic", 1), Config{Input: 3, Layers: 1, Hidden: 4, Output: 3}, 1).NewTraining(2, 1)
	mustPanic(t, func() { ws.Forward([]int32{1, Ignore}) }, "rnn: Forward", "-100")
	ws.Forward([]int32{1, None})
	mustPanic(t, func() { ws.Backward([]int32{1, None}) }, "rnn: Backward", "-200")
}
