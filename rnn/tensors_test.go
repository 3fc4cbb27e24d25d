package rnn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn/safetensors"
)

// stored are networks of every output layer.
var stored = []Config{
	{Input: 5, Dense: true, Layers: 1, Hidden: 7},
	{Input: 5, Dense: true, Layers: 3, Hidden: 4, Bidirectional: true, Output: 6, Residual: true},
	{Input: 5, Layers: 2, Hidden: 7, Output: 6, Activation: ReLU},
	{Input: 5, Layers: 1, Hidden: 7, Output: 5, Tied: true},
	{Input: 9, Layers: 1, Hidden: 33, Bidirectional: true, Output: 9, Cutoffs: []int{2, 5}},
	{Input: 5, Cell: LSTM, Layers: 2, Hidden: 7, Output: 6},
	{Input: 5, Cell: LSTM, Dense: true, Layers: 2, Hidden: 7, Projection: 3, Bidirectional: true, TwoBiases: true},
	{Input: 5, Cell: GRU, Layers: 2, Hidden: 7, Bidirectional: true, Residual: true},
	{Input: 5, Cell: GRUResetBefore, Layers: 1, Hidden: 7, Output: 9, Cutoffs: []int{2, 5}},
	{Input: 5, Cell: GRUResetBefore, Layers: 1, Hidden: 7, TwoBiases: true},
	{Input: 5, Layers: 1, Hidden: 7, TwoBiases: true},
	{Input: 5, Embedding: 3, Cell: GRU, Layers: 2, Hidden: 7, Output: 6},
	{Input: 5, Embedding: 7, Cell: GRU, Layers: 1, Hidden: 7, Output: 5, Tied: true},
	{Input: 5, Embedding: 9, Layers: 1, Hidden: 7, Bidirectional: true},
}

func written(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if n, err := m.WriteSafetensors(&b); err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes, error %v", n, b.Len(), err)
	}
	return b.Bytes()
}

func readInto(m *Model, b []byte) error { return m.ReadSafetensors(bytes.NewReader(b), int64(len(b))) }

func TestSafetensorsRoundTrip(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, c := range stored {
		m, err := New(e, c, 1)
		if err != nil {
			t.Fatal(err)
		}
		m.Slab[3], m.Slab[4] = float32(math.NaN()), float32(math.Inf(1))
		for _, cell := range m.Cells {
			for i := range cell.Bh {
				cell.Bh[i] = float32(i - 3)
			}
			cell.Bh[0] = float32(math.Copysign(0, -1))
			for i := range cell.Br {
				cell.Br[i] = float32(2*i + 1)
			}
		}
		b := written(t, m)
		other, err := New(e, c, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := readInto(other, b); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if i := firstDifference(other.Slab, m.Slab); i >= 0 {
			t.Errorf("%+v: parameter %d is %v, was %v", c, i, other.Slab[i], m.Slab[i])
		}
		if !bytes.Equal(written(t, other), b) {
			t.Errorf("%+v: writing it again gives another file", c)
		}
	}
}

// TestSafetensorsBytes takes a file apart by hand.
func TestSafetensorsBytes(t *testing.T) {
	m, err := New(newEngine(t, "", 1), Config{Input: 3, Layers: 1, Hidden: 2, Output: 4}, 1)
	if err != nil {
		t.Fatal(err)
	}
	cell := m.Cells[0]
	cell.Bh[1] = 5
	b := written(t, m)
	n := binary.LittleEndian.Uint64(b)
	var header map[string]struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets []int  `json:"data_offsets"`
	}
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		shape []int
		at    func(i int) float32
	}{
		"rnn.weight_ih_l0": {[]int{2, 3}, func(i int) float32 { return cell.Wx[i%3*2+i/3] }},
		"rnn.weight_hh_l0": {[]int{2, 2}, func(i int) float32 { return cell.Wh[i%2*2+i/2] }},
		"rnn.bias_ih_l0":   {[]int{2}, func(i int) float32 { return cell.Bh[i] }},
		"rnn.bias_hh_l0":   {[]int{2}, func(i int) float32 { return 0 }},
		"out.weight":       {[]int{4, 2}, func(i int) float32 { return m.Wy[i%2*4+i/2] }},
		"out.bias":         {[]int{4}, func(i int) float32 { return m.By[i] }},
	} {
		got, ok := header[name]
		if !ok || got.DType != "F32" || !slices.Equal(got.Shape, want.shape) {
			t.Errorf("%s: %+v, want shape %v", name, got, want.shape)
			continue
		}
		data := b[8+n:][got.Offsets[0]:got.Offsets[1]]
		for i := range len(data) / 4 {
			if v := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])); v != want.at(i) {
				t.Errorf("%s: element %d is %v, want %v", name, i, v, want.at(i))
			}
		}
	}
	if len(header) != 7 {
		t.Errorf("%d entries, want 6 tensors and the metadata", len(header))
	}
}

