package onnx

import (
	"bytes"
	"runtime"
	"testing"
)

// TestWeightsAreHeldOnce: a loaded model holds neither the file nor a second copy of weights
// that are packed.
func TestWeightsAreHeldOnce(t *testing.T) {
	engine := testEngine(t)
	const h = 256
	x := []valueProto{newValue("x", Float, named("n"), sized(h))}
	steps := []valueProto{newValue("x", Float, named("t"), named("n"), sized(h))}
	y := []string{"y"}
	big := weights("", 2*h, 2*h)
	for name, model := range map[string]*modelProto{
		"LSTM": modelOf(steps, []*tensorProto{weights("w", 1, 4*h, h), weights("r", 1, 4*h, h)},
			newNode("LSTM", []string{"x", "w", "r"}, y, intAttribute("hidden_size", h))),
		"LSTM of peepholes": modelOf(steps, []*tensorProto{weights("w", 1, 4*h, h), weights("r", 1, 4*h, h), weights("p", 1, 3*h)},
			newNode("LSTM", []string{"x", "w", "r", "", "", "", "", "p"}, y, intAttribute("hidden_size", h))),
		"LSTM of joined weights": modelOf(steps, []*tensorProto{weights("w", 1, 4*h, h), weights("r1", 1, 2*h, h), weights("r2", 1, 2*h, h)},
			newNode("Concat", []string{"r1", "r2"}, []string{"r"}, intAttribute("axis", 1)),
			newNode("LSTM", []string{"x", "w", "r"}, y, intAttribute("hidden_size", h))),
		"Gemm":                   modelOf(x, []*tensorProto{weights("w", 8*h, h)}, newNode("Gemm", []string{"x", "w"}, y, intAttribute("transB", 1))),
		"MatMul":                 modelOf(x, []*tensorProto{weights("w", h, 8*h)}, newNode("MatMul", []string{"x", "w"}, y)),
		"MatMul of a transposed": modelOf(x, []*tensorProto{weights("w", 8*h, h)}, newNode("Transpose", []string{"w"}, []string{"v"}), newNode("MatMul", []string{"x", "v"}, y)),
		"Conv":                   modelOf([]valueProto{newValue("x", Float, named("n"), sized(h), sized(16))}, []*tensorProto{weights("w", 2*h, h, 4)}, newNode("Conv", []string{"x", "w"}, y)),
		"Constant": modelOf([]valueProto{newValue("x", Float, named("n"), sized(2*h))}, nil,
			newNode("Constant", nil, []string{"w"}, tensorAttribute("value", big)), newNode("MatMul", []string{"x", "w"}, y)),
	} {
		file := bytes.Clone(model.encode(nil))
		size := len(file)
		before := heapInUse() - int64(size)
		m, err := Load(engine, bytes.NewReader(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file, model = nil, nil
		if held := heapInUse() - before; held > int64(size)*5/4 {
			t.Errorf("%s: the model of a file of %d bytes holds %d bytes", name, size, held)
		}
		in, out := small(m, 1), outputsOf(m)
		if name == "Conv" { // its input is larger than others
			in = map[string]*Tensor{"x": {Shape: []int{1, h, 16}, Floats: ramp(16 * h)}}
		}
		if err := m.Run(in, out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if held := heapInUse() - before; held > int64(size)*3/2 {
			t.Errorf("%s: after a run the model of a file of %d bytes holds %d bytes", name, size, held)
		}
		runtime.KeepAlive(m)
	}
}

// heapInUse returns the bytes that are reachable.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// TestSharedWeights: weights that other nodes read too stay.
func TestSharedWeights(t *testing.T) {
	model := modelOf([]valueProto{newValue("x", Float, named("n"), sized(3))}, []*tensorProto{weights("w", 3, 3)},
		newNode("MatMul", []string{"x", "w"}, []string{"p"}), newNode("MatMul", []string{"p", "w"}, []string{"q"}), newNode("Add", []string{"q", "w"}, []string{"y"}))
	model.graph.outputs = append(model.graph.outputs, newValue("w", Float))
	m := load(t, testEngine(t), model)
	in, out := small(m, 3), outputsOf(m)
	for i := range in["x"].Floats {
		in["x"].Floats[i] = 0
	}
	if err := m.Run(in, out); err != nil {
		t.Fatal(err)
	}
	want := &Tensor{Shape: []int{3, 3}, Floats: ramp(9)}
	bits(t, "the sum", out["y"], want)
	bits(t, "the weights", out["w"], want)
}

// TestWeightsInOtherShapes: weights of the file whose shape depends on that of an input are
// packed anew for each shape.
func TestWeightsInOtherShapes(t *testing.T) {
	m := load(t, testEngine(t), modelOf([]valueProto{newValue("x", Float, named("m"), named("k")), newValue("like", Float, named("k"), named("n"))},
		[]*tensorProto{weights("w", 12)},
		newNode("Shape", []string{"like"}, []string{"shape"}),
		newNode("Reshape", []string{"w", "shape"}, []string{"matrix"}),
		newNode("MatMul", []string{"x", "matrix"}, []string{"y"}),
	))
	w := ramp(12)
	for _, k := range []int{3, 4, 2, 3} {
		n := 12 / k
		in := map[string]*Tensor{"x": {Shape: []int{1, k}, Floats: ramp(k)}, "like": {Shape: []int{k, n}, Floats: make([]float32, 12)}}
		var y Tensor
		if err := m.Run(in, map[string]*Tensor{"y": &y}); err != nil {
			t.Fatal(err)
		}
		want := Tensor{Shape: []int{1, n}, Floats: make([]float32, n)}
		for i, v := range ramp(k) {
			for j := range n {
				want.Floats[j] += v * w[i*n+j]
			}
		}
		if err := near(&y, &want, 1e-6); err != nil {
			t.Errorf("a matrix of %d rows: %v", k, err)
		}
	}
}
