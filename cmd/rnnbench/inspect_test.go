package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/ort"
	"batchrnn/kernels"
	"batchrnn/rnn/safetensors"
)

// An inspected is a file, and what inspect says of it.
type inspected struct {
	name, kind string
	data       []byte
	text       []string // parts of the text, any number of blanks as one
	uses       []string // the beginnings of the commands and calls, with FILE for the file
	missing    []string // the beginnings of what is missing
	check      func(i inspection) bool
}

// payload returns a section of a model's file: 0 the configuration, 1 the vocabulary, 2
// the model.
func payload(t *testing.T, file []byte, n int) []byte {
	t.Helper()
	at := 12
	for ; n > 0; n-- {
		at += 8 + int(binary.LittleEndian.Uint64(file[at:])) + 4
	}
	size := int(binary.LittleEndian.Uint64(file[at:]))
	return file[at+8:][:size]
}

// onnxFile returns an ONNX file of a node without a name that maps x to y, and a tensor
// of two floats, which are in the file weights.bin if external.
func onnxFile(op string, external bool) []byte {
	text := func(b []byte, num protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
	}
	number := func(b []byte, num protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
	}
	dims := text(text(nil, 1, string(text(nil, 2, "batch"))), 1, string(number(nil, 1, 3)))
	value := func(name string) string {
		tensor := text(number(nil, 1, 1), 2, string(dims))
		return string(text(text(nil, 1, name), 2, string(text(nil, 1, string(tensor)))))
	}
	weights := text(number(number(nil, 1, 2), 2, 1), 8, "w")
	if external {
		weights = number(text(weights, 13, string(text(text(nil, 1, "location"), 2, "weights.bin"))), 14, 1)
	} else {
		weights = text(weights, 9, "\x00\x00\x80\x3f\x00\x00\x80\x3f")
	}
	node := text(text(text(nil, 1, "x"), 2, "y"), 4, op)
	graph := text(text(text(text(text(nil, 1, string(node)), 2, "main"), 5, string(weights)), 11, value("x")), 12, value("y"))
	b := text(text(number(nil, 1, 8), 2, "some program"), 7, string(graph))
	b = text(b, 8, string(number(nil, 2, 14)))
	return text(b, 14, string(text(text(nil, 1, "key"), 2, "a value")))
}

