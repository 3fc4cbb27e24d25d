package onnx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"batchrnn/internal/ort"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// newNetwork returns a network whose weights and biases are all random.
func newNetwork(t testing.TB, c rnn.Config, seed uint64) *rnn.Model {
	t.Helper()
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := rnn.New(e, c, seed)
	if err != nil {
		t.Fatal(err)
	}
	r, scale := rand.New(rand.NewPCG(seed, 1)), float32(0.5)
	if c.Activation == rnn.ReLU || c.Activation == rnn.Identity {
		scale = 0.2 // states must not grow from step to step, or rounding does too
	}
	for i := range m.Slab {
		m.Slab[i] = scale * float32(r.NormFloat64())
	}
	m.Update()
	return m
}

// networks calls check with every combination of cells, directions, layers, inputs and
// outputs that is valid.
func networks(check func(c rnn.Config)) {
	cells := []rnn.Config{
		{Activation: rnn.Tanh}, {Activation: rnn.ReLU}, {Activation: rnn.Sigmoid}, {Activation: rnn.Identity},
		{Cell: rnn.LSTM}, {Cell: rnn.GRU}, {Cell: rnn.GRUResetBefore},
		{Cell: rnn.LSTM, TwoBiases: true}, {Cell: rnn.GRUResetBefore, TwoBiases: true}, {TwoBiases: true},
		{Cell: rnn.LSTM, Projection: 3}, {Cell: rnn.LSTM, Projection: 3, TwoBiases: true},
		{TimeSkip: 0.25}, {TimeSkip: 0.5, Activation: rnn.ReLU, TwoBiases: true}, {TimeSkip: 0.5, Activation: rnn.Sigmoid}, {TimeSkip: 0.5, Activation: rnn.Identity},
	}
	for _, c := range cells {
		c.Hidden = 5
		for _, c.Bidirectional = range []bool{false, true} {
			width := c.Hidden
			if c.Projection > 0 {
				width = c.Projection
			}
			if c.Bidirectional {
				width *= 2
			}
			for c.Layers = 1; c.Layers <= 3; c.Layers++ {
				for _, c.Residual = range []bool{false, true} {
					for _, input := range []string{"dense", "ids", "embedding"} {
						c.Input, c.Dense, c.Embedding = 11, input == "dense", 0
						if input == "embedding" {
							c.Embedding = width
						}
						for _, output := range []string{"none", "plain", "tied", "adaptive"} {
							c.Output, c.Tied, c.Cutoffs = 11, output == "tied", nil
							switch output {
							case "none":
								c.Output = 0
							case "adaptive":
								c.Cutoffs = []int{4, 7}
							}
							for _, c.LastStep = range []bool{false, true} {
								if c.Validate() == nil {
									check(c)
								}
							}
						}
					}
				}
			}
		}
	}
}

// A trial is a pass of a network: its inputs and outputs under the names in a file.
type trial struct{ inputs, outputs map[string]ort.Tensor }

// newTrial runs m on random inputs and initial states.
func newTrial(m *rnn.Model, steps, batch int, r *rand.Rand) trial {
	ws := m.NewWorkspace(steps, batch)
	state := m.NewState(batch)
	cells := len(m.Cells)
	x := trial{map[string]ort.Tensor{}, map[string]ort.Tensor{}}
	normal := func(v []float32) {
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
	}
	normal(state.H)
	normal(state.C)
	x.inputs["h0"] = ort.Tensor{Shape: []int{cells, batch, len(state.H) / cells / batch}, Data: slices.Clone(state.H)}
	if state.C != nil {
		x.inputs["c0"] = ort.Tensor{Shape: []int{cells, batch, m.Hidden}, Data: slices.Clone(state.C)}
	}
	ws.SetState(state)
	if m.Dense {
		dense := make([]float32, steps*batch*m.Input)
		normal(dense)
		x.inputs["input"] = ort.Tensor{Shape: []int{steps, batch, m.Input}, Data: dense}
		ws.ForwardDense(dense)
	} else {
		ids, theirs := make([]int32, steps*batch), make([]int64, steps*batch)
		for i := range ids {
			if ids[i] = r.Int32N(int32(m.Input)+2) - 2; ids[i] < 0 {
				ids[i] = rnn.None
			}
			theirs[i] = int64(ids[i])
			if ids[i] < 0 && r.IntN(2) == 0 {
				theirs[i] = -1 // any negative number will do
			}
		}
		x.inputs["ids"] = ort.Tensor{Shape: []int{steps, batch}, Data: theirs}
		ws.Forward(ids)
	}
	switch {
	case m.Output == 0:
		x.outputs["output"] = ort.Tensor{Shape: []int{steps, batch, len(ws.States()) / steps / batch}, Data: slices.Clone(ws.States())}
	case m.LastStep:
		y := make([]float32, batch*m.Output)
		ws.Logits(y, steps-1)
		x.outputs["output"] = ort.Tensor{Shape: []int{batch, m.Output}, Data: y}
	default:
		y := make([]float32, steps*batch*m.Output)
		for t := range steps {
			ws.Logits(y[t*batch*m.Output:][:batch*m.Output], t)
		}
		x.outputs["output"] = ort.Tensor{Shape: []int{steps, batch, m.Output}, Data: y}
	}
	ws.State(state)
	x.outputs["hn"] = ort.Tensor{Shape: x.inputs["h0"].Shape, Data: state.H}
	if state.C != nil {
		x.outputs["cn"] = ort.Tensor{Shape: x.inputs["c0"].Shape, Data: state.C}
	}
	return x
}

