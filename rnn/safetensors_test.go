package rnn

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// A golden is a file of reference values: tensors by name, as float64.
type golden struct {
	t    *testing.T
	meta map[string]string
	data map[string][]float64
}

// openGolden reads a safetensors file: the length of a JSON header, the header,
// and the tensors, all little-endian.
func openGolden(t *testing.T, name string) golden {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(file)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	g := golden{t: t, data: map[string][]float64{}}
	for key, raw := range header {
		if key == "__metadata__" {
			if err := json.Unmarshal(raw, &g.meta); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var entry struct {
			DType   string
			Offsets [2]uint64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &entry); err != nil {
			t.Fatal(err)
		}
		g.data[key] = decode(t, entry.DType, file[8+n:][entry.Offsets[0]:entry.Offsets[1]])
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
	for a, entry := range activations {
		if entry.name == g.meta["nonlinearity"] {
			return Activation(a)
		}
	}
	g.t.Fatalf("unknown nonlinearity %q", g.meta["nonlinearity"])
	return 0
}