// TestSafetensorsNames: files have the names and shapes of PyTorch's nn.LSTM and nn.GRU,
// and the metadata says which cells they are of.
func TestSafetensorsNames(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, test := range []struct {
		c      Config
		shapes map[string][]int
	}{
		{Config{Input: 5, Cell: LSTM, Layers: 2, Hidden: 7, Projection: 3, Bidirectional: true, TwoBiases: true}, map[string][]int{
			"weight_ih_l0": {28, 5}, "weight_hh_l0": {28, 3}, "bias_ih_l0": {28}, "bias_hh_l0": {28}, "weight_hr_l0": {3, 7},
			"weight_ih_l0_reverse": {28, 5}, "weight_hh_l0_reverse": {28, 3}, "bias_ih_l0_reverse": {28}, "bias_hh_l0_reverse": {28}, "weight_hr_l0_reverse": {3, 7},
			"weight_ih_l1": {28, 6}, "weight_hh_l1": {28, 3}, "bias_ih_l1": {28}, "bias_hh_l1": {28}, "weight_hr_l1": {3, 7},
			"weight_ih_l1_reverse": {28, 6}, "weight_hh_l1_reverse": {28, 3}, "bias_ih_l1_reverse": {28}, "bias_hh_l1_reverse": {28}, "weight_hr_l1_reverse": {3, 7},
		}},
		{Config{Input: 5, Cell: LSTM, Layers: 1, Hidden: 7, Output: 4}, map[string][]int{
			"rnn.weight_ih_l0": {28, 5}, "rnn.weight_hh_l0": {28, 7}, "rnn.bias_ih_l0": {28}, "rnn.bias_hh_l0": {28}, "out.weight": {4, 7}, "out.bias": {4},
		}},
		{Config{Input: 5, Cell: GRU, Layers: 1, Hidden: 7}, map[string][]int{
			"weight_ih_l0": {21, 5}, "weight_hh_l0": {21, 7}, "bias_ih_l0": {21}, "bias_hh_l0": {21},
		}},
		{Config{Input: 5, Cell: GRUResetBefore, Layers: 1, Hidden: 7}, map[string][]int{
			"weight_ih_l0": {21, 5}, "weight_hh_l0": {21, 7}, "bias_ih_l0": {21}, "bias_hh_l0": {21},
		}},
		{Config{Input: 5, Embedding: 7, Cell: GRU, Layers: 1, Hidden: 7, Output: 5, Tied: true}, map[string][]int{
			"embedding.weight": {5, 7}, "rnn.weight_ih_l0": {21, 7}, "rnn.weight_hh_l0": {21, 7}, "rnn.bias_ih_l0": {21}, "rnn.bias_hh_l0": {21},
			"out.weight": {5, 7}, "out.bias": {5},
		}},
		{Config{Input: 5, Embedding: 3, Layers: 1, Hidden: 7}, map[string][]int{
			"embedding.weight": {5, 3}, "rnn.weight_ih_l0": {7, 3}, "rnn.weight_hh_l0": {7, 7}, "rnn.bias_ih_l0": {7}, "rnn.bias_hh_l0": {7},
		}},
	} {
		b := written(t, newModel(t, e, test.c, 1))
		f, err := safetensors.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if f.Metadata["cell"] != test.c.Cell.String() {
			t.Errorf("%v: the metadata is %v", test.c.Cell, f.Metadata)
		}
		if len(f.Tensors) != len(test.shapes) {
			t.Errorf("%v: %d tensors, want %d", test.c.Cell, len(f.Tensors), len(test.shapes))
		}
		for name, shape := range test.shapes {
			if got, ok := f.Tensor(name); !ok || !slices.Equal(got.Shape, shape) {
				t.Errorf("%v: %s has shape %v, want %v", test.c.Cell, name, got.Shape, shape)
			}
		}
	}
}

