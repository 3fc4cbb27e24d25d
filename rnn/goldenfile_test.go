package rnn

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"batchrnn/rnn/safetensors"
)

// A golden is a file of reference values: tensors by name, as float64.
type golden struct {
	t    *testing.T
	meta map[string]string
	data map[string][]float64
	file *safetensors.File
}

func openGolden(t *testing.T, name string) golden {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	g := golden{t: t, meta: f.Metadata, data: map[string][]float64{}, file: f}
	for _, tensor := range f.Tensors {
		raw, err := f.Bytes(tensor)
		if err != nil {
			t.Fatal(err)
		}
		g.data[tensor.Name] = decode(t, tensor.DType, raw)
	}
	return g
}

func decode(t *testing.T, dtype string, raw []byte) []float64 {
	t.Helper()
	var values []float64
	le := binary.LittleEndian
	switch dtype {
	case "F32":
		for ; len(raw) > 0; raw = raw[4:] {
			values = append(values, float64(math.Float32frombits(le.Uint32(raw))))
		}
	case "F64":
		for ; len(raw) > 0; raw = raw[8:] {
			values = append(values, math.Float64frombits(le.Uint64(raw)))
		}
	case "I64":
		for ; len(raw) > 0; raw = raw[8:] {
			values = append(values, float64(int64(le.Uint64(raw))))
		}
	default:
		t.Fatalf("no reader for tensors of %s", dtype)
	}
	return values
}

// load sets m's parameters to those of the file.
func (g golden) load(m *Model) {
	g.t.Helper()
	var tensors []safetensors.Floats
	for _, t := range g.file.Tensors {
		name := strings.TrimPrefix(t.Name, "rnn.")
		if strings.HasPrefix(name, "weight_") || strings.HasPrefix(name, "bias_") || strings.HasPrefix(name, "out.") {
			tensors = append(tensors, safetensors.Floats{Name: t.Name, Shape: t.Shape, Values: g.f32(t.Name)})
		}
	}
	var b bytes.Buffer
	if _, err := safetensors.Write(&b, g.meta, tensors); err != nil {
		g.t.Fatal(err)
	}
	if err := m.ReadSafetensors(bytes.NewReader(b.Bytes()), int64(b.Len())); err != nil {
		g.t.Fatal(err)
	}
}

// f64 returns a tensor.
func (g golden) f64(key string) []float64 {
	g.t.Helper()
	v, ok := g.data[key]
	if !ok {
		g.t.Fatalf("no tensor %s", key)
	}
	return v
}

// f32 returns a tensor that was stored as float32.
func (g golden) f32(key string) []float32 {
	g.t.Helper()
	v := g.f64(key)
	f := make([]float32, len(v))
	for i, x := range v {
		f[i] = float32(x)
	}
	return f
}

// state returns a state; c is there in files of an LSTM alone.
func (g golden) state(h, c string) State {
	g.t.Helper()
	s := State{H: g.f32(h)}
	if _, ok := g.data[c]; ok {
		s.C = g.f32(c)
	}
	return s
}

// ids returns a tensor of integers.
func (g golden) ids(key string) []int32 {
	g.t.Helper()
	v := g.f64(key)
	ids := make([]int32, len(v))
	for i, x := range v {
		ids[i] = int32(x)
	}
	return ids
}

// size returns an integer of the metadata, number any number.
func (g golden) size(key string) int { return int(g.number(key)) }

func (g golden) number(key string) float64 {
	g.t.Helper()
	v, err := strconv.ParseFloat(g.meta[key], 64)
	if err != nil {
		g.t.Fatalf("metadata %s: %v", key, err)
	}
	return v
}

func (g golden) activation() Activation {
	g.t.Helper()
	var a Activation
	if err := a.UnmarshalText([]byte(g.meta["nonlinearity"])); err != nil {
		g.t.Fatal(err)
	}
	return a
}
