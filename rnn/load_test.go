package rnn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn/safetensors"
)

func loadBytes(e *kernels.Engine, b []byte, o LoadOptions) (*Model, error) {
	return Load(e, bytes.NewReader(b), int64(len(b)), o)
}

// pytorch are the networks that testdata/pytorch.py makes: what a caller has to say of
// each, and the Config with the smallest sizes, those of testdata/pytorch.safetensors.
var pytorch = []struct {
	name   string
	o      LoadOptions
	config Config
}{
	{"tanh", LoadOptions{Activation: Tanh, Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Activation: Tanh, TwoBiases: true}},
	{"relu", LoadOptions{Activation: ReLU, Dense: true}, Config{Input: 2, Dense: true, Layers: 2, Hidden: 3, Activation: ReLU, TwoBiases: true, Bidirectional: true}},
	{"lstm", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 3, Hidden: 3, Cell: LSTM, TwoBiases: true}},
	{"gru", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 2, Hidden: 3, Cell: GRU, TwoBiases: true, Bidirectional: true}},
	{"projection", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 2, Hidden: 3, Cell: LSTM, Projection: 2, TwoBiases: true, Bidirectional: true}},
	{"unbiased", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Cell: LSTM, Output: 5}},
	{"unbiased_gru", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Cell: GRU}},
	{"onehot", LoadOptions{Activation: Tanh, IDs: true}, Config{Input: 5, Layers: 1, Hidden: 3, Activation: Tanh, TwoBiases: true, Output: 5}},
	{"wordlm", LoadOptions{}, Config{Input: 5, Embedding: 3, Layers: 2, Hidden: 3, Cell: LSTM, TwoBiases: true, Output: 5, Tied: true}},
	{"tagger", LoadOptions{}, Config{Input: 5, Embedding: 2, Layers: 1, Hidden: 3, Cell: LSTM, TwoBiases: true, Bidirectional: true, Output: 4}},
	{"embedded", LoadOptions{IDs: true}, Config{Input: 5, Embedding: 3, Layers: 1, Hidden: 3, Cell: GRU, TwoBiases: true}},
	{"last", LoadOptions{Dense: true, LastStep: true}, Config{Input: 2, Dense: true, Layers: 2, Hidden: 3, Cell: GRU, TwoBiases: true, Output: 5, LastStep: true}},
	{"half", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Cell: LSTM, TwoBiases: true, Output: 5}},
	{"bfloat", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Cell: GRU, TwoBiases: true}},
	{"double", LoadOptions{Activation: Tanh, Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Activation: Tanh, TwoBiases: true}},
	{"rnncell", LoadOptions{Activation: Tanh, Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Activation: Tanh, TwoBiases: true}},
	{"lstmcell", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Cell: LSTM, TwoBiases: true, Output: 5}},
	{"grucell", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Cell: GRU}},
	{"adaptive", LoadOptions{Dense: true}, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Cell: GRU, TwoBiases: true, Output: 5, Cutoffs: []int{2}}},
}

// TestLoadPyTorch: a state_dict of each kind gives the network, and PyTorch's outputs.
func TestLoadPyTorch(t *testing.T) {
	b, err := os.ReadFile("testdata/pytorch.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	all := loadPyTorch(t, b)
	for _, p := range pytorch {
		if m := all[p.name]; m != nil && !reflect.DeepEqual(m.Config, p.config) {
			t.Errorf("%s: %+v, want %+v", p.name, m.Config, p.config)
		}
	}
}

// loadPyTorch returns the networks of a file of pytorch.py, after it has compared their
// outputs.
func loadPyTorch(t *testing.T, b []byte) map[string]*Model {
	t.Helper()
	f, err := safetensors.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) ([]int, []float64) {
		tensor, ok := f.Tensor(name)
		raw, err := f.Bytes(tensor)
		if !ok || err != nil {
			t.Fatalf("%s: there %v, error %v", name, ok, err)
		}
		return tensor.Shape, decode(t, tensor.DType, raw)
	}
	e := newEngine(t, "", 1)
	all := map[string]*Model{}
	for _, p := range pytorch {
		p.o.Prefix = p.name + "/"
		m, err := loadBytes(e, b, p.o)
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
			continue
		}
		all[p.name] = m
		shape, x := read(p.name + ":x")
		_, want := read(p.name + ":y")
		near(t, p.name, outputsOf(m, shape[0], shape[1], x), want, 1e-5)
	}
	return all
}

// outputsOf runs m over T steps of B rows and returns all outputs, or states.
func outputsOf(m *Model, steps, rows int, x []float64) []float32 {
	ws := m.NewWorkspace(steps, rows)
	if m.Dense {
		in := make([]float32, len(x))
		for i, v := range x {
			in[i] = float32(v)
		}
		ws.ForwardDense(in)
	} else {
		in := make([]int32, len(x))
		for i, v := range x {
			in[i] = int32(v)
		}
		ws.Forward(in)
	}
	if m.Output == 0 {
		return ws.States()
	}
	var all []float32
	for step := range steps {
		if m.LastStep && step < steps-1 {
			continue
		}
		logits := make([]float32, rows*m.Output)
		ws.Logits(logits, step)
		all = append(all, logits...)
	}
	return all
}

