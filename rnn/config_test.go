package rnn

import (
	"math"
	"strings"
	"testing"

	"batchrnn/kernels"
)

// TestBadConfigs: a bad configuration is an error that names the value and what
// would do.
func TestBadConfigs(t *testing.T) {
	e := newEngine(t, "", 1)
	good := Config{Input: 3, Layers: 1, Hidden: 4, Output: 5}
	if err := good.Validate(); err != nil {
		t.Errorf("%+v: %v", good, err)
	}
	for _, c := range []struct {
		name string
		Config
		parts []string
	}{
		{"no input", Config{Layers: 1, Hidden: 4}, []string{"input", "0", "at least 1"}},
		{"negative input", Config{Input: -3, Layers: 1, Hidden: 4}, []string{"input", "-3", "at least 1"}},
		{"no layers", Config{Input: 3, Hidden: 4}, []string{"0 layers", "Config.Layers"}},
		{"negative layers", Config{Input: 3, Layers: -1, Hidden: 4}, []string{"-1 layers"}},
		{"too many layers", Config{Input: 3, Layers: 5000, Hidden: 4}, []string{"5000 layers", "1024"}},
		{"layers past every memory", Config{Input: 3, Layers: 1024, Hidden: 1 << 16}, []string{"1024 layers", "parameters"}},
		{"residual within one layer", Config{Input: 3, Layers: 1, Hidden: 4, Residual: true}, []string{"residual", "one layer"}},
		{"skip backwards", Config{Input: 3, Layers: 1, Hidden: 4, TimeSkip: -1}, []string{"skip", "-1"}},
		{"skip of NaN", Config{Input: 3, Layers: 1, Hidden: 4, TimeSkip: float32(math.NaN())}, []string{"skip", "NaN"}},
		{"last step of nothing", Config{Input: 3, Layers: 1, Hidden: 4, LastStep: true}, []string{"last step", "Config.Output"}},
		{"tied and bidirectional", Config{Input: 9, Layers: 1, Hidden: 4, Output: 9, Tied: true, Bidirectional: true}, []string{"bidirectional", "Tied"}},
		{"no hidden units", Config{Input: 3, Layers: 1}, []string{"hidden", "0", "at least 1"}},
		{"negative output", Config{Input: 3, Layers: 1, Hidden: 4, Output: -5}, []string{"output", "-5", "0 (none) or more"}},
		{"unknown activation", Config{Input: 3, Layers: 1, Hidden: 4, Activation: 9}, []string{"activation", "9"}},
		{"negative activation", Config{Input: 3, Layers: 1, Hidden: 4, Activation: -1}, []string{"activation", "-1"}},
		{"input past every memory", Config{Input: math.MaxInt32, Layers: 1, Hidden: 4}, []string{"2147483647", "4294967296"}},
		{"product past every memory", Config{Input: 3, Layers: 1, Hidden: 1 << 21}, []string{"2097152 hidden units", "parameters"}},
		{"tied to a dense input", Config{Input: 3, Dense: true, Layers: 1, Hidden: 4, Output: 3, Tied: true}, []string{"dense", "Tied"}},
		{"tied to fewer outputs", Config{Input: 3, Layers: 1, Hidden: 4, Output: 2, Tied: true}, []string{"3 inputs", "2 outputs", "as many"}},
		{"tied to no outputs", Config{Input: 3, Layers: 1, Hidden: 4, Tied: true}, []string{"3 inputs", "0 outputs"}},
		{"tied and adaptive", Config{Input: 9, Layers: 1, Hidden: 4, Output: 9, Tied: true, Cutoffs: []int{3}}, []string{"tied", "adaptive", "choose"}},
		{"cutoff at 0", Config{Input: 9, Layers: 1, Hidden: 4, Output: 9, Cutoffs: []int{0}}, []string{"cutoff 0 is 0", "from 1 to 8"}},
		{"cutoff negative", Config{Input: 9, Layers: 1, Hidden: 4, Output: 9, Cutoffs: []int{-1}}, []string{"cutoff 0 is -1"}},
		{"cutoff at the end", Config{Input: 9, Layers: 1, Hidden: 4, Output: 9, Cutoffs: []int{3, 9}}, []string{"cutoff 1 is 9", "from 4 to 8"}},
		{"cutoffs that fall", Config{Input: 9, Layers: 1, Hidden: 4, Output: 9, Cutoffs: []int{5, 3}}, []string{"cutoff 1 is 3", "from 6 to 8"}},
		{"cutoffs alike", Config{Input: 9, Layers: 1, Hidden: 4, Output: 9, Cutoffs: []int{5, 5}}, []string{"cutoff 1 is 5"}},
		{"cutoffs without output", Config{Input: 9, Layers: 1, Hidden: 4, Cutoffs: []int{1}}, []string{"cutoff 0 is 1"}},
		{"too many cutoffs", Config{Input: 99, Layers: 1, Hidden: 4, Output: 99, Cutoffs: []int{1, 2, 3, 4, 5, 6, 7, 8, 9}}, []string{"9 cutoffs", "at most 8"}},
		{"unknown cell", Config{Input: 3, Layers: 1, Hidden: 4, Cell: 9}, []string{"cell kind 9", "lstm", "gru-reset-before"}},
		{"negative cell", Config{Input: 3, Layers: 1, Hidden: 4, Cell: -1}, []string{"cell kind -1"}},
		{"activation of an LSTM", Config{Input: 3, Layers: 1, Hidden: 4, Cell: LSTM, Activation: ReLU}, []string{"lstm cells", "Config.Activation", "relu"}},
		{"activation of a GRU", Config{Input: 3, Layers: 1, Hidden: 4, Cell: GRU, Activation: Tanh}, []string{"gru cells", "Config.Activation", "tanh"}},
		{"skip of an LSTM", Config{Input: 3, Layers: 1, Hidden: 4, Cell: LSTM, TimeSkip: 0.5}, []string{"lstm cells", "Config.TimeSkip"}},
		{"skip of a GRU", Config{Input: 3, Layers: 1, Hidden: 4, Cell: GRUResetBefore, TimeSkip: float32(math.NaN())}, []string{"gru-reset-before cells", "Config.TimeSkip"}},
		{"tied LSTM", Config{Input: 3, Layers: 1, Hidden: 4, Output: 3, Cell: LSTM, Tied: true}, []string{"lstm cells", "4 gates", "Config.Embedding", "Config.Tied"}},
		{"tied GRU", Config{Input: 3, Layers: 1, Hidden: 4, Output: 3, Cell: GRU, Tied: true}, []string{"gru cells", "3 gates", "Config.Embedding", "Config.Tied"}},
		{"negative embedding", Config{Input: 3, Embedding: -2, Layers: 1, Hidden: 4}, []string{"embedding", "-2", "0 for none"}},
		{"embedding of a dense input", Config{Input: 3, Dense: true, Embedding: 2, Layers: 1, Hidden: 4}, []string{"dense", "Config.Embedding"}},
		{"embedding past every memory", Config{Input: 1 << 30, Embedding: 1 << 40, Layers: 1, Hidden: 4}, []string{"embedding of width 1099511627776", "parameters"}},
		{"input weights past every memory", Config{Input: 1, Embedding: 1 << 31, Layers: 1, Hidden: 4}, []string{"embedding of width 2147483648", "parameters"}},
		{"tied to an embedding of another width", Config{Input: 3, Embedding: 5, Layers: 1, Hidden: 4, Output: 3, Tied: true}, []string{"width 5", "4 floats", "Config.Embedding to 4", "Config.Tied"}},
		{"tied to an embedding, bidirectional", Config{Input: 3, Embedding: 4, Layers: 1, Hidden: 4, Output: 3, Bidirectional: true, Tied: true}, []string{"8 floats", "Config.Embedding to 8"}},
		{"tied to an embedding of fewer ids", Config{Input: 3, Embedding: 4, Layers: 1, Hidden: 4, Output: 2, Tied: true}, []string{"3 inputs", "2 outputs"}},
		{"tied to an embedding, adaptive", Config{Input: 9, Embedding: 4, Layers: 1, Hidden: 4, Output: 9, Tied: true, Cutoffs: []int{3}}, []string{"tied", "adaptive"}},
		{"negative projection", Config{Input: 3, Layers: 1, Hidden: 4, Cell: LSTM, Projection: -1}, []string{"projection to -1", "4 hidden units", "0 for none"}},
		{"projection to all units", Config{Input: 3, Layers: 1, Hidden: 4, Cell: LSTM, Projection: 4}, []string{"projection to 4", "4 hidden units"}},
		{"projection of a vanilla cell", Config{Input: 3, Layers: 1, Hidden: 4, Projection: 2}, []string{"projection", "rnn", "Config.Projection"}},
		{"projection of a GRU", Config{Input: 3, Layers: 1, Hidden: 4, Cell: GRU, Projection: 2}, []string{"projection", "gru", "Config.Projection"}},
		{"gates past every memory", Config{Input: 3, Layers: 1, Hidden: 40_000, Cell: LSTM}, []string{"40000 hidden units", "parameters"}},
		{"output past every memory", Config{Input: 3, Layers: 1, Hidden: 1 << 19, Output: 1 << 30}, []string{"1073741824 outputs", "parameters"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := New(e, c.Config, 1)
			if err == nil || m != nil {
				t.Fatalf("New gives %v, %v; want an error", m, err)
			}
			for _, p := range append(c.parts, "rnn: ") {
				if !strings.Contains(err.Error(), p) {
					t.Errorf("error says %q, want %q in it", err, p)
				}
			}
		})
	}
}

