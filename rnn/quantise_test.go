package rnn

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"batchrnn/kernels"
)

// int8Configs are networks of every kind of weight.
var int8Configs = map[string]Config{
	"vanilla":    {Input: 30, Layers: 2, Hidden: 70, Output: 30, Residual: true},
	"skip":       {Input: 30, Layers: 1, Hidden: 33, Output: 30, Activation: ReLU, TimeSkip: 0.25},
	"tied":       {Input: 30, Layers: 1, Hidden: 64, Output: 30, Tied: true},
	"LSTM":       {Input: 30, Layers: 2, Hidden: 40, Output: 30, Cell: LSTM, Embedding: 16, Projection: 24},
	"GRU":        {Input: 30, Layers: 1, Hidden: 65, Output: 30, Cell: GRU, Embedding: 65, Tied: true},
	"before":     {Input: 30, Layers: 1, Hidden: 50, Output: 30, Cell: GRUResetBefore, TwoBiases: true},
	"dense":      {Input: 11, Dense: true, Layers: 1, Hidden: 40, Output: 5, Cell: GRU, Bidirectional: true, LastStep: true},
	"adaptive":   {Input: 90, Layers: 1, Hidden: 32, Output: 90, Cell: LSTM, Cutoffs: []int{20, 50}},
	"no outputs": {Input: 30, Layers: 1, Hidden: 31, Cell: LSTM},
}

// TestQuantise holds the states of quantised models against those of the models that they
// were made of, and a model that was written and read against the one before.
func TestQuantise(t *testing.T) {
	for name, c := range int8Configs {
		t.Run(name, func(t *testing.T) {
			m, err := New(newEngine(t, "", 1), c, 7)
			if err != nil {
				t.Fatal(err)
			}
			q, err := m.Quantise(nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := q.Bytes(q.Engine()), heldInt8(q); got != want {
				t.Errorf("Bytes is %d, want %d", got, want)
			}
			const steps, batch = 7, 3
			want, got := statesOf(m, steps, batch), statesOf(q, steps, batch)
			worst := 0.0
			for i := range want {
				if d := math.Abs(float64(got[i] - want[i])); !(d <= worst) {
					worst = d
				}
			}
			if !(worst > 0 && worst < 0.05) {
				t.Errorf("the largest difference of a state is %g", worst)
			}

			var file bytes.Buffer
			n, err := q.WriteInt8(&file)
			if err != nil || n != int64(file.Len()) || n != q.Int8Bytes() {
				t.Fatalf("WriteInt8 wrote %d of %d bytes, and says %d, %v", file.Len(), q.Int8Bytes(), n, err)
			}
			read, err := ReadInt8(q.Engine(), q.Config, &file)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range statesOf(read, steps, batch) {
				if v != got[i] {
					t.Fatalf("value %d of a model that was written and read is %v, want %v", i, v, got[i])
				}
			}
		})
	}
}

// heldInt8 returns the bytes of the weights that a quantised model holds.
func heldInt8(q *Model) (n int64) {
	for i := range q.table {
		w := &q.table[i]
		if w.bias() {
			n += 4 * int64(len(*q.view(w)))
			continue
		}
		p := &q.packed[w.role][w.i]
		n += int64(len(p.table.q) + 4*len(p.table.scales))
		for _, b := range p.plain {
			n += q.engine.PackedInt8Bytes(b.K, b.N)
		}
	}
	for _, sum := range q.sums {
		n += 4 * int64(len(sum))
	}
	return n
}

// statesOf returns the outputs of the last layer.
func statesOf(m *Model, steps, batch int) []float32 {
	ws := m.NewWorkspace(steps, batch)
	if m.Dense {
		x := make([]float32, steps*batch*m.Input)
		for i := range x {
			x[i] = float32(math.Sin(float64(i)))
		}
		ws.ForwardDense(x)
	} else {
		ids := make([]int32, steps*batch)
		for i := range ids {
			ids[i] = int32(i * 7 % m.Input)
		}
		ws.Forward(ids)
	}
	return append([]float32(nil), ws.top().out...)
}

// TestReadInt8Refuses: values that no quantised model has, and files that are too short.
func TestReadInt8Refuses(t *testing.T) {
	m, err := New(newEngine(t, "", 1), Config{Input: 3, Layers: 1, Hidden: 2, Output: 3}, 7)
	if err != nil {
		t.Fatal(err)
	}
	q, err := m.Quantise(nil)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := q.WriteInt8(&file); err != nil {
		t.Fatal(err)
	}
	with := func(at int, bytes ...byte) []byte {
		b := slices.Clone(file.Bytes())
		copy(b[at:], bytes)
		return b
	}
	nan := []byte{0, 0, 0xc0, 0x7f}
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"a NaN scale":      {with(0, nan...), "a scale is NaN"},
		"a negative scale": {with(3, 0xbf), "a scale is -"},
		"a huge scale":     {with(0, 0, 0, 0x7f, 0x7f), "a scale is 3.3"},
		"a value of -128":  {with(12, 0x80), "-128"},
		"a NaN bias":       {with(3*4+6+2*4+4, nan...), "a value is NaN"},
		"a byte too few":   {file.Bytes()[:file.Len()-1], "EOF"},
	} {
		if _, err := ReadInt8(q.Engine(), q.Config, bytes.NewReader(test.file)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
	if _, err := m.WriteInt8(&file); err == nil || !strings.Contains(err.Error(), "Quantise") {
		t.Errorf("a model of float32: error %v", err)
	}
}

// TestQuantiseOnlyScores: a quantised model refuses what needs float32 weights.
func TestQuantiseOnlyScores(t *testing.T) {
	c := Config{Input: 5, Layers: 1, Hidden: 9, Output: 5}
	m := newModel(t, newEngine(t, "", 1), c, 1)
	q := quantised(t, m)
	q.Compact() // changes nothing
	for name, call := range map[string]func(){
		"NewTraining":      func() { q.NewTraining(1, 1) },
		"Update":           q.Update,
		"Step":             func() { q.Step(NewSGD(1), nil, 0) },
		"InitIdentity":     func() { q.InitIdentity(1) },
		"WriteSafetensors": func() { q.WriteSafetensors(&bytes.Buffer{}) },
	} {
		mustPanic(t, call, "rnn: "+name, "quantised")
	}
	if _, err := q.Quantise(nil); err == nil || !strings.Contains(err.Error(), "quantised already") {
		t.Errorf("Quantise of a quantised model: %v", err)
	}
	if _, err := New(m.Engine(), q.Config, 1); err == nil || !strings.Contains(err.Error(), "Quantise") {
		t.Errorf("New of a Config with Int8: %v", err)
	}
	if _, err := m.WriteInt8(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "Quantise") {
		t.Errorf("WriteInt8 of float32 weights: %v", err)
	}
	m.Compact()
	if _, err := m.Quantise(nil); err == nil || !strings.Contains(err.Error(), "compact") {
		t.Errorf("Quantise of a compact model: %v", err)
	}
}

// TestQuantiseOddWeights: NaN and infinities are refused by name. An outlier costs its own
// column alone its precision. A column of zeros stays one.
func TestQuantiseOddWeights(t *testing.T) {
	c := Config{Input: 5, Layers: 1, Hidden: 40, Output: 5, Cell: LSTM}
	e := newEngine(t, "", 1)
	for name, set := range map[string]func(m *Model, v float32){
		"weight_hh_l0": func(m *Model, v float32) { m.Cells[0].Wh[77] = v },
		"weight_ih_l0": func(m *Model, v float32) { m.Cells[0].Wx[3] = v },
		"bias_ih_l0":   func(m *Model, v float32) { m.Cells[0].Bh[3] = v },
		"out.weight":   func(m *Model, v float32) { m.Wy[3] = v },
	} {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			m := newModel(t, e, c, 1)
			set(m, float32(v))
			if _, err := m.Quantise(nil); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("Quantise with %s of %v: %v", name, v, err)
			}
		}
	}

	const outlier, zeros = 7, 11 // columns of Wy
	dense := Config{Input: 5, Layers: 1, Hidden: 40, Output: 50}
	logits := func(m *Model) []float32 {
		ws := m.NewWorkspace(1, 1)
		ws.Forward([]int32{2})
		y := make([]float32, m.Output)
		ws.Logits(y, 0)
		return y
	}
	plain := newModel(t, e, dense, 1)
	for i := range plain.Hidden {
		plain.Wy[i*plain.Output+zeros] = 0
	}
	want := logits(quantised(t, plain))
	if got := want[zeros]; got != plain.By[zeros] {
		t.Errorf("the output of a column of zeros is %v, want its bias, %v", got, plain.By[zeros])
	}
	plain.Wy[3*plain.Output+outlier] = 1e30
	for j, got := range logits(quantised(t, plain)) {
		if j != outlier && got != want[j] {
			t.Errorf("output %d is %v beside an outlier, and %v without", j, got, want[j])
		}
	}
}