// differ returns what is wrong with outputs, "" if nothing is.
func (x trial) differ(outputs map[string]ort.Tensor, tolerance float64) string {
	if len(outputs) != len(x.outputs) {
		return fmt.Sprintf("%d outputs, want %d", len(outputs), len(x.outputs))
	}
	for name, want := range x.outputs {
		have := outputs[name]
		if !reflect.DeepEqual(have.Shape, want.Shape) {
			return fmt.Sprintf("output %s has shape %v, want %v", name, have.Shape, want.Shape)
		}
		y, w := have.Data.([]float32), want.Data.([]float32)
		for i := range w {
			diff := float64(y[i]) - float64(w[i])
			if !(max(diff, -diff) <= tolerance*max(1, float64(max(w[i], -w[i])))) {
				return fmt.Sprintf("output %s, element %d of shape %v: %v, want %v", name, i, want.Shape, y[i], w[i])
			}
		}
	}
	return ""
}

func written(t testing.TB, m *rnn.Model) []byte {
	t.Helper()
	var file bytes.Buffer
	n, err := Write(&file, m)
	if err != nil {
		t.Fatalf("%+v: %v", m.Config, err)
	}
	if n != int64(file.Len()) {
		t.Errorf("%+v: Write returns %d for %d bytes", m.Config, n, file.Len())
	}
	return file.Bytes()
}

// TestONNXRuntimeAgrees has ONNX Runtime run networks of the table, in two sizes.
func TestONNXRuntimeAgrees(t *testing.T) {
	r := ort.Start(t)
	every := 5
	if os.Getenv("BATCHRNN_LONG") == "" {
		every = 13
	}
	i := -1
	networks(func(c rnn.Config) {
		if i++; i%every != 0 {
			return
		}
		runBeside(t, r, newNetwork(t, c, uint64(i)), [][2]int{{1, 1}, {6, 3}})
	})
	t.Logf("%d networks, every %d", i+1, every)
}

// TestONNXRuntimeAgreesOnLargeNetworks is the same for networks of the sizes that are in
// use, and initial weights.
func TestONNXRuntimeAgreesOnLargeNetworks(t *testing.T) {
	r := ort.Start(t)
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []rnn.Config{
		{Input: 80, Output: 80, Layers: 1, Hidden: 256},
		{Input: 2000, Embedding: 96, Output: 2000, Layers: 2, Hidden: 192, Cell: rnn.GRU, Cutoffs: []int{200, 800}},
		{Input: 40, Dense: true, Output: 30, Layers: 2, Hidden: 128, Cell: rnn.LSTM, Bidirectional: true, Residual: true},
		{Input: 40, Dense: true, Output: 30, Layers: 1, Hidden: 256, Cell: rnn.LSTM, Projection: 96, LastStep: true},
	} {
		m, err := rnn.New(e, c, 1)
		if err != nil {
			t.Fatal(err)
		}
		runBeside(t, r, m, [][2]int{{1, 1}, {1, 64}, {100, 8}})
	}
}

// runBeside compares the results of ONNX Runtime with those of m, for sizes T and B.
func runBeside(t *testing.T, r *ort.Runtime, m *rnn.Model, sizes [][2]int) {
	t.Helper()
	theirs, err := r.Load(written(t, m))
	if err != nil {
		t.Errorf("%+v: ONNX Runtime refuses it: %v", m.Config, err)
		return
	}
	for i, size := range sizes {
		x := newTrial(m, size[0], size[1], rand.New(rand.NewPCG(uint64(i), 2)))
		outputs, err := theirs.Run(x.inputs)
		if err != nil {
			t.Errorf("%+v, T %d, B %d: %v", m.Config, size[0], size[1], err)
			continue
		}
		if diff := x.differ(outputs, 1e-5); diff != "" {
			t.Errorf("%+v, T %d, B %d: %s", m.Config, size[0], size[1], diff)
		}
	}
	if err := theirs.Close(); err != nil {
		t.Error(err)
	}
}