// TestSafetensorsOfOtherCells: a file of other cells is refused by their name, whether
// this package or PyTorch has written it, and the model stays.
func TestSafetensorsOfOtherCells(t *testing.T) {
	e := newEngine(t, "", 1)
	base := Config{Input: 3, Layers: 1, Hidden: 4}
	kinds := map[CellKind]string{Vanilla: "1·4 rows", GRU: "3·4 rows", LSTM: "4·4 rows"}
	for kind := range kinds {
		for from, rows := range kinds {
			if kind == from {
				continue
			}
			c := base
			c.Cell = kind
			m := newModel(t, e, c, 1)
			before := slices.Clone(m.Slab)
			c.Cell = from
			for _, pytorch := range []bool{false, true} {
				b := written(t, newModel(t, e, c, 2))
				if pytorch {
					b = withoutMetadata(t, b)
				}
				err := readInto(m, b)
				for _, part := range []string{`"weight_hh_l0"`, rows, "the file are " + from.String(), "model's " + kind.String(), "Config.Cell"} {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("a file of %v into a model of %v: error %v, want %q in it", from, kind, err, part)
					}
				}
				sameBits(t, "parameters", m.Slab, before)
			}
		}
	}

	// A projection has its own columns.
	c := base
	c.Cell, c.Projection = LSTM, 3
	projected := written(t, newModel(t, e, c, 1))
	m := newModel(t, e, Config{Input: 3, Cell: GRU, Layers: 1, Hidden: 4}, 1)
	if err := readInto(m, projected); err == nil || !strings.Contains(err.Error(), "4·4 rows") || !strings.Contains(err.Error(), "lstm") {
		t.Errorf("an LSTM with a projection into a GRU: error %v", err)
	}
	m = newModel(t, e, Config{Input: 3, Cell: LSTM, Layers: 1, Hidden: 4}, 1)
	if err := readInto(m, projected); err == nil || !strings.Contains(err.Error(), `has "weight_hr_l0", which the model has not`) {
		t.Errorf("an LSTM with a projection into one without: error %v", err)
	}

	// Only the metadata tells the two GRUs apart.
	c = base
	c.Cell, c.TwoBiases = GRUResetBefore, true
	before := written(t, newModel(t, e, c, 1))
	m = newModel(t, e, Config{Input: 3, Cell: GRU, Layers: 1, Hidden: 4}, 1)
	if err := readInto(m, before); err == nil || !strings.Contains(err.Error(), `cell is "gru-reset-before", the model's "gru"`) {
		t.Errorf("one GRU into the other: error %v", err)
	}
	if err := readInto(m, withoutMetadata(t, before)); err != nil {
		t.Errorf("without metadata: error %v", err)
	}
}

