package main

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"batchrnn/internal/ort"
)

// int8LSTM is large enough for all sets to have whole tiles and the ends of others.
func int8LSTM(steps int) Workload {
	return Workload{Kind: "int8", Pass: "forward", Cell: "lstm", H: 70, B: 3, T: steps, E: 35}
}

func TestQuantised(t *testing.T) {
	q, scales := quantised([]float32{
		1, -4, 0,
		-2, 1, 0,
	}, 2, 3)
	if want := []int8{64, -127, 0, -127, 32, 0}; !slices.Equal(q, want) { // 63.5 to the even one
		t.Errorf("values %d, want %d", q, want)
	}
	if want := []float32{2. / 127, 4. / 127, 0}; !slices.Equal(scales, want) {
		t.Errorf("scales %g, want %g", scales, want)
	}
}

// The model is one DynamicQuantizeLSTM, whose constants have the values of Wx and Wh.
func TestInt8Model(t *testing.T) {
	for _, tc := range []struct {
		steps           int
		inputs, outputs []string
	}{
		{5, []string{"X", "W", "R", "B", "", "", "", "", "W_scale", "W_zero", "R_scale", "R_zero"}, []string{"h"}},
		{1, []string{"X", "W", "R", "B", "", "H0", "C0", "", "W_scale", "W_zero", "R_scale", "R_zero"}, []string{"h", "H1", "C1"}},
	} {
		w := int8LSTM(tc.steps)
		d := NewData(w)
		model := decode(t, rnnModel(w, d))
		domains := map[string]uint64{}
		for _, f := range all(model, 8) {
			opset := decode(t, f.bytes)
			domains[texts(opset, 1)[0]] = all(opset, 2)[0].value
		}
		graph := decode(t, all(model, 7)[0].bytes)
		node := decode(t, all(graph, 1)[0].bytes)
		if name, domain := texts(node, 4)[0], texts(node, 7)[0]; name != "DynamicQuantizeLSTM" || domains[domain] != 1 {
			t.Errorf("operator %s of the domain %q, in %v", name, domain, domains)
		}
		if got := texts(node, 1); !slices.Equal(got, tc.inputs) {
			t.Errorf("inputs %q, want %q", got, tc.inputs)
		}
		if got := texts(node, 2); !slices.Equal(got, tc.outputs) {
			t.Errorf("outputs %q, want %q", got, tc.outputs)
		}

		constants := map[string][]byte{}
		for _, f := range all(graph, 5) {
			c := decode(t, f.bytes)
			constants[texts(c, 8)[0]] = all(c, 9)[0].bytes
		}
		width := w.Gates() * w.H
		for name, x := range map[string][]float32{"W": d.Wx, "R": d.Wh} {
			x = regated(x, w.H, "ifgo", "iofg")
			if zeros := constants[name+"_zero"]; len(zeros) != width || slices.Max(zeros) != 0 {
				t.Errorf("zeros of %s: %d", name, zeros)
			}
			for i, q := range constants[name] {
				scale := math.Float32frombits(binary.LittleEndian.Uint32(constants[name+"_scale"][i%width*4:]))
				if got := scale * float32(int8(q)); !(math.Abs(float64(got-x[i])) <= float64(scale)*0.501) {
					t.Fatalf("%s[%d] is %g, want %g within half of %g", name, i, got, x[i], scale)
				}
			}
		}
	}
}

func TestOneDNNInt8(t *testing.T) {
	x := []float32{-1, -0.5, 0, 0.25, 1}
	q := onednnBytes(x)
	if want := []uint8{1, 64, 128, 160, 255}; !slices.Equal(q, want) {
		t.Errorf("bytes %d, want %d", q, want)
	}
	if diff := difference(onednnStates(q), widen(x)); !(diff <= 0.5/127) {
		t.Errorf("bytes have the values %g, want %g", onednnStates(q), x)
	}
	w := Workload{Kind: "int8", Cell: "lstm", H: 1}
	scales := onednnScales(w, []float32{1, 2, 3, 4, -5, 0, 0, 0}, []float32{0, 0, -6, 0}, 120)
	if want := []float32{24, 60, 20, 30}; !slices.Equal(scales, want) {
		t.Errorf("scales %g, want %g", scales, want)
	}
}

// checkInt8 checks that an implementation does the same work as ours.
func checkInt8(t *testing.T, impl *Impl) {
	ours := Ours()[0]
	defer ours.Close()
	for _, steps := range []int{1, 5} {
		checkSame(t, ours, impl, int8LSTM(steps))
	}
}

func TestInt8ONNXRuntime(t *testing.T) {
	impl, err := ONNXRuntime()
	if err != nil {
		ort.File(t, filepath.Join("node_modules", "onnxruntime-node")) // which skips
		t.Fatal(err)
	}
	defer impl.Close()
	checkInt8(t, impl)
}

func TestInt8OneDNN(t *testing.T) {
	impl, err := OneDNN()
	if err != nil {
		t.Skipf("without oneDNN: %v; to install: make peers-setup", err)
	}
	checkInt8(t, impl)
}

func TestInt8Float32(t *testing.T) {
	impl := Float32()
	defer impl.Close()
	checkInt8(t, impl)
}