// checkpointFile returns the checkpoint of a training.
func checkpointFile(t *testing.T) []byte {
	t.Helper()
	c, err := text.Build(text.New("tiny", []byte(strings.Repeat("hello world, ", 800))), text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	path := filepath.Join(t.TempDir(), "c")
	o := rnnlm.Options{Hidden: 4, Tokens: 4000, Seed: 7, Checkpoint: path, Every: time.Nanosecond}
	if _, _, err := rnnlm.Train(t.Context(), e, c, o, func(rnnlm.Progress) {}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// notFinite returns the file of a model with two parameters that are not finite.
func notFinite(t *testing.T, file []byte) []byte {
	t.Helper()
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := lm.Read(bytes.NewReader(file), int64(len(file)), e)
	if err != nil {
		t.Fatal(err)
	}
	slab := m.Network().Slab
	slab[0], slab[1] = float32(math.NaN()), float32(math.Inf(1))
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inspectedFiles returns a file of each kind.
func inspectedFiles(t *testing.T) []inspected {
	t.Helper()
	dir, corpus := t.TempDir(), writeText(t)
	make := func(name string, args ...string) []byte {
		t.Helper()
		path := filepath.Join(dir, name)
		if status, _, stderr := runArgs("", append(args, "--out", path)...); status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, stderr)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	gru := make("gru.lm", "train", "--corpus", corpus, "--cell", "gru", "--hidden", "8", "--layers", "2", "--embedding", "4", "--epochs", "1", "--threads", "1")
	small := make("small.lm", "quantise", at("gru.lm"))
	grams := make("grams.lm", "train", "--corpus", corpus, "--kind", "ngram", "--level", "word", "--order", "2")
	weights := make("gru.safetensors", "export", at("gru.lm"))
	graph := make("gru.onnx", "export", at("gru.lm"))
	arpa := make("grams.arpa", "export", at("grams.lm"))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(arpa)
	z.Close()
	zstandard, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	floats := func(name string, shape ...int) safetensors.Floats {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return safetensors.Floats{Name: name, Shape: shape, Values: slices.Repeat([]float32{0.5}, n)}
	}
	tensors := func(all ...safetensors.Floats) []byte {
		var b bytes.Buffer
		if _, err := safetensors.Write(&b, map[string]string{"format": "pt"}, all); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	vanilla := []safetensors.Floats{
		floats("module.rnn.weight_ih_l0", 3, 5), floats("module.rnn.weight_hh_l0", 3, 3), floats("module.rnn.bias_ih_l0", 3), floats("module.rnn.bias_hh_l0", 3),
		floats("module.out.weight", 5, 3), floats("module.out.bias", 5),
	}
	diverged := slices.Clone(vanilla)
	diverged[2].Values = []float32{0, float32(math.NaN()), 0}

	imported := []string{"import: rnnbench import FILE --out new.lm"}
	ofARPA := []string{"<s> and </s>", "the spelling of unknown words", "the training text"}
	onARPA := func(compression string) func(i inspection) bool {
		return func(i inspection) bool {
			return i.Compression == compression && i.Model.Order == 2 && i.Model.Level == "word" && len(i.Ngrams) == 2 && i.FirstTokens[0] == "<unk>"
		}
	}
	return []inspected{
		{"an RNN", lm.ModelFile, gru, []string{"model GRU 2×8 (embedding 4)", "uses score: rnnbench score", "vocabulary"},
			[]string{"score: rnnbench score FILE <", "sample: rnnbench sample FILE", "eval: ", "train: rnnbench train --init FILE", "export: ", "quantise: rnnbench quantise FILE --out", "import: "}, nil,
			func(i inspection) bool { return i.Model.Hidden == 8 && i.Parameters > 0 && len(i.Sections) == 3 }},
		{"an RNN that has diverged", lm.ModelFile, notFinite(t, gru), nil, []string{"export: ", "import: "}, []string{"finite parameters: 2 of "}, func(i inspection) bool { return i.NotFinite }},
		{"an RNN of int8", lm.ModelFile, small, []string{"model GRU 2×8 int8 (embedding 4)"}, []string{"score: ", "sample: ", "eval: "}, []string{"weights of float32"},
			func(i inspection) bool { return i.Model.Int8 && i.Parameters > 0 && i.MemoryBytes > 0 }},
		{"a network of int8 alone", lm.NetworkFile, payload(t, small, 2), []string{"network GRU of 2 layers of 8 units, reads", "weights of int8"}, []string{"Go: rnnlm.Read("}, []string{"weights of float32", "a vocabulary"},
			func(i inspection) bool {
				return len(i.Networks) == 1 && i.Networks[0].Int8 && i.Networks[0].Parameters == i.Parameters
			}},
		{"n-grams", lm.ModelFile, grams, []string{"model 2-gram"}, []string{"score: ", "sample: ", "eval: ", "export: rnnbench export FILE --out new.arpa"}, nil,
			func(i inspection) bool { return i.Model.Order == 2 && len(i.Ngrams) == 2 }},
		{"a checkpoint", lm.CheckpointFile, checkpointFile(t), []string{"kind a checkpoint", "model RNN 4", "tokens characters", "seed 7", "optimiser"},
			[]string{"train: rnnbench train --checkpoint FILE"}, []string{"a model", "the names of its texts"},
			func(i inspection) bool {
				return i.Model.Hidden == 4 && i.Model.TrainTokens > 0 && i.Model.BudgetTokens == 4000 && len(i.Sections) == 7 && i.Parameters == int64(9*i.Model.Vocab+20) && len(i.Model.SHA256) == 64 && i.FirstTokens[0] == "<unk>"
			}},
		{"n-grams alone", lm.NgramFile, payload(t, grams, 2), []string{"kind the n-grams of a model", "n-grams of each order"}, []string{"Go: ngram.Read("}, []string{"a vocabulary"},
			func(i inspection) bool { return len(i.Ngrams) == 2 && i.MemoryBytes > 0 && i.Store == "trie" }},
		{"a network alone", lm.NetworkFile, payload(t, gru, 2), []string{"kind a network", "network GRU of 2 layers of 8 units, reads", "by an embedding of width 4"}, []string{"Go: rnnlm.Read("}, []string{"a vocabulary"},
			func(i inspection) bool {
				return len(i.Networks) == 1 && i.Networks[0].Embedding == 4 && i.Networks[0].Parameters == i.Parameters
			}},
		{"ARPA", lm.ARPAFile, arpa, []string{"kind an ARPA file model 2-gram", "n-grams of each order"}, imported, ofARPA, onARPA("")},
		{"ARPA in gzip", lm.ARPAFile, zipped.Bytes(), []string{"kind an ARPA file, compressed by gzip"}, imported, ofARPA, onARPA("gzip")},
		{"ARPA in zstd", lm.ARPAFile, zstandard.EncodeAll(arpa, nil), []string{"kind an ARPA file, compressed by zstd"}, imported, ofARPA, onARPA("zstd")},
		{"ARPA with little in it", lm.ARPAFile, []byte("by hand\n\n\\data\\\nngram 1=2\nngram 2=0\n\n\\1-grams:\n-1\ta\n-1\tb\n\n\\2-grams:\n\n\\end\\\n"), nil, imported,
			append([]string{"n-grams of order 2", "<unk>"}, ofARPA...), nil},
		{"our safetensors", lm.SafetensorsFile, weights, []string{"network GRU of 2 layers of 8 units, reads", `names: cells "rnn.", embedding "embedding.", output "out."`, "tensors", `metadata "cell": "gru"`},
			[]string{"Go: rnn.Load(engine, file, size, rnn.LoadOptions{})", "import: rnnbench import model.lm --weights FILE --out new.lm"}, []string{"a vocabulary"},
			func(i inspection) bool {
				n := i.Networks[0]
				return len(i.Networks) == 1 && n.Cell == "gru" && n.Layers == 2 && n.Hidden == 8 && n.Embedding == 4 && n.Reads == "ids" && n.Input == n.Output && n.Parameters > 0 && len(i.Tensors) == 11
			}},
		{"a state_dict", lm.SafetensorsFile, tensors(vanilla...), []string{"network RNN of 1 layer of 3 units, reads vectors of 5, or as many ids, 5 outputs", `"module.rnn.weight_ih_l0" F32 [3 5] 60 B`, `metadata "format": "pt"`},
			[]string{"Go: rnn.Load(engine, file, size, rnn.LoadOptions{Activation: rnn.Tanh /* or rnn.ReLU */, Dense: true /* or IDs */})", "import: rnnbench import model.lm --weights FILE --prefix module. --out"},
			[]string{`network "module.rnn.": whether its cells have tanh or ReLU`, `network "module.rnn.": whether it reads ids or vectors`, "a vocabulary"},
			func(i inspection) bool {
				n := i.Networks[0]
				return n.Activation == "" && n.Reads == "" && reflect.DeepEqual(n.Untold, []string{"Activation", "IDs or Dense"}) && n.Recurrent == "module.rnn."
			}},
		{"a diverged one with more in it", lm.SafetensorsFile, tensors(append(diverged, floats("scale", 2))...), []string{`beside it: "scale"`},
			[]string{"Go: rnn.Load(engine, file, size, rnn.LoadOptions{Activation: rnn.Tanh /* or rnn.ReLU */, Dense: true /* or IDs */, IgnoreExtra: true})"},
			[]string{"network ", "network ", "finite weights: tensor", "a vocabulary"},
			func(i inspection) bool { return i.NotFinite && slices.Equal(i.Networks[0].Extra, []string{"scale"}) }},
		{"a state_dict of other outputs", lm.SafetensorsFile, tensors(append(slices.Clone(vanilla[:4]), floats("module.out.weight", 7, 3), floats("module.out.bias", 7))...), nil,
			[]string{"Go: rnn.Load("}, []string{"network ", "network ", "a vocabulary"}, nil},
		{"half of a state_dict", lm.SafetensorsFile, tensors(vanilla[1:2]...), nil, []string{}, []string{`network "module.rnn.": what rnn.Load needs: the file has no`, "a vocabulary"},
			func(i inspection) bool { return i.Networks[0].Refused != "" }},
		{"other tensors", lm.SafetensorsFile, tensors(floats("a", 2, 2)), nil, []string{}, []string{"a recurrent network", "a vocabulary"},
			func(i inspection) bool { return len(i.Networks) == 0 && i.Parameters == 4 }},
		{"ONNX", lm.ONNXFile, onnxFile("Relu", false), []string{`kind an ONNX file of "some program", IR version 8, opset 14`, "graph \"main\": 1 node, 1 tensor of 2 parameters, 8 B", "nodes 1 Relu", `inputs "x" float [batch 3]`, `outputs "y" float [batch 3]`, `metadata "key": "a value"`},
			[]string{"Go: onnx.Load(engine, file)"}, nil,
			func(i inspection) bool {
				g := i.Graph
				return g.Producer == "some program" && reflect.DeepEqual(g.Inputs, []lm.FileValue{{Name: "x", Type: "float", Ranked: true, Shape: []int{-1, 3}, Dims: []string{"batch", ""}}}) && i.Parameters == 2
			}},
		{"our ONNX", lm.ONNXFile, graph, []string{`kind an ONNX file of "batchrnn"`, "2 GRU", "forward, 8 units, reads vectors of 4", `inputs "ids" int64`}, []string{"Go: onnx.Load("}, nil,
			func(i inspection) bool { return len(i.Graph.Recurrent) == 2 && len(i.Metadata) == 1 }},
		{"ONNX that is not supported", lm.ONNXFile, onnxFile("Loop", true), []string{"nodes 1 Loop (not supported)"}, []string{},
			[]string{`"Loop" node number 0: the operator is not supported`, "weights in other files are not supported (1 of 1 tensors)", `the weights in "weights.bin"`},
			func(i inspection) bool { return len(i.Graph.Refused) == 2 && i.Graph.Operators[0].Refused != "" }},
	}
}

// TestInspectKinds: a file of each kind is described, in text and in JSON.
func TestInspectKinds(t *testing.T) {
	for k, file := range inspectedFiles(t) {
		path := filepath.Join(t.TempDir(), "it's a file")
		if k%2 == 0 { // the name of a file means nothing
			path = filepath.Join(t.TempDir(), "x.txt")
		}
		if err := os.WriteFile(path, file.data, 0o600); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := runArgs("", "inspect", path)
		plain := strings.Join(strings.Fields(stdout), " ")
		if status != 0 || stderr != "" {
			t.Errorf("%s: exit status %d, %s", file.name, status, stderr)
			continue
		}
		for _, want := range append(file.text, "file ", "SHA-256 ") {
			if !strings.Contains(plain, want) {
				t.Errorf("%s: no %q in\n%s", file.name, want, stdout)
			}
		}
		status, stdout, stderr = runArgs("", "inspect", path, "--json")
		var i inspection
		decodeStrictly(t, stdout, &i)
		if status != 0 || stderr != "" || i.Format != 1 || i.Kind != file.kind || i.File != path || i.Bytes != int64(len(file.data)) || len(i.SHA256) != 64 {
			t.Errorf("%s: exit status %d, %s%s", file.name, status, stderr, stdout)
		}
		if file.check != nil && !file.check(i) {
			t.Errorf("%s: %s", file.name, stdout)
		}
		uses := []string{}
		for _, u := range i.Uses {
			uses = append(uses, u.Use+": "+u.How)
		}
		if file.kind == lm.ARPAFile {
			if status, _, stderr := runArgs("", "import", path, "--out", filepath.Join(t.TempDir(), "new.lm")); status != 0 {
				t.Errorf("%s: import: exit status %d, %s", file.name, status, stderr)
			}
		}
		quoted := shellQuoted(path)
		if len(uses) != len(file.uses) || len(i.Missing) != len(file.missing) || i.Missing == nil || i.Uses == nil {
			t.Errorf("%s: uses %q, want %q; missing %q, want %q", file.name, uses, file.uses, i.Missing, file.missing)
			continue
		}
		for k, want := range file.uses {
			if want := strings.ReplaceAll(want, "FILE", quoted); !strings.HasPrefix(uses[k], want) {
				t.Errorf("%s: use %q, want %q", file.name, uses[k], want)
			}
		}
		for k, want := range file.missing {
			if !strings.HasPrefix(i.Missing[k], want) || strings.Contains(i.Missing[k], "\n") {
				t.Errorf("%s: missing %q, want %q", file.name, i.Missing[k], want)
			}
		}
	}
}

// TestInspectDamaged: a file of any kind that is cut off anywhere, or has a byte changed
// where there are checksums, gives one line and exit status 1.
func TestInspectDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "damaged")
	refused := func(name string, b []byte, want string) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := runArgs("", "inspect", path)
		if status != exitFailure || stdout != "" || strings.Count(stderr, "\n") != 1 || len(stderr) > 600 || !strings.HasPrefix(stderr, `rnnbench: model "`+path+`": `) || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit status %d, %q, want %q\n%.300s", name, status, stderr, want, stdout)
		}
	}
	for _, file := range inspectedFiles(t) {
		// Of an ONNX file a part may be whole: fields at its end may be left out.
		cuts := []int{1, 5, 8, 9, 12, 40, len(file.data) / 2, len(file.data) - 2} // an ARPA file needs no line end
		if file.kind == lm.ONNXFile {
			cuts = []int{1, 5, 16, len(file.data) / 2, len(file.data) - 1}
		}
		for _, n := range cuts {
			if n < len(file.data) {
				refused(file.name+", cut off", file.data[:n], "")
			}
		}
		if file.kind != lm.SafetensorsFile && file.kind != lm.ONNXFile && file.kind != lm.ARPAFile {
			b := slices.Clone(file.data)
			b[len(b)*3/4] ^= 1
			refused(file.name+", changed", b, "")
			refused(file.name+", too long", append(slices.Clone(file.data), 0), "")
		}
	}
	for name, b := range map[string]string{
		"nothing": "", "text": "Call me Ishmael.\n", "zeros": strings.Repeat("\x00", 100), "a program": "\x7fELF\x02\x01\x01",
	} {
		refused(name, []byte(b), "ONNX")
	}
	refused("of torch.save", []byte("PK\x03\x04..."), "safetensors.torch.save_file")
	refused("a length of 4 GiB", []byte("\x00\x00\x00\x00\x01\x00\x00\x00{"), "header")
	for name, want := range map[string]string{filepath.Join(path, "none"): "", filepath.Dir(path): "is a folder"} {
		if status, stdout, stderr := runArgs("", "inspect", name); status != exitFailure || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit status %d, %q", name, status, stderr)
		}
	}
}