// withoutMetadata returns a file as PyTorch writes it.
func withoutMetadata(t *testing.T, b []byte) []byte {
	t.Helper()
	f, err := safetensors.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var all []safetensors.Floats
	for _, tensor := range f.Tensors {
		x := safetensors.Floats{Name: tensor.Name, Shape: tensor.Shape}
		size := 1
		for _, n := range x.Shape {
			size *= n
		}
		x.Values = make([]float32, size)
		if err := f.Floats(x.Values, tensor); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	var out bytes.Buffer
	if _, err := safetensors.Write(&out, nil, all); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSafetensorsBiases: a file has both biases of a cell. A model with one has their
// sum, and a file without the second is refused.
func TestSafetensorsBiases(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, kind := range []CellKind{Vanilla, LSTM, GRUResetBefore} {
		c := Config{Input: 3, Cell: kind, Layers: 1, Hidden: 4, TwoBiases: true}
		two := newModel(t, e, c, 1)
		cell := two.Cells[0]
		fillUniform(newRand(8), cell.Br, 1)
		c.TwoBiases = false
		one := newModel(t, e, c, 2)
		if err := readInto(one, written(t, two)); err != nil {
			t.Fatal(err)
		}
		for i, b := range one.Cells[0].Bh {
			if want := cell.Bh[i] + cell.Br[i]; b != want {
				t.Errorf("%v: bias %d is %v, want %v", kind, i, b, want)
			}
		}
		for _, m := range []*Model{one, two, newModel(t, e, Config{Input: 3, Cell: GRU, Layers: 1, Hidden: 4}, 1)} {
			if m.Cell == GRU && kind != GRUResetBefore {
				continue
			}
			file := written(t, one)
			if m.Cell != one.Cell {
				file = withoutMetadata(t, file)
			}
			b := bytes.Replace(file, []byte("bias_hh_l0"), []byte("bias_hx_l0"), 1)
			if err := readInto(m, b); err == nil || !strings.Contains(err.Error(), `has no "bias_hh_l0"`) {
				t.Errorf("%v: without the second bias: error %v", m.Cell, err)
			}
		}
	}
}

// TestSafetensorsEmbedding: a file has an embedding as it is, a row for each id, and a
// tied output is the same matrix again. Only a model with an embedding reads it.
func TestSafetensorsEmbedding(t *testing.T) {
	e := newEngine(t, "", 1)
	c := Config{Input: 5, Embedding: 7, Cell: GRU, Layers: 1, Hidden: 7, Output: 5, Tied: true}
	m := newModel(t, e, c, 1)
	b := written(t, m)
	f, err := safetensors.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"embedding.weight", "out.weight"} {
		tensor, _ := f.Tensor(name)
		values := make([]float32, 5*7)
		if err := f.Floats(values, tensor); err != nil {
			t.Fatal(err)
		}
		sameBits(t, name, values, m.We)
	}
	without := c
	without.Embedding, without.Tied = 0, false
	untied := c
	untied.Tied = false
	for _, test := range []struct {
		from, to Config
		want     string
	}{
		{c, without, `the file has an embedding, tensor "embedding.weight" of shape [5 7], and the model has none: set Config.Embedding`},
		{without, c, `the file has no embedding, tensor "embedding.weight", and the model's has width 7: leave Config.Embedding out`},
		{untied, c, `"out.weight" is not the same weights as those that read the ids`},
	} {
		m := newModel(t, e, test.to, 2)
		before := slices.Clone(m.Slab)
		if err := readInto(m, written(t, newModel(t, e, test.from, 1))); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q in it", err, test.want)
		}
		sameBits(t, "parameters", m.Slab, before)
	}
	if err := readInto(newModel(t, e, untied, 2), b); err != nil {
		t.Errorf("a tied file into a model that is not: %v", err)
	}
}

