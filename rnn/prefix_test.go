package rnn

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"batchrnn/rnn/safetensors"
)

// behind returns the tensors of a file, named with a prefix.
func behind(t *testing.T, file []byte, prefix string) (tensors []safetensors.Floats) {
	t.Helper()
	f, err := safetensors.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, stored := range f.Tensors {
		values := make([]float32, stored.Len())
		if err := f.Floats(values, stored); err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, safetensors.Floats{Name: prefix + stored.Name, Shape: stored.Shape, Values: values})
	}
	return tensors
}

// TestSafetensorsBehindPrefix: networks of every kind come back from names with a prefix.
// Without it the error tells the prefix, unless the names without one are there too.
func TestSafetensorsBehindPrefix(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, c := range stored {
		m, err := New(e, c, 1)
		if err != nil {
			t.Fatal(err)
		}
		other, err := New(e, c, 2)
		if err != nil {
			t.Fatal(err)
		}
		file := func(tensors []safetensors.Floats) *safetensors.File {
			var b bytes.Buffer
			if _, err := safetensors.Write(&b, m.metadata(), tensors); err != nil {
				t.Fatal(err)
			}
			f, err := safetensors.Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		wrapped := behind(t, written(t, m), "module.")
		f := file(append(wrapped, safetensors.Floats{Name: "step", Values: []float32{float32(math.NaN())}}))
		if err := other.SetTensors(f); err == nil || !strings.Contains(err.Error(), `all have the prefix "module." in the file`) {
			t.Errorf("%+v: no prefix: error %v", c, err)
		}
		both := file(append(behind(t, written(t, m), ""), wrapped...))
		if err := other.SetTensors(both); err == nil || !strings.Contains(err.Error(), "which the model has not") {
			t.Errorf("%+v: with and without a prefix: error %v", c, err)
		}
		some := file(wrapped[:len(wrapped)-1])
		if err := other.SetTensors(some); err == nil || strings.Contains(err.Error(), "prefix") {
			t.Errorf("%+v: one tensor missing: error %v", c, err)
		}
		if f, err = f.Behind("module."); err == nil {
			err = other.SetTensors(f)
		}
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if i := firstDifference(other.Slab, m.Slab); i >= 0 {
			t.Errorf("%+v: parameter %d is %v, was %v", c, i, other.Slab[i], m.Slab[i])
		}
	}
}