// TestInspectPublicModels: public ONNX models are described.
func TestInspectPublicModels(t *testing.T) {
	for name, want := range map[string]string{
		"ndm.onnx":           `recurrent GRU "GRU_8": forward, 256 units, reads vectors of 4`,
		"silero_vad_v5.onnx": `"state" float [2 ? 128]`,
	} {
		status, stdout, stderr := runArgs("", "inspect", ort.File(t, name))
		if plain := strings.Join(strings.Fields(stdout), " "); status != 0 || stderr != "" || !strings.Contains(plain, want) || !strings.Contains(plain, "uses Go: onnx.Load(engine, file)") || strings.Contains(plain, "missing") {
			t.Errorf("%s: exit status %d\n%s%s", name, status, stderr, stdout)
		}
	}
}

func TestShellQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"": "''", "a/b-c.lm": "a/b-c.lm", "my file": "'my file'", "it's": `'it'\''s'`, "-x": "'-x'", "$(x)": "'$(x)'", "näher": "'näher'",
		"a\n\x1b[31m.": `$'a\n\x1b[31m.'`, "it's\t\\\"": `$'it\'s\t\\"'`, "\xff": `$'\xff'`,
	} {
		if got := shellQuoted(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

// TestShort: a name of a file is cut to what fits a line, whatever is in it.
func TestShort(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    `""`,
		"a\nb":                                `"a\nb"`,
		strings.Repeat("x", 66):               `"` + strings.Repeat("x", 66) + `"`,
		strings.Repeat("x", 67):               `"` + strings.Repeat("x", 63) + `"...`,
		strings.Repeat("\x00", 1000):          `"` + strings.Repeat(`\x00`, 15) + `"...`,
		strings.Repeat("\xff", 1000):          "",
		strings.Repeat("ä", 1000):             `"` + strings.Repeat("ä", 63) + `"...`,
		"\x1b[31m" + strings.Repeat("\"", 99): "",
	} {
		got := short(text)
		if want != "" && got != want || utf8.RuneCountInString(got) > 68 || strings.ContainsAny(got, "\x1b\n") {
			t.Errorf("%.20q: %s, want %s", text, got, want)
		}
	}
}
