package onnx

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/kernels"
)

// TestConformance runs cases of the ONNX project: a model, its inputs and outputs.
func TestConformance(t *testing.T) {
	folders, _ := filepath.Glob("../../../shared/onnx/test_*")
	if len(folders) == 0 {
		t.Skip("the conformance cases are not beside the project, in ../shared/onnx")
	}
	engine := testEngine(t)
	for _, folder := range folders {
		t.Run(strings.TrimPrefix(filepath.Base(folder), "test_"), func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(folder, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			m, err := Load(engine, bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]*Tensor{}
			for i, v := range m.inputs {
				in[v.Name] = readTensor(t, filepath.Join(folder, "test_data_set_0", fmt.Sprintf("input_%d.pb", i)))
			}
			out := map[string]*Tensor{}
			for _, v := range m.outputs {
				out[v.Name] = new(Tensor)
			}
			if err := m.Run(in, out); err != nil {
				t.Fatal(err)
			}
			for i, v := range m.outputs {
				want := readTensor(t, filepath.Join(folder, "test_data_set_0", fmt.Sprintf("output_%d.pb", i)))
				compare(t, v.Name, out[v.Name], want, 1e-5)
			}
		})
	}
}

func readTensor(t *testing.T, file string) *Tensor {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var p tensorProto
	if err := new(reader).tensor(&p, b); err != nil {
		t.Fatal(err)
	}
	d, err := p.decode()
	if err != nil {
		t.Fatal(err)
	}
	return &Tensor{d.shape, d.floats, d.ints}
}

// compare fails unless got has the shape of want and each element is within tol.
func compare(t *testing.T, name string, got, want *Tensor, tol float64) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) || !slices.Equal(got.Ints, want.Ints) || len(got.Floats) != len(want.Floats) {
		t.Fatalf("%s: got shape %v, want %v", name, got.Shape, want.Shape)
	}
	for i, w := range want.Floats {
		if d := float64(got.Floats[i] - w); !(max(d, -d) <= tol) {
			t.Fatalf("%s: element %d is %v, want %v", name, i, got.Floats[i], w)
		}
	}
}

func testEngine(t testing.TB) *kernels.Engine {
	e, err := kernels.New("", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}