func TestReadSafetensorsRefuses(t *testing.T) {
	e := newEngine(t, "", 1)
	c := Config{Input: 3, Layers: 1, Hidden: 2, Output: 3}
	m, err := New(e, c, 1)
	if err != nil {
		t.Fatal(err)
	}
	good := written(t, m)
	before := slices.Clone(m.Slab)
	file := func(c Config) []byte {
		other, err := New(e, c, 2)
		if err != nil {
			t.Fatal(err)
		}
		return written(t, other)
	}
	swap := func(from, to string) []byte {
		if len(from) != len(to) || !bytes.Contains(good, []byte(from)) {
			t.Fatalf("%s is not in the file, or of another length than %s", from, to)
		}
		return bytes.Replace(slices.Clone(good), []byte(from), []byte(to), 1)
	}
	for _, test := range []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "truncated", nil},
		{"a byte less", "truncated", good[:len(good)-1]},
		{"a byte more", "belong to no tensor", append(slices.Clone(good), 0)},
		{"without an output layer", `has no "rnn.weight_ih_l0", "rnn.weight_hh_l0"`, file(Config{Input: 3, Layers: 1, Hidden: 2})},
		{"with more", `"out.tail.0.0.weight"`, file(Config{Input: 3, Layers: 1, Hidden: 2, Output: 3, Cutoffs: []int{1}})},
		{"another name", `has no "out.bias", and has "out.bios"`, swap("out.bias", "out.bios")},
		{"another width", `tensor "rnn.weight_ih_l0" has shape [4 3], the model's is [2 3]`, file(Config{Input: 3, Layers: 1, Hidden: 4, Output: 3})},
		{"another activation", `nonlinearity is "relu", the model's "tanh"`, file(Config{Input: 3, Layers: 1, Hidden: 2, Output: 3, Activation: ReLU})},
		{"integers", "dtype I32", swap(`"F32"`, `"I32"`)},
		{"a name twice", "is there twice", swap("rnn.bias_hh_l0", "rnn.bias_ih_l0")},
	} {
		err := readInto(m, test.file)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
		if i := firstDifference(m.Slab, before); i >= 0 {
			t.Fatalf("%s: parameter %d has changed", test.name, i)
		}
	}
	tied := c
	tied.Tied = true
	m, err = New(e, tied, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := readInto(m, good); err == nil || !strings.Contains(err.Error(), "tied") {
		t.Errorf("weights that are not tied: error %v", err)
	}
	m.Compact()
	mustPanic(t, func() { readInto(m, good) }, "ReadSafetensors", "compact")
	mustPanic(t, func() { written(t, m) }, "WriteSafetensors", "compact")
}

// TestSafetensorsTellConfigs: parameters of a network with another Config are refused,
// but where they mean the same: ids are one-hot vectors, a tied output is a matrix like
// others, and the output layer is the same for one step as for all.
func TestSafetensorsTellConfigs(t *testing.T) {
	e := newEngine(t, "", 1)
	base := Config{Input: 6, Layers: 2, Hidden: 5, Output: 6}
	same := []string{"Dense", "LastStep", "Tied", "TwoBiases"}
	other := map[string]any{
		"Input": 7, "Dense": true, "Layers": 3, "Hidden": 4, "Output": 7, "Activation": Sigmoid, "Bidirectional": true, "LastStep": true,
		"Cell": GRU, "Projection": 2, "TwoBiases": true, "Embedding": 3,
		"Residual": true, "TimeSkip": float32(0.1), "Tied": true, "Cutoffs": []int{2},
	}
	for i := range reflect.TypeFor[Config]().NumField() {
		name := reflect.TypeFor[Config]().Field(i).Name
		if name == "Int8" { // never in such a file: TestQuantiseOnlyScores, and Load refuses it
			continue
		}
		value, ok := other[name]
		if !ok {
			t.Errorf("%s is not in this test: give it a value, and have the file tell it", name)
			continue
		}
		c, base := base, base
		if name == "Projection" {
			c.Cell, base.Cell = LSTM, LSTM
		}
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.ValueOf(value))
		from, m := newModel(t, e, c, 1), newModel(t, e, base, 2)
		err := readInto(m, written(t, from))
		if slices.Contains(same, name) != (err == nil) {
			t.Errorf("parameters of a network with %s = %v: error %v", name, value, err)
		}
	}
}

func FuzzReadSafetensors(f *testing.F) {
	e, err := kernels.New("", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(e.Close)
	m, err := New(e, Config{Input: 2, Layers: 1, Hidden: 2, Output: 2}, 1)
	if err != nil {
		f.Fatal(err)
	}
	good := written(f, m)
	f.Add(good)
	f.Add(good[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		before := slices.Clone(m.Slab)
		if err := readInto(m, b); err != nil && firstDifference(m.Slab, before) >= 0 {
			t.Errorf("the model has changed in spite of %v", err)
		}
		checkLoad(t, e, b, LoadOptions{})
		checkLoad(t, e, b, LoadOptions{Activation: Tanh, IDs: true, IgnoreExtra: true})
	})
}