// TestReaderAgrees has this package run each network, in two sizes.
func TestReaderAgrees(t *testing.T) {
	i := -1
	networks(func(c rnn.Config) {
		i++
		m := newNetwork(t, c, uint64(i))
		again, err := Load(m.Engine(), bytes.NewReader(written(t, m)))
		if c.TimeSkip != 0 || c.Projection > 0 {
			if err == nil || !strings.Contains(err.Error(), `"Scan" node "cell0_h_last": the operator is not supported`) {
				t.Errorf("%+v: error %v, want one that names Scan", c, err)
			}
			return
		}
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			return
		}
		for _, size := range [][2]int{{1, 1}, {6, 3}} {
			x := newTrial(m, size[0], size[1], rand.New(rand.NewPCG(uint64(i), 2)))
			in, out := map[string]*Tensor{}, map[string]*Tensor{}
			for name, x := range x.inputs {
				in[name] = &Tensor{Shape: x.Shape}
				if name == "ids" {
					in[name].Ints = x.Data.([]int64)
				} else {
					in[name].Floats = x.Data.([]float32)
				}
			}
			for name := range x.outputs {
				out[name] = new(Tensor)
			}
			if err := again.Run(in, out); err != nil {
				t.Errorf("%+v, T %d, B %d: %v", c, size[0], size[1], err)
				continue
			}
			outputs := map[string]ort.Tensor{}
			for name, y := range out {
				outputs[name] = ort.Tensor{Shape: y.Shape, Data: y.Floats}
			}
			if diff := x.differ(outputs, 1e-6); diff != "" {
				t.Errorf("%+v, T %d, B %d: %s", c, size[0], size[1], diff)
			}
		}
	})
}

// TestPythonAccepts has the checker of the ONNX project look at some networks.
func TestPythonAccepts(t *testing.T) {
	python := pythonONNX(t)
	dir := t.TempDir()
	i := -1
	networks(func(c rnn.Config) {
		if i++; i%37 != 0 {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.onnx", i)), written(t, newNetwork(t, c, uint64(i))), 0o666); err != nil {
			t.Fatal(err)
		}
	})
	out, err := exec.Command(python, "-c", `
import glob, sys, onnx
for path in glob.glob(sys.argv[1] + "/*.onnx"):
    onnx.checker.check_model(path, full_check=True)`, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestSameModelSameBytes(t *testing.T) {
	networks(func(c rnn.Config) {
		if c.Layers != 2 || c.Activation != 0 {
			return
		}
		first := written(t, newNetwork(t, c, 1))
		if !bytes.Equal(first, written(t, newNetwork(t, c, 1))) {
			t.Errorf("%+v: the same network gives other bytes", c)
		}
		if bytes.Equal(first, written(t, newNetwork(t, c, 2))) {
			t.Errorf("%+v: another network gives the same bytes", c)
		}
	})
}

// TestConfigInFile finds the network's Config in the file.
func TestConfigInFile(t *testing.T) {
	networks(func(c rnn.Config) {
		if c.Layers != 3 {
			return
		}
		m := newNetwork(t, c, 1)
		var file modelProto
		if err := new(reader).model(&file, written(t, m)); err != nil {
			t.Fatal(err)
		}
		var config rnn.Config
		if len(file.metadata) != 1 || file.metadata[0].key != "rnn.Config" {
			t.Fatalf("metadata %+v", file.metadata)
		}
		if err := json.Unmarshal([]byte(file.metadata[0].value), &config); err != nil || !reflect.DeepEqual(config, m.Config) {
			t.Errorf("the file says %s, error %v, want %+v", file.metadata[0].value, err, m.Config)
		}
		names := map[string]bool{}
		for _, n := range file.graph.nodes {
			if n.name == "" || names[n.name] {
				t.Errorf("%+v: a node has the name %q, which is empty or taken", c, n.name)
			}
			names[n.name] = true
		}
	})
}

// TestTiedWeightsStandOnce compares the sizes of files.
func TestTiedWeightsStandOnce(t *testing.T) {
	for _, c := range []rnn.Config{
		{Input: 1000, Output: 1000, Layers: 1, Hidden: 8},
		{Input: 1000, Output: 1000, Layers: 1, Hidden: 8, TimeSkip: 0.5},
		{Input: 1000, Output: 1000, Layers: 1, Hidden: 8, Cell: rnn.GRU, Embedding: 8},
	} {
		apart := len(written(t, newNetwork(t, c, 1)))
		c.Tied = true
		if tied := len(written(t, newNetwork(t, c, 1))); !(tied < apart-4*1000*8+200) {
			t.Errorf("%+v: %d bytes, and %d if not tied", c, tied, apart)
		}
	}
}

type failing struct{ calls int }

func (f *failing) Write(b []byte) (int, error) {
	f.calls++
	return len(b) / 2, errors.New("the disk is full")
}

func TestWriteErrors(t *testing.T) {
	c := rnn.Config{Input: 3, Dense: true, Layers: 1, Hidden: 2}
	f := new(failing)
	if n, err := Write(f, newNetwork(t, c, 1)); n == 0 || err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("a write that fails: %d bytes, error %v", n, err)
	}
	m := newNetwork(t, c, 1)
	m.Compact()
	f.calls = 0
	if n, err := Write(f, m); n != 0 || err == nil || !strings.Contains(err.Error(), "Model.Compact") || f.calls != 0 {
		t.Errorf("a compact model: %d bytes in %d calls, error %v", n, f.calls, err)
	}
}
