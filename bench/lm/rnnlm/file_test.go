package rnnlm

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"batchrnn/rnn"
)

func modelFile(t testing.TB, m *rnn.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := File{m}.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes, error %v", n, b.Len(), err)
	}
	return b.Bytes()
}

func TestFileRoundTrip(t *testing.T) {
	for _, o := range []Options{
		{Hidden: 129}, // more than one chunk
		{Hidden: 129, Tied: true},
		{Hidden: 12, Layers: 3},
		{Hidden: 12, Cutoffs: []int{10, 40, 59}},
		{Hidden: 12, Embedding: 7},
		{Hidden: 12, Cell: rnn.GRU, Embedding: 12, Tied: true},
	} {
		m, err := rnn.New(newEngine(t), o.config(60), 1)
		if err != nil {
			t.Fatal(err)
		}
		file := modelFile(t, m)
		got, err := Read(m.Engine(), bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Config, m.Config) || !slices.Equal(got.Slab, m.Slab) {
			t.Errorf("%+v: another model came back", m.Config)
		}

		m = quantised(t, m)
		small := modelFile(t, m)
		if got, err = Read(m.Engine(), bytes.NewReader(small), int64(len(small))); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Config, m.Config) || !bytes.Equal(modelFile(t, got), small) {
			t.Errorf("%+v: another model came back", m.Config)
		}
		if len(file) > 100_000 && !(10*len(small) < 3*len(file)) {
			t.Errorf("%+v: a file of %d bytes, of float32 %d", m.Config, len(small), len(file))
		}
	}
}