// TestLoadTorch makes networks of random sizes in PyTorch, loads them, compares the
// outputs, and brings them back into PyTorch bit by bit.
func TestLoadTorch(t *testing.T) {
	if raceDetector {
		t.Skip("TestLoadPyTorch does the same on one goroutine")
	}
	var files, folders []string // FILE SEED, FILE FOLDER
	seeds := []string{"0"}
	if os.Getenv("BATCHRNN_LONG") != "" {
		seeds = []string{"0", "1", "2"}
	}
	for _, seed := range seeds {
		dir := t.TempDir()
		files = append(files, filepath.Join(dir, "all"), seed)
		folders = append(folders, filepath.Join(dir, "all"), dir)
	}
	python := ""
	for _, name := range []string{"/usr/bin/python3", "python3"} { // the first is that of Debian's packages
		out, err := exec.Command(name, slices.Concat([]string{"testdata/pytorch.py", "write"}, files)...).CombinedOutput()
		if err == nil {
			python = name
			break
		}
		if _, ran := err.(*exec.ExitError); ran && !strings.Contains(string(out), "No module named 'torch'") {
			t.Fatalf("%s testdata/pytorch.py write: %v\n%s", name, err, out)
		}
	}
	if python == "" {
		t.Skip("NOT COMPARED WITH PYTORCH: no python3 has torch: install Debian's python3-torch")
	}
	for i := 0; i < len(folders); i += 2 {
		b, err := os.ReadFile(folders[i])
		if err != nil {
			t.Fatal(err)
		}
		for name, m := range loadPyTorch(t, b) {
			if err := os.WriteFile(filepath.Join(folders[i+1], name+".safetensors"), written(t, m), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if t.Failed() {
		return
	}
	if out, err := exec.Command(python, slices.Concat([]string{"testdata/pytorch.py", "check"}, folders)...).CombinedOutput(); err != nil {
		t.Errorf("back in PyTorch: %v\n%s", err, out)
	}
}

// TestLoadGolden: a golden file has weights beside other tensors.
func TestLoadGolden(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, name := range []string{"rnn_relu", "lstm_proj", "gru_2layer_bidir_lengths", "charlm_relu", "charlm_lstm"} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		g := openGolden(t, name)
		o := LoadOptions{Recurrent: ".", Dense: true, IgnoreExtra: true}
		charlm := strings.HasPrefix(name, "charlm")
		if charlm {
			o = LoadOptions{Recurrent: "rnn", Output: "out", IDs: true, IgnoreExtra: true}
		}
		m, err := loadBytes(e, b, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if h := g.size("hidden"); m.Hidden != h || (m.Output > 0) != charlm {
			t.Errorf("%s: %+v", name, m.Config)
		}
		other := newModel(t, e, m.Config, 9)
		g.load(other)
		sameBits(t, name, m.Slab, other.Slab)
	}
}

// TestLoadOwn: a file of this package loads without options, with the whole Config and the
// same bits.
func TestLoadOwn(t *testing.T) {
	e := newEngine(t, "", 1)
	configs := slices.Concat(stored, []Config{
		{Input: 5, Layers: 1, Hidden: 5, Output: 5, LastStep: true, TimeSkip: 0.3, Activation: Identity},
		{Input: 5, Embedding: 5, Cell: LSTM, Layers: 1, Hidden: 5}, // either could be the output layer
		{Input: 5, Dense: true, Cell: LSTM, Layers: 1, Hidden: 5, Output: 5},
	})
	for _, c := range configs {
		m := newModel(t, e, c, 1)
		b := written(t, m)
		for _, prefix := range []string{"", "module._orig_mod."} {
			got, err := loadBytes(e, renamed(t, b, func(name string) string { return prefix + name }), LoadOptions{})
			if err != nil {
				t.Errorf("%+v, prefix %q: %v", c, prefix, err)
				continue
			}
			if !reflect.DeepEqual(got.Config, m.Config) {
				t.Errorf("%+v became %+v", m.Config, got.Config)
			}
			sameBits(t, fmt.Sprintf("%+v", c), got.Slab, m.Slab)
			if got.checkUpdated("Load"); !bytes.Equal(written(t, got), b) {
				t.Errorf("%+v: writing it again gives another file", c)
			}
		}

		// Files had no Config once, and PyTorch's have no metadata.
		o := LoadOptions{IDs: !c.Dense, Dense: c.Dense, LastStep: c.LastStep}
		old := edited(t, b, func(metadata map[string]string) { delete(metadata, configKey) })
		if err := sameButBiases(t, e, old, o, m, c.Tied && !m.embeds()); err != nil {
			t.Errorf("an old file of %+v: %v", c, err)
		}
		if c.Residual || c.TimeSkip != 0 || c.Cell == GRUResetBefore {
			continue // no file of PyTorch
		}
		if c.Cell == Vanilla {
			o.Activation = m.Activation
		}
		if err := sameButBiases(t, e, withoutMetadata(t, b), o, m, c.Tied && !m.embeds()); err != nil {
			t.Errorf("a file without metadata of %+v: %v", c, err)
		}
	}
}

// sameButBiases returns an error unless b loads as the same network as m, with two biases.
// A tied output without an embedding becomes a matrix of its own.
func sameButBiases(t *testing.T, e *kernels.Engine, b []byte, o LoadOptions, m *Model, untied bool) error {
	t.Helper()
	got, err := loadBytes(e, b, o)
	if err != nil {
		return err
	}
	want := m.Config
	want.TwoBiases = true
	want.Tied = m.Tied && !untied
	if !reflect.DeepEqual(got.Config, want) {
		return fmt.Errorf("it became %+v", got.Config)
	}
	other := newModel(t, e, want, 5)
	if err := readInto(other, b); err != nil {
		return err
	}
	if i := firstDifference(got.Slab, other.Slab); i >= 0 {
		return fmt.Errorf("parameter %d is %v, want %v", i, got.Slab[i], other.Slab[i])
	}
	return nil
}

// contents returns the tensors and the metadata of a file.
func contents(t testing.TB, b []byte) ([]safetensors.Floats, map[string]string) {
	t.Helper()
	f, err := safetensors.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var all []safetensors.Floats
	for _, tensor := range f.Tensors {
		x := safetensors.Floats{Name: tensor.Name, Shape: tensor.Shape, Values: make([]float32, tensor.Len())}
		if err := f.Floats(x.Values, tensor); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all, f.Metadata
}

func file(t testing.TB, metadata map[string]string, tensors []safetensors.Floats) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := safetensors.Write(&b, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// edited returns a file with other metadata.
func edited(t testing.TB, b []byte, edit func(metadata map[string]string)) []byte {
	tensors, metadata := contents(t, b)
	metadata = maps.Clone(metadata)
	edit(metadata)
	return file(t, metadata, tensors)
}

// renamed returns a file with other names. Tensors without a name are left out.
func renamed(t testing.TB, b []byte, name func(string) string) []byte {
	tensors, metadata := contents(t, b)
	for i := range tensors {
		tensors[i].Name = name(tensors[i].Name)
	}
	tensors = slices.DeleteFunc(tensors, func(x safetensors.Floats) bool { return x.Name == "" })
	return file(t, metadata, tensors)
}

// zeros returns a tensor of that shape.
func zeros(name string, shape ...int) safetensors.Floats {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return safetensors.Floats{Name: name, Shape: shape, Values: make([]float32, n)}
}

// lstm returns the tensors of an nn.LSTM of that many layers, with E 3 and H 4.
func lstm(member string, layers int) []safetensors.Floats {
	var all []safetensors.Floats
	inputs := 3
	for k := range layers {
		all = append(all, zeros(fmt.Sprintf("%sweight_ih_l%d", member, k), 16, inputs), zeros(fmt.Sprintf("%sweight_hh_l%d", member, k), 16, 4))
		inputs = 4
	}
	return all
}

// TestLoadMembers: which tensors become the embedding and the output layer.
func TestLoadMembers(t *testing.T) {
	e := newEngine(t, "", 1)
	square := []safetensors.Floats{zeros("rnn.weight_ih_l0", 16, 4), zeros("rnn.weight_hh_l0", 16, 4)} // E is H
	narrow := lstm("lstm.", 1)                                                                         // E 3, H 4
	linear := []safetensors.Floats{zeros("fc.weight", 7, 4), zeros("fc.bias", 7)}
	for _, test := range []struct {
		name              string
		tensors           []safetensors.Floats
		o                 LoadOptions
		embedding, output int // rows
		want              string
	}{
		{"an embedding by its width", append(narrow, zeros("x.weight", 9, 3)), LoadOptions{}, 9, 0, ""},
		{"an output layer by its width", append(narrow, zeros("x.weight", 9, 4)), LoadOptions{IDs: true}, 0, 9, ""},
		{"both", append(narrow, zeros("x.weight", 9, 4), zeros("y.weight", 8, 3)), LoadOptions{}, 8, 9, ""},
		{"an output layer by its bias", append(append(square, zeros("x.weight", 9, 4)), linear...), LoadOptions{}, 9, 7, ""},
		{"an embedding by its name", append(square, zeros("a.char_embedding.weight", 9, 4)), LoadOptions{}, 9, 0, ""},
		{"an output layer by its name", append(square, zeros("decoder.weight", 9, 4)), LoadOptions{IDs: true}, 0, 9, ""},
		{"both by names", append(square, zeros("decoder.weight", 9, 4), zeros("encoder.weight", 8, 4)), LoadOptions{}, 8, 9, ""},
		{"one by its name", append(square, zeros("x.weight", 9, 4), zeros("encoder.weight", 8, 4)), LoadOptions{}, 8, 9, ""},
		{"no names", append(square, zeros("x.weight", 9, 4)), LoadOptions{}, 0, 0,
			`"x.weight" may be the embedding (LoadOptions.Embedding), and "x.weight" may be the output layer (LoadOptions.Output): set those options`},
		{"an embedding as asked", append(square, zeros("x.weight", 9, 4)), LoadOptions{Embedding: "x"}, 9, 0, ""},
		{"an output layer as asked", append(square, zeros("x.weight", 9, 4)), LoadOptions{Output: "x.", Dense: true}, 0, 9, ""},
		{"vectors have no embedding", append(square, zeros("x.weight", 9, 4)), LoadOptions{Dense: true}, 0, 9, ""},
		{"no names of two", append(square, zeros("x.weight", 9, 4), zeros("y.weight", 8, 4)), LoadOptions{}, 0, 0, `"x.weight", "y.weight" may be the embedding`},
		{"one as asked", append(square, zeros("x.weight", 9, 4), zeros("y.weight", 8, 4)), LoadOptions{Embedding: "y"}, 8, 9, ""},
		{"one as asked, behind a prefix", renamedAll("net.", append(square, zeros("x.weight", 9, 4), zeros("y.weight", 8, 4))), LoadOptions{Prefix: "net.", Output: "y"}, 9, 8, ""},
		{"two output layers", append(narrow, zeros("mu.weight", 9, 4), zeros("mu.bias", 9), zeros("sigma.weight", 9, 4), zeros("sigma.bias", 9)), LoadOptions{IDs: true}, 0, 0,
			`"mu.weight", "sigma.weight" may be the output layer (LoadOptions.Output): set`},
		{"one of them, the other extra", append(narrow, zeros("mu.weight", 9, 4), zeros("mu.bias", 9), zeros("sigma.weight", 8, 4), zeros("sigma.bias", 8)), LoadOptions{IDs: true, Output: "sigma"}, 0, 0,
			`the file has "mu.weight", "mu.bias" beside the lstm "lstm." of layer 0, output "sigma.": set LoadOptions.IgnoreExtra`},
		{"without the other", append(narrow, zeros("mu.weight", 9, 4), zeros("mu.bias", 9), zeros("sigma.weight", 8, 4), zeros("sigma.bias", 8)), LoadOptions{IDs: true, Output: "sigma", IgnoreExtra: true}, 0, 8, ""},
		{"another layer behind", append(append(narrow, linear...), zeros("fc2.weight", 2, 7), zeros("fc2.bias", 2)), LoadOptions{IDs: true}, 0, 0, `has "fc2.weight", "fc2.bias" beside`},
		{"a layer without a name", append(narrow, zeros("weight", 9, 4), zeros("bias", 9)), LoadOptions{IDs: true}, 0, 9, ""},
		{"the same, as asked", append(narrow, zeros("weight", 9, 4), zeros("bias", 9), zeros("x.weight", 9, 4), zeros("x.bias", 9)), LoadOptions{IDs: true, Output: ".", IgnoreExtra: true}, 0, 9, ""},
		{"no such embedding", narrow, LoadOptions{Embedding: "emb"}, 0, 0, `LoadOptions.Embedding is "emb", and the file has no "emb.weight"`},
		{"an embedding that does not fit", append(narrow, linear...), LoadOptions{Embedding: "fc"}, 0, 0, `tensor "fc.weight" of shape [7 4] does not fit the lstm "lstm." of layer 0: want 3 columns`},
		{"one matrix for both", append(square, zeros("x.weight", 9, 4)), LoadOptions{Embedding: "x", Output: "x"}, 0, 0, "may be the embedding"},
		{"a width that is not there", append(narrow, zeros("x.weight", 9, 5)), LoadOptions{IDs: true}, 0, 0, `the file has "x.weight" beside`},
		{"no embedding among tails", append(square, zeros("s.head.weight", 3, 4), zeros("s.tail.0.0.weight", 1, 4), zeros("s.tail.0.1.weight", 5, 1)), LoadOptions{IDs: true}, 0, 7, ""},
		{"shared weights, the other kept", append(append(square, linear...), zeros("x", 1)), LoadOptions{IgnoreExtra: true}, 7, 7, ""},
	} {
		var metadata map[string]string
		if strings.HasPrefix(test.name, "shared") { // as safetensors.torch.save_model
			metadata = map[string]string{"encoder.weight": "fc.weight", "format": "pt"}
		}
		m, err := loadBytes(e, file(t, metadata, test.tensors), test.o)
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: error %v, want %q in it", test.name, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if test.embedding > 0 && (m.Embedding == 0 || m.Input != test.embedding) || test.embedding == 0 && m.Embedding > 0 || m.Output != test.output {
			t.Errorf("%s: %+v, want an embedding of %d rows and %d outputs", test.name, m.Config, test.embedding, test.output)
		}
		if m.Tied != (metadata != nil) {
			t.Errorf("%s: tied is %v", test.name, m.Tied)
		}
	}
}

func renamedAll(prefix string, tensors []safetensors.Floats) []safetensors.Floats {
	for i := range tensors {
		tensors[i].Name = prefix + tensors[i].Name
	}
	return tensors
}

// TestLoadRefuses: what is no network, or not told, is one line that names the tensor or
// the option.
func TestLoadRefuses(t *testing.T) {
	e := newEngine(t, "", 1)
	ids := LoadOptions{IDs: true}
	own := written(t, newModel(t, e, Config{Input: 5, Layers: 1, Hidden: 4, Output: 6}, 1))
	config := func(edit func(c *Config)) []byte {
		return edited(t, own, func(metadata map[string]string) {
			var c Config
			if err := json.Unmarshal([]byte(metadata[configKey]), &c); err != nil {
				t.Fatal(err)
			}
			edit(&c)
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			metadata[configKey] = string(text)
		})
	}
	set := func(key, value string) []byte {
		return edited(t, own, func(metadata map[string]string) { metadata[key] = value })
	}
	old := func(key, value string) []byte {
		return edited(t, own, func(metadata map[string]string) { delete(metadata, configKey); metadata[key] = value })
	}
	without := func(name string, tensors []safetensors.Floats) []byte {
		return file(t, nil, slices.DeleteFunc(tensors, func(x safetensors.Floats) bool { return x.Name == name }))
	}
	with := func(tensors []safetensors.Floats, more ...safetensors.Floats) []byte {
		return file(t, nil, append(tensors, more...))
	}
	vanilla := []safetensors.Floats{zeros("weight_ih_l0", 4, 3), zeros("weight_hh_l0", 4, 4)}
	for _, test := range []struct {
		name string
		file []byte
		o    LoadOptions
		want string
	}{
		{"nothing", nil, ids, "truncated"},
		{"half a file", own[:len(own)/2], ids, "truncated"},
		{"no network", with(nil, zeros("a.weight", 2, 2)), ids, "no name of a tensor ends in weight_hh_l0: give"},
		{"no tensors", with(nil), ids, "weight_hh_l0"},
		{"no matrix of states", with(nil, zeros("weight_ih_l0", 4, 3)), ids, "weight_hh_l0"},
		{"no matrix of inputs", with(nil, zeros("a.weight_hh_l0", 4, 4)), ids, `the file has no "a.weight_ih_l0"`},
		{"no such prefix", with(lstm("a.", 1)), LoadOptions{Prefix: "b."}, `behind "b.": safetensors: no tensor has a name that begins with "b."`},
		{"two networks", with(append(lstm("encoder.", 1), lstm("decoder.", 1)...)), ids, `the recurrent networks "encoder.", "decoder.": name one in LoadOptions.Recurrent, or what precedes it in Prefix`},
		{"neither of them", with(append(lstm("encoder.", 1), lstm("decoder.", 1)...)), LoadOptions{Recurrent: "x"}, `LoadOptions.Recurrent is "x", and the recurrent networks of the file are "encoder.", "decoder."`},
		{"one of them", with(append(lstm("encoder.", 1), lstm("decoder.", 1)...)), LoadOptions{Recurrent: "decoder", IDs: true}, `has "encoder.weight_ih_l0", "encoder.weight_hh_l0" beside the lstm "decoder." of layer 0: set LoadOptions.IgnoreExtra`},
		{"layer 2 is missing", without("lstm.weight_hh_l2", lstm("lstm.", 4)), ids, `the file has no "lstm.weight_hh_l2", which belongs to the lstm "lstm." of layer 0 to 3`},
		{"layer 0 is missing", without("weight_hh_l0", lstm("", 2)), ids, `the file has no "weight_hh_l0"`},
		{"a hole of layers", with(lstm("", 1), zeros("weight_hh_l999999", 16, 4)), ids, "has a layer 999999, at most 1024 are supported"},
		{"many layers", with(lstm("", 1), zeros("weight_hh_l1023", 16, 4)), ids, `has no "weight_ih_l1"`},
		{"a number that is none", with(lstm("", 1), zeros("weight_hh_l01", 16, 4)), ids, `has "weight_hh_l01" beside`},
		{"biases of some layers", with(lstm("", 2), zeros("bias_ih_l1", 16), zeros("bias_hh_l1", 16)), ids, `has no "bias_ih_l0", "bias_hh_l0", which`},
		{"a first bias alone", with(lstm("", 1), zeros("bias_ih_l0", 16)), ids, `has no "bias_hh_l0", which`},
		{"a second bias alone", with(lstm("", 1), zeros("bias_hh_l0", 16)), ids, `has no "bias_ih_l0", which`},
		{"half a direction", with([]safetensors.Floats{zeros("weight_hh_l0_reverse", 16, 4)}, lstm("", 1)...), ids, `has no "weight_ih_l0_reverse", which belongs to the lstm of layer 0 in 2 directions`},
		{"5 gates", with(nil, zeros("weight_ih_l0", 20, 3), zeros("weight_hh_l0", 20, 4)), ids, `tensor "weight_hh_l0" has shape [20 4]: its rows must be 1 (nn.RNN), 3 (nn.GRU) or 4 times (nn.LSTM) its columns`},
		{"half a unit", with(nil, zeros("weight_ih_l0", 17, 3), zeros("weight_hh_l0", 17, 4)), ids, `[17 4]: its rows`},
		{"a projection without its matrix", with(nil, zeros("weight_ih_l0", 16, 3), zeros("weight_hh_l0", 16, 2)), ids, `an nn.LSTM with a projection also has weight_hr_l0`},
		{"a projection of a GRU", with(nil, zeros("weight_ih_l0", 12, 3), zeros("weight_hh_l0", 12, 2), zeros("weight_hr_l0", 2, 4)), ids, `tensor "weight_hh_l0" has shape [12 2], and "weight_hr_l0" [2 4]: an nn.LSTM`},
		{"a projection to more", with(nil, zeros("weight_ih_l0", 16, 3), zeros("weight_hh_l0", 16, 5), zeros("weight_hr_l0", 5, 4)), ids, `P below H`},
		{"a projection to another width", with(nil, zeros("weight_ih_l0", 16, 3), zeros("weight_hh_l0", 16, 2), zeros("weight_hr_l0", 3, 4)), ids, `P below H`},
		{"a projection to as many", with(nil, zeros("weight_ih_l0", 16, 3), zeros("weight_hh_l0", 16, 4), zeros("weight_hr_l0", 4, 4)), ids, `P below H`},
		{"a projection of one layer", with(lstm("", 2), zeros("weight_hr_l1", 2, 4)), ids, `has no "weight_hr_l0"`},
		{"another number of gates", with(nil, zeros("weight_ih_l0", 12, 3), zeros("weight_hh_l0", 16, 4)), ids, `tensor "weight_ih_l0" has shape [12 3], that of the lstm of layer 0 is [16 3]`},
		{"another width", with(lstm("a.", 1), zeros("a.weight_ih_l1", 16, 3), zeros("a.weight_hh_l1", 16, 4)), ids, `tensor "a.weight_ih_l1" has shape [16 3], that of the lstm "a." of layer 0 to 1 is [16 4]`},
		{"a bias of another width", with(lstm("", 1), zeros("bias_ih_l0", 15), zeros("bias_hh_l0", 16)), ids, `tensor "bias_ih_l0" has shape [15], that of`},
		{"an output bias of another width", with(lstm("", 1), zeros("fc.weight", 9, 4), zeros("fc.bias", 8)), ids, `tensor "fc.bias" has shape [8], that of the lstm of layer 0, output "fc." is [9]`},
		{"no units", with(nil, zeros("weight_ih_l0", 0, 3), zeros("weight_hh_l0", 0, 0)), ids, `tensor "weight_hh_l0" has shape [0 0], want a matrix`},
		{"no rows", with(nil, zeros("weight_ih_l0", 0, 3), zeros("weight_hh_l0", 0, 4)), ids, `tensor "weight_hh_l0" has shape [0 4], want a matrix`},
		{"a layer in front", with(lstm("", 1), zeros("in.weight", 9, 3), zeros("in.bias", 9)), ids, `has "in.weight", "in.bias" beside`},
		{"a part of another network", with(lstm("a.", 1), zeros("b.bias_ih_l0", 16)), ids, `has "b.bias_ih_l0" beside the lstm "a."`},
		{"no inputs", with(nil, zeros("weight_ih_l0", 4, 0), zeros("weight_hh_l0", 4, 4)), ids, `tensor "weight_ih_l0" has shape [4 0], want a matrix`},
		{"a cube", with(nil, zeros("weight_ih_l0", 4, 3), zeros("weight_hh_l0", 4, 2, 2)), ids, `tensor "weight_hh_l0" has shape [4 2 2], want a matrix`},
		{"two of a weight", with(lstm("a.", 1), zeros("a.weight_hh", 16, 4)), ids, `"a.weight_hh_l0" and "a.weight_hh" are the same weight`},
		{"integers", bytes.ReplaceAll(with(lstm("", 1)), []byte(`"F32"`), []byte(`"I32"`)), ids, "dtype I32"},
		{"tails of other widths", with(lstm("", 1), zeros("s.head.weight", 3, 4), zeros("s.tail.0.0.weight", 2, 4), zeros("s.tail.0.1.weight", 5, 2)), ids, `tensor "s.tail.0.0.weight" has shape [2 4], that of the lstm of layer 0, output "s." is [1 4]`},
		{"half a tail", with(lstm("", 1), zeros("s.head.weight", 3, 4), zeros("s.tail.0.0.weight", 1, 4)), ids, `has no "s.tail.0.1.weight"`},
		{"a head that is too small", with(lstm("", 1), zeros("s.head.weight", 1, 4), zeros("s.tail.0.0.weight", 1, 4), zeros("s.tail.0.1.weight", 5, 1)), ids, `cutoff 0 is 0`},

		{"not told at all", with(vanilla), LoadOptions{}, "does not say of the rnn of layer 0 whether its cells have tanh or ReLU: set LoadOptions.Activation, nor whether it reads ids or vectors: set LoadOptions.IDs or Dense"},
		{"no activation", with(vanilla), ids, "set LoadOptions.Activation"},
		{"no input", with(vanilla), LoadOptions{Activation: ReLU}, "set LoadOptions.IDs or Dense"},
		{"no input of gates", with(lstm("", 1)), LoadOptions{}, "set LoadOptions.IDs or Dense"},
		{"both inputs", with(lstm("", 1)), LoadOptions{IDs: true, Dense: true}, "both IDs and Dense"},
		{"vectors and an embedding", with(lstm("", 1), zeros("emb.weight", 9, 3)), LoadOptions{Dense: true, Embedding: "emb"}, "both Dense and Embedding"},
		{"no such activation", with(vanilla), LoadOptions{IDs: true, Activation: 99}, "activation 99 is unknown"},
		{"an activation of gates", with(lstm("", 1)), LoadOptions{IDs: true, Activation: Tanh}, "activations of lstm cells are fixed: leave LoadOptions.Activation out"},
		{"a last step without outputs", with(lstm("", 1)), LoadOptions{IDs: true, LastStep: true}, "LoadOptions.LastStep asks for one output"},
		{"vectors for an embedding", with(lstm("", 1), zeros("emb.weight", 9, 3)), LoadOptions{Dense: true}, `has "emb.weight" beside`},

		{"another activation", own, LoadOptions{Activation: ReLU}, "metadata says that the activation is tanh, LoadOptions.Activation relu"},
		{"another activation of an old file", old("nonlinearity", "sigmoid"), LoadOptions{IDs: true, Activation: ReLU}, "metadata says that the activation is sigmoid"},
		{"vectors for ids", own, LoadOptions{Dense: true}, "metadata rnn.Config says that Dense is false"},
		{"ids for vectors", config(func(c *Config) { c.Dense = true }), ids, "metadata rnn.Config says that Dense is true"},
		{"a config of other sizes", config(func(c *Config) { c.Hidden = 5 }), LoadOptions{}, "says that Hidden is 5, and its tensors that it is 4"},
		{"a config of other cells", config(func(c *Config) { c.Cell, c.Activation = GRU, 0 }), LoadOptions{}, "says that its cells are gru, and its tensors that they are rnn"},
		{"a config without outputs", config(func(c *Config) { c.Output = 0 }), LoadOptions{}, `has "out.weight", "out.bias" beside the rnn`},
		{"a config of an embedding", config(func(c *Config) { c.Embedding = 3 }), LoadOptions{}, "says that Embedding is 3, and its tensors that it is 0"},
		{"a config of more cutoffs", config(func(c *Config) { c.Cutoffs = []int{2} }), LoadOptions{}, "says that Cutoffs is [2], and its tensors that it is []"},
		{"a config of int8", config(func(c *Config) { c.Int8 = true }), LoadOptions{}, "says that Int8 is true"},
		{"an impossible config", config(func(c *Config) { c.Layers = 0 }), LoadOptions{}, "metadata rnn.Config: 0 layers"},
		{"a config tied in vain", config(func(c *Config) { c.Tied = true }), LoadOptions{}, "5 inputs can't be tied to 6 outputs"},
		{"a config that is no JSON", set(configKey, "{"), LoadOptions{}, "metadata rnn.Config: unexpected EOF: damaged, or of a newer program"},
		{"a config of tomorrow", set(configKey, `{"Attention":1}`), LoadOptions{}, `unknown field "Attention": damaged, or of a newer program`},
		{"a config and another nonlinearity", set("nonlinearity", "relu"), LoadOptions{}, `metadata nonlinearity is "relu", and its rnn.Config says "tanh"`},
		{"an old file of other cells", old("cell", "gru"), ids, `metadata cell is "gru": the shapes are those of 1 gates`},
		{"an old file of unknown cells", old("cell", "mgu"), ids, `metadata cell is "mgu"`},
		{"an old file of an unknown activation", old("nonlinearity", "gelu"), ids, `metadata nonlinearity is "gelu"`},
		{"an old file of odd connections", old("residual", "perhaps"), ids, `metadata residual is "perhaps"`},
		{"an old file of odd skips", old("time_skip", "NaN"), ids, "skip connection through time"},
	} {
		_, err := loadBytes(e, test.file, test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 800 || !strings.HasPrefix(err.Error(), "rnn: ") || strings.Contains(err.Error(), ": rnn: ") {
			t.Errorf("%s: error %v, want one line with %q", test.name, err, test.want)
		}
	}
	if _, err := Load(nil, bytes.NewReader(own), int64(len(own)), LoadOptions{}); err == nil || !strings.Contains(err.Error(), "engine is nil") {
		t.Errorf("no engine: error %v", err)
	}
	tensors, metadata := contents(t, written(t, newModel(t, e, Config{Input: 6, Embedding: 4, Layers: 1, Hidden: 4, Output: 6, Tied: true}, 1)))
	tensors[len(tensors)-2].Values[0]++
	if _, err := loadBytes(e, file(t, metadata, tensors), LoadOptions{}); err == nil || !strings.Contains(err.Error(), `"out.weight" is not the same weights`) {
		t.Errorf("a tied output that is not: error %v", err)
	}
}

// TestLoadLostTensors: a file of WriteSafetensors that lost a tensor is refused. Without its
// Config only the bias of an output layer may be absent, as in PyTorch.
func TestLoadLostTensors(t *testing.T) {
	e := newEngine(t, "", 1)
	one := Config{Input: 5, Cell: GRU, Layers: 1, Hidden: 4, Output: 9, Cutoffs: []int{4}}
	for _, c := range append(slices.Clip(stored), one) {
		tensors, metadata := contents(t, written(t, newModel(t, e, c, 1)))
		for i, lost := range tensors {
			rest := slices.Delete(slices.Clone(tensors), i, i+1)
			if _, err := loadBytes(e, file(t, metadata, rest), LoadOptions{}); err == nil {
				t.Errorf("%+v without %s: no error", c, lost.Name)
			}
			if strings.HasPrefix(lost.Name, "out.") && strings.HasSuffix(lost.Name, ".bias") || c.Tied && c.embeds() {
				continue
			}
			o := LoadOptions{IDs: !c.Dense && !c.embeds(), Dense: c.Dense}
			if c.Cell == Vanilla {
				o.Activation = Tanh
			}
			if _, err := loadBytes(e, file(t, nil, rest), o); err == nil {
				t.Errorf("%+v without %s and metadata: no error", c, lost.Name)
			}
		}
	}
}

// TestLoadManyNames: thousands of names that could be of a network are refused.
func TestLoadManyNames(t *testing.T) {
	e := newEngine(t, "", 1)
	many := func(name func(i int) string, shape ...int) []safetensors.Floats {
		all := lstm("", 1)
		for i := range 2100 {
			all = append(all, zeros(name(i), shape...))
		}
		return all
	}
	for name, tensors := range map[string][]safetensors.Floats{
		`"x1.weight", `:          many(func(i int) string { return fmt.Sprintf("x%d.weight", i) }, 1, 4),
		"the recurrent networks": many(func(i int) string { return fmt.Sprintf("x%d.weight_hh_l0", i) }, 0, 4),
		"at most 8": many(func(i int) string {
			return fmt.Sprintf("s.%s.weight", map[bool]string{true: "head", false: fmt.Sprintf("tail.%d.0", i-1)}[i == 0])
		}, 1, 4),
		`"weight_ih_l1", "weight_`: many(func(i int) string { return fmt.Sprintf("weight_hh_l%d", i%1023+1) + strings.Repeat("_reverse", i/1023) }, 0, 4)[:2*1023],
		`has "1.tail.", "2.tail."`: many(func(i int) string { return fmt.Sprintf("%d.tail.", i+1) }, 1),
	} {
		if _, err := loadBytes(e, file(t, nil, tensors), LoadOptions{IDs: true}); err == nil || !strings.Contains(err.Error(), name) || len(err.Error()) > 2000 {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestLoadChecksFirst: a file that claims many layers as large as the first, and has
// small ones, is refused before memory is taken for them.
func TestLoadChecksFirst(t *testing.T) {
	e := newEngine(t, "", 1)
	tensors := []safetensors.Floats{zeros("weight_ih_l0", 512, 128), zeros("weight_hh_l0", 512, 128)}
	for k := 1; k < 1000; k++ {
		tensors = append(tensors, zeros(fmt.Sprintf("weight_ih_l%d", k), 1, 1), zeros(fmt.Sprintf("weight_hh_l%d", k), 1, 1))
	}
	b := file(t, nil, tensors)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := loadBytes(e, b, LoadOptions{Dense: true})
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), `tensor "weight_ih_l1" has shape [1 1]`) {
		t.Errorf("error %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 { // layers as claimed would take 520 MB
		t.Errorf("%d bytes were allocated for a file of %d", n, len(b))
	}
}

// TestSafetensorsShared: a tied model reads a file in which save_model left one of the
// equal matrices out, whichever.
func TestSafetensorsShared(t *testing.T) {
	e := newEngine(t, "", 1)
	m := newModel(t, e, Config{Input: 5, Embedding: 7, Cell: GRU, Layers: 1, Hidden: 7, Output: 5, Tied: true}, 1)
	for name, kept := range map[string]string{"out.weight": "embedding.weight", "embedding.weight": "out.weight"} {
		b := edited(t, renamed(t, written(t, m), func(s string) string { return strings.TrimPrefix(s, name) }), func(metadata map[string]string) { metadata[name] = kept })
		other := newModel(t, e, m.Config, 2)
		if err := readInto(other, b); err != nil {
			t.Errorf("without %s: %v", name, err)
		}
		sameBits(t, "parameters", other.Slab, m.Slab)
		if other, err := loadBytes(e, b, LoadOptions{}); err != nil || !other.Tied {
			t.Errorf("without %s: error %v", name, err)
		} else {
			sameBits(t, "loaded parameters", other.Slab, m.Slab)
		}
	}
}

// TestLoadKeepsItsWord: neither a matrix that could be an embedding nor a word of sharing
// goes before what the file holds.
func TestLoadKeepsItsWord(t *testing.T) {
	e := newEngine(t, "", 1)
	tensors, metadata := contents(t, written(t, newModel(t, e, Config{Input: 4, Cell: LSTM, Layers: 1, Hidden: 4, Output: 4}, 1)))
	m, err := loadBytes(e, file(t, metadata, append(tensors, zeros("embedding.weight", 9, 4))), LoadOptions{IgnoreExtra: true})
	if err != nil || m.Embedding != 0 || m.Input != 4 {
		t.Errorf("a file without an embedding: %+v, error %v", m, err)
	}
	other := zeros("encoder.weight", 7, 4)
	other.Values[27] = 1
	m, err = loadBytes(e, file(t, map[string]string{"encoder.weight": "fc.weight"}, []safetensors.Floats{
		zeros("rnn.weight_ih_l0", 16, 4), zeros("rnn.weight_hh_l0", 16, 4), other, zeros("fc.weight", 7, 4), zeros("fc.bias", 7),
	}), LoadOptions{})
	if err != nil || m.Tied || m.We[27] != 1 {
		t.Errorf("a tensor that is there: %+v, error %v", m, err)
	}
}

// fuzzedNames are the parts of names that FuzzLoad puts together.
var fuzzedNames = [2][]string{
	{"", "a.", "m.", "m.a.", "encoder.", "decoder.", "out.", "out.head.", "out.tail.0.0.", "out.tail.0.1.", "out.tail.1.0.", "out.tail.1.1."},
	{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0", "weight_ih_l1", "weight_hh_l1", "weight_ih_l0_reverse", "weight_hh_l0_reverse",
		"weight_ih", "weight_hh", "weight_hh_l1023", "weight", "bias", "num"},
}

// FuzzLoad: no tensors make Load panic. What it loads is written and loads again as the
// same network. Four bytes of data are a tensor: its name, in two, rows and columns.
func FuzzLoad(f *testing.F) {
	e, err := kernels.New("", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(e.Close)
	f.Add([]byte{0, 0, 16, 3, 0, 1, 16, 4, 0, 2, 16, 0, 0, 3, 16, 0}, "", byte(4))
	f.Add([]byte{1, 0, 4, 3, 1, 1, 4, 4, 5, 12, 7, 4, 5, 13, 7, 0, 4, 12, 9, 3}, `{"Input":9,"Embedding":3,"Layers":1,"Hidden":4,"Output":7,"Activation":"relu"}`, byte(0))
	f.Add([]byte{1, 0, 12, 4, 1, 1, 12, 4, 5, 12, 7, 4, 4, 12, 7, 4}, "", byte(0))
	f.Add([]byte{2, 0, 16, 3, 2, 1, 16, 2, 2, 4, 2, 4, 1, 0, 16, 3, 1, 1, 16, 4}, "", byte(4+16+64))
	f.Add([]byte{0, 0, 16, 3, 0, 1, 16, 4, 0, 7, 16, 3, 0, 8, 16, 4, 0, 5, 16, 8, 0, 6, 16, 4}, "", byte(4))
	f.Add([]byte{0, 0, 12, 3, 0, 1, 12, 4, 7, 12, 4, 4, 8, 12, 1, 4, 9, 12, 2, 1, 10, 12, 1, 4, 11, 12, 2, 1}, "", byte(8))
	f.Add([]byte{2, 9, 4, 3, 2, 10, 4, 4, 5, 12, 7, 4}, "decoder.weight", byte(1+4+128))
	f.Fuzz(func(t *testing.T, data []byte, metadata string, choice byte) {
		var tensors []safetensors.Floats
		for ; len(data) >= 4; data = data[4:] {
			x := zeros(fuzzedNames[0][int(data[0])%len(fuzzedNames[0])]+fuzzedNames[1][int(data[1])%len(fuzzedNames[1])], int(data[2]), int(data[3]))
			if data[3] == 0 {
				x = zeros(x.Name, int(data[2]))
			}
			for i := range x.Values {
				x.Values[i] = float32(i % 7)
			}
			tensors = append(tensors, x)
		}
		var b bytes.Buffer
		key := configKey
		if !strings.HasPrefix(metadata, "{") {
			key = "encoder.weight" // shared
		}
		if _, err := safetensors.Write(&b, map[string]string{key: metadata}, tensors); err != nil {
			return
		}
		o := LoadOptions{
			Activation: Activation(choice & 3), IDs: choice&4 != 0, Dense: choice&8 != 0, IgnoreExtra: choice&16 != 0, LastStep: choice&32 != 0,
		}
		if choice&64 != 0 {
			o.Recurrent = "a"
		}
		if choice&128 != 0 {
			o.Embedding, o.Prefix = "encoder", "m."
		}
		checkLoad(t, e, b.Bytes(), o)
	})
}

// checkLoad loads a file that may be bad. If it is good, the network is written and loaded
// again.
func checkLoad(t *testing.T, e *kernels.Engine, b []byte, o LoadOptions) {
	m, err := loadBytes(e, b, o)
	if err != nil {
		if strings.Contains(err.Error(), "\n") || len(err.Error()) > 4000 {
			t.Errorf("error %q", err)
		}
		return
	}
	again, err := loadBytes(e, written(t, m), LoadOptions{})
	if err != nil {
		t.Fatalf("%+v is not loaded again: %v", m.Config, err)
	}
	if !reflect.DeepEqual(again.Config, m.Config) {
		t.Fatalf("%+v is loaded again as %+v", m.Config, again.Config)
	}
	for i, v := range m.Slab {
		if w := again.Slab[i]; v != w && !(math.IsNaN(float64(v)) && math.IsNaN(float64(w))) {
			t.Fatalf("%+v: parameter %d is %v, was %v", m.Config, i, w, v)
		}
	}
}

// TestFind: each network of a file is found, and Load takes it with the options of Find.
func TestFind(t *testing.T) {
	b, err := os.ReadFile("testdata/pytorch.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, "", 1)
	find := func(b []byte, prefix string) []Found {
		t.Helper()
		f, err := safetensors.Open(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			f, err = f.Behind(prefix)
		}
		if err != nil {
			t.Fatal(err)
		}
		all, err := Find(f)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	together := find(b, "")
	for _, p := range pytorch {
		if i := slices.IndexFunc(together, func(n Found) bool { return strings.HasPrefix(n.Recurrent, p.name+"/") }); i < 0 || together[i].Err != nil ||
			together[i].Config.Hidden != p.config.Hidden || together[i].Config.Output != p.config.Output {
			t.Errorf("%s among others: %+v", p.name, together)
		}
		all := find(b, p.name+"/")
		if len(all) != 1 || all[0].Err != nil || len(all[0].Extra) > 0 {
			t.Errorf("%s: %+v", p.name, all)
			continue
		}
		n := all[0]
		if n.NeedsActivation != (p.o.Activation != 0) || n.NeedsInput != (!p.config.embeds() && (p.o.IDs || p.o.Dense)) {
			t.Errorf("%s: asks for the activation: %v, for the input: %v", p.name, n.NeedsActivation, n.NeedsInput)
		}
		o := n.Options
		o.Prefix, o.LastStep = p.name+"/", p.o.LastStep
		if n.NeedsActivation {
			o.Activation = p.o.Activation
		}
		if n.NeedsInput {
			o.IDs, o.Dense = p.o.IDs, p.o.Dense
		}
		m, err := loadBytes(e, b, o)
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
			continue
		}
		n.Config.Activation, n.Config.Dense, n.Config.LastStep = m.Activation, m.Dense, m.LastStep
		if !reflect.DeepEqual(n.Config, m.Config) {
			t.Errorf("%s: found %+v, loaded %+v", p.name, n.Config, m.Config)
		}
	}

	// Several networks: behind a prefix where that is all, otherwise by their names.
	both := slices.Concat(
		[]safetensors.Floats{zeros("encoder.embedding.weight", 9, 3)}, lstm("encoder.rnn.", 1),
		lstm("decoder.rnn.", 2), []safetensors.Floats{zeros("decoder.out.weight", 7, 4), zeros("decoder.out.bias", 7)},
		lstm("tail.", 1), []safetensors.Floats{zeros("scale", 1)},
	)
	whole := file(t, nil, both)
	all := find(whole, "")
	want := []Found{
		{Config: Config{Input: 9, Embedding: 3, Layers: 1, Hidden: 4, Cell: LSTM}, Options: LoadOptions{Prefix: "encoder."}, Recurrent: "encoder.rnn.", Embedding: "encoder.embedding."},
		{Config: Config{Input: 3, Layers: 2, Hidden: 4, Cell: LSTM, Output: 7}, Options: LoadOptions{Prefix: "decoder."}, NeedsInput: true, Recurrent: "decoder.rnn.", Output: "decoder.out."},
		{Options: LoadOptions{Recurrent: "tail", IgnoreExtra: true}, Recurrent: "tail."},
	}
	if len(all) != len(want) {
		t.Fatalf("%+v", all)
	}
	for i, w := range want[:2] {
		if !reflect.DeepEqual(all[i], w) {
			t.Errorf("%+v, want %+v", all[i], w)
		}
	}
	if n := all[2]; n.Err != nil || n.Options != want[2].Options || len(n.Extra) == 0 {
		t.Errorf("%+v", n)
	}
	for _, n := range all {
		o := n.Options
		o.Dense = n.NeedsInput
		if _, err := loadBytes(e, whole, o); err != nil {
			t.Errorf("%s: %v", n.Recurrent, err)
		}
	}

	// What Load refuses is found with its sizes and the error.
	ends := append(lstm("rnn.", 1), zeros("a.weight", 7, 4), zeros("b.weight", 7, 4))
	if all := find(file(t, nil, ends), ""); len(all) != 1 || all[0].Err == nil || !strings.Contains(all[0].Err.Error(), "LoadOptions.Output") || all[0].Config.Hidden != 4 {
		t.Errorf("%+v", all)
	}
	if all := find(bytes.ReplaceAll(file(t, nil, lstm("", 1)), []byte(`"F32"`), []byte(`"I32"`)), ""); len(all) != 1 || all[0].Err == nil || !strings.Contains(all[0].Err.Error(), "dtype I32 has no floats") {
		t.Errorf("integers: %+v", all)
	}
	if all := find(file(t, nil, []safetensors.Floats{zeros("a", 1)}), ""); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	var many []safetensors.Floats
	for i := range maxFound + 2 {
		many = append(many, lstm(fmt.Sprintf("rnn%d.", i), 1)...)
	}
	if all := find(file(t, nil, many), ""); len(all) != maxFound {
		t.Errorf("%d of %d networks", len(all), maxFound+2)
	}
}