// TestQuantiseNaN: a state that is not finite makes all outputs of its row NaN, and no
// other row's.
func TestQuantiseNaN(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			q := quantised(t, newModel(t, e, Config{Input: 5, Layers: 1, Hidden: 70}, 1))
			ws := q.NewWorkspace(1, 3)
			state := q.NewState(3)
			state.H[70+69] = float32(v)
			ws.SetState(state)
			ws.Forward([]int32{1, 2, 3})
			for i, h := range ws.States() {
				if got, want := h != h, i/70 == 1; got != want {
					t.Fatalf("a state of %v in row 1: unit %d of row %d is %v", v, i%70, i/70, h)
				}
			}
		}
	})
}

// TestQuantiseNoAllocations: passes of a quantised model allocate nothing.
func TestQuantiseNoAllocations(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for name, c := range int8Configs {
			if c.Dense || c.Output == 0 {
				continue
			}
			const steps, batch = 4, 5
			ws := quantised(t, newModel(t, e, c, 1)).NewWorkspace(steps, batch)
			b := newBatch(c, steps, batch, 1)
			logits := make([]float32, batch*c.Output)
			run := func() {
				b.forward(ws)
				ws.Loss(b.targets)
				ws.Logits(logits, steps-1)
				ws.Carry()
			}
			run()
			if n := testing.AllocsPerRun(5, run); n != 0 {
				t.Errorf("%s: a pass allocates %v times", name, n)
			}
		}
	})
}