func quantised(t testing.TB, m *rnn.Model) *rnn.Model {
	t.Helper()
	q, err := m.Quantise(nil)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestFloat32Files: programs that know no int8 read the files of float32.
func TestFloat32Files(t *testing.T) {
	if file := modelFile(t, newModel(t, 6, 5)); bytes.Contains(file, []byte("Int8")) {
		t.Errorf("a file of float32 says %.300q", file)
	}
}

// TestFileKeepsTheConfig sets each field of a configuration to something other than
// zero, and finds it in the file again.
func TestFileKeepsTheConfig(t *testing.T) {
	kept := map[string]bool{}
	for _, c := range []rnn.Config{
		{Input: 6, Dense: true, Layers: 2, Hidden: 5, Output: 7, Activation: rnn.Sigmoid, Bidirectional: true, LastStep: true, Residual: true, TimeSkip: 0.1, Cutoffs: []int{2, 4}},
		{Input: 6, Layers: 1, Hidden: 5, Output: 6, Tied: true},
		{Input: 6, Cell: rnn.LSTM, Layers: 1, Hidden: 5, Projection: 3, TwoBiases: true, Output: 6},
		{Input: 6, Embedding: 3, Layers: 1, Hidden: 5, Output: 6},
		{Input: 6, Layers: 1, Hidden: 5, Output: 6, Int8: true},
	} {
		int8 := c.Int8
		c.Int8 = false
		m, err := rnn.New(newEngine(t), c, 1)
		if err != nil {
			t.Fatal(err)
		}
		if int8 {
			m = quantised(t, m)
		}
		file := modelFile(t, m)
		got, err := Read(m.Engine(), bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		v, w := reflect.ValueOf(got.Config), reflect.ValueOf(m.Config)
		for i := range w.NumField() {
			name := w.Type().Field(i).Name
			if !reflect.DeepEqual(v.Field(i).Interface(), w.Field(i).Interface()) {
				t.Errorf("%s is %v, was %v", name, v.Field(i), w.Field(i))
			}
			kept[name] = kept[name] || !w.Field(i).IsZero()
		}
		if !slices.Equal(got.Slab, m.Slab) {
			t.Errorf("%+v: other parameters came back", c)
		}
	}
	for name, set := range kept {
		if !set {
			t.Errorf("no configuration here sets %s: add one that does", name)
		}
	}
}

// modelFile3 is a file of version 3.
func modelFile3(m *rnn.Model) []byte {
	c, b := m.Config, []byte(fileMagic)
	word := map[bool]int{true: 1}
	head := []int{3, c.Input, c.Hidden, c.Output, slices.Index(numbered, c.Activation), word[c.Tied], len(c.Cutoffs), c.Layers, word[c.Residual]}
	for _, v := range append(head, c.Cutoffs...) {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	for _, v := range m.Slab {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func TestReadVersion3(t *testing.T) {
	for _, c := range []rnn.Config{
		{Input: 6, Layers: 2, Hidden: 5, Output: 7, Activation: rnn.ReLU, Residual: true, Cutoffs: []int{2, 4}},
		{Input: 6, Layers: 1, Hidden: 5, Output: 6, Tied: true},
	} {
		m, err := rnn.New(newEngine(t), c, 1)
		if err != nil {
			t.Fatal(err)
		}
		file := modelFile3(m)
		got, err := Read(m.Engine(), bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Config, m.Config) || !slices.Equal(got.Slab, m.Slab) {
			t.Errorf("%+v: another model came back", c)
		}
	}
}

// TestReadVersion4: a file of version 4 is one without an embedding in its configuration.
func TestReadVersion4(t *testing.T) {
	m := newModel(t, 6, 5)
	file := modelFile(t, m)
	size := binary.LittleEndian.Uint32(file[12:])
	config := bytes.Replace(file[headBytes:headBytes+size], []byte(`"Embedding":0,`), nil, 1)
	if len(config) == int(size) {
		t.Fatalf("no embedding in %s", config)
	}
	old := binary.LittleEndian.AppendUint32([]byte(fileMagic), 4)
	old = append(binary.LittleEndian.AppendUint32(old, uint32(len(config))), config...)
	old = append(old, file[headBytes+size:len(file)-checksumBytes]...)
	old = binary.LittleEndian.AppendUint32(old, crc32.Checksum(old, castagnoli))
	got, err := Read(m.Engine(), bytes.NewReader(old), int64(len(old)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Config, m.Config) || !slices.Equal(got.Slab, m.Slab) {
		t.Error("another model came back")
	}
}

func TestCompactModelsAreNotWritten(t *testing.T) {
	m := newModel(t, 6, 5)
	m.Compact()
	if n, err := (File{m}).WriteTo(io.Discard); n != 0 || err == nil || !strings.Contains(err.Error(), "compact") {
		t.Errorf("wrote %d bytes, error %v", n, err)
	}
}

func TestReadRefusesBadFiles(t *testing.T) {
	m := newModel(t, 6, 5)
	file, old := modelFile(t, m), modelFile3(m)
	head := func(word int, v uint32) []byte {
		b := slices.Clone(old)
		binary.LittleEndian.PutUint32(b[8+4*word:], v)
		return b
	}
	config := func(s string) []byte {
		b := binary.LittleEndian.AppendUint32(slices.Clone(file[:12]), uint32(len(s)))
		return append(append(b, s...), file[len(file)-4*len(m.Slab)-checksumBytes:]...)
	}
	long := slices.Clone(file)
	binary.LittleEndian.PutUint32(long[12:], 1<<31)
	flipped := slices.Clone(file)
	flipped[len(file)/2] ^= 1
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"empty":             {nil, "truncated"},
		"cut in the head":   {file[:20], "truncated"},
		"cut in the slab":   {file[:len(file)-10], "truncated"},
		"too long":          {append(slices.Clone(file), 0), "truncated or damaged"},
		"of another kind":   {bytes.Repeat([]byte("text"), 100), "not a model file"},
		"a bit flipped":     {flipped, "checksum"},
		"another version":   {head(0, 2), "version 2"},
		"a later version":   {head(0, 6), "version 6: this program reads versions 3 to 5"},
		"tied a little":     {head(5, 2), "impossible"},
		"tied, unasked":     {head(5, 1), "truncated or damaged"},
		"residual a little": {head(8, 2), "impossible"},
		"no layers":         {head(7, 0), "layers"},
		"another layer":     {head(7, 2), "truncated or damaged"},
		"many clusters":     {head(6, 1<<31), "impossible"},
		"a cluster":         {head(6, 1), "impossible"},
		"no hidden units":   {head(2, 0), "hidden"},
		"huge":              {head(2, 1<<30), "parameters"},
		"beyond int32":      {head(1, 1<<31), "impossible"},
		"other activation":  {head(4, 77), "activation"},
		"old, cut in head":  {old[:20], "truncated"},
		"old, bit flipped":  {append(slices.Clone(old[:len(old)-1]), old[len(old)-1]^1), "checksum"},
		"a long config":     {long, "impossible"},
		"a cut config":      {file[:headBytes+5], "truncated"},
		"no config":         {config(""), "truncated"},
		"not JSON":          {config("{Input"), "configuration"},
		"an unknown field":  {config(`{"Gates": 4}`), "Gates"},
		"an empty config":   {config("{}"), "input"},
		"another config":    {config(`{"Input": 6, "Layers": 1, "Hidden": 4, "Output": 6}`), "truncated or damaged"},
		"an embedding":      {config(`{"Input": 6, "Embedding": 1, "Layers": 1, "Hidden": 5, "Output": 6}`), "truncated or damaged"},
		"a huge embedding":  {config(`{"Input": 6, "Embedding": 4000000000000000000, "Layers": 1, "Hidden": 5, "Output": 6}`), "parameters"},
		"huge sizes":        {config(`{"Input": 6, "Layers": 1, "Hidden": 4000000000000000000, "Output": 6}`), "parameters"},
	} {
		_, err := Read(m.Engine(), bytes.NewReader(test.file), int64(len(test.file)))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
	// A stream that is shorter than it was announced.
	if _, err := Read(m.Engine(), bytes.NewReader(file[:100]), int64(len(file))); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("short stream: error %v", err)
	}
}

// TestReadRefusesBadInt8Files cuts off and changes each byte of the file of a quantised
// model.
func TestReadRefusesBadInt8Files(t *testing.T) {
	m := newModel(t, 6, 5)
	floats, file := modelFile(t, m), modelFile(t, quantised(t, m))
	refuse := func(what string, b []byte) {
		t.Helper()
		if _, err := Read(m.Engine(), bytes.NewReader(b), int64(len(b))); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", what, err)
		}
	}
	for i := range file {
		refuse("cut off", file[:i])
		for bit := range 8 {
			b := slices.Clone(file)
			b[i] ^= 1 << bit
			refuse("a bit flipped", b)
		}
	}
	refuse("a byte more", append(slices.Clone(file), 0))
	// The head of one kind before the parameters of the other.
	head := func(file []byte) int { return headBytes + int(binary.LittleEndian.Uint32(file[12:])) }
	refuse("float32 called int8", append(slices.Clone(file[:head(file)]), floats[head(floats):]...))
	refuse("int8 called float32", append(slices.Clone(floats[:head(floats)]), file[head(file):]...))
}

func FuzzRead(f *testing.F) {
	m := newModel(f, 3, 2)
	file := modelFile(f, m)
	f.Add(file)
	f.Add(modelFile(f, quantised(f, m)))
	f.Add(file[:30])
	f.Add(modelFile3(m))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Read(m.Engine(), bytes.NewReader(b), int64(len(b)))
		if err == nil {
			if _, err := (File{got}).WriteTo(io.Discard); err != nil {
				t.Error(err)
			}
		}
	})
}
