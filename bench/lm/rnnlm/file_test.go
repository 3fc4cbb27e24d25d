package rnnlm

import (
	"bytes"
	"encoding/binary"
	"io"
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
	file := modelFile(t, m)
	head := func(word int, v uint32) []byte {
		b := slices.Clone(file)
		binary.LittleEndian.PutUint32(b[8+4*word:], v)
		return b
	}
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

func FuzzRead(f *testing.F) {
	m := newModel(f, 3, 2)
	file := modelFile(f, m)
	f.Add(file)
	f.Add(file[:30])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Read(m.Engine(), bytes.NewReader(b), int64(len(b)))
		if err == nil {
			if _, err := (File{got}).WriteTo(io.Discard); err != nil {
				t.Error(err)
			}
		}
	})
}