var activations = []Activation{Tanh, ReLU, Sigmoid, Identity}

// TestDefaultActivation: a Config without an activation is the textbook's.
func TestDefaultActivation(t *testing.T) {
	m := newModel(t, newEngine(t, "", 1), Config{Input: 3, Layers: 1, Hidden: 4}, 1)
	if m.Activation != Tanh {
		t.Errorf("the model's activation is %v, want tanh", m.Activation)
	}
}

// TestSeed: a seed is a model, on every engine.
func TestSeed(t *testing.T) {
	c := Config{Input: 3, Layers: 1, Hidden: 5, Output: 4}
	slab := func(isa string, seed uint64) []float32 {
		m, err := New(newEngine(t, isa, 1), c, seed)
		if err != nil {
			t.Fatal(err)
		}
		return m.Slab
	}
	want := slab("", 7)
	for _, isa := range kernels.ISAs() {
		sameBits(t, "parameters on "+isa, slab(isa, 7), want)
	}
	if firstDifference(slab("", 8), want) < 0 {
		t.Error("seeds 7 and 8 give the same parameters")
	}
	if bound := 1 / math.Sqrt(5); !(maxAbs(want) <= bound && maxAbs(want) >= bound/2) {
		t.Errorf("the largest parameter is %v, want it below %v and near", maxAbs(want), bound)
	}
}

// TestCellNames: a name is a kind, both ways, and nothing else is.
func TestCellNames(t *testing.T) {
	for kind, want := range map[CellKind]string{Vanilla: "rnn", LSTM: "lstm", GRU: "gru", GRUResetBefore: "gru-reset-before"} {
		name, err := kind.MarshalText()
		if err != nil || string(name) != want || kind.String() != want {
			t.Errorf("kind %d is %q and %q, error %v; want %q", int(kind), name, kind, err, want)
		}
		var again CellKind
		if err := again.UnmarshalText(name); err != nil || again != kind {
			t.Errorf("%q is kind %d, error %v", name, int(again), err)
		}
	}
	k := GRU
	for _, name := range []string{"", "LSTM", "lstm "} {
		if err := k.UnmarshalText([]byte(name)); err == nil || k != GRU || !strings.Contains(err.Error(), "gru-reset-before") {
			t.Errorf("%q is kind %v, error %v", name, k, err)
		}
	}
	if name := CellKind(4).String(); name != "CellKind(4)" {
		t.Errorf("kind 4 is %q", name)
	}
}
