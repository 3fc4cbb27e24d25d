package main

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"batchrnn/kernels"
)

func TestRegated(t *testing.T) {
	x := []float32{
		1, 2, 3, 4, 5, 6, 7, 8,
		10, 20, 30, 40, 50, 60, 70, 80,
	}
	got := regated(x, 2, "ifgo", "iofg")
	want := []float32{
		1, 2, 7, 8, 3, 4, 5, 6,
		10, 20, 70, 80, 30, 40, 50, 60,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %g, want %g", got, want)
	}
	if back := regated(got, 2, "iofg", "ifgo"); !slices.Equal(back, x) {
		t.Errorf("back: %g, want %g", back, x)
	}
	if vanilla := regated(x, 8, "", ""); !slices.Equal(vanilla, x) {
		t.Errorf("without gates: %g, want %g", vanilla, x)
	}
}

// A layout holds what a library gets: row-major weights with gates in its order, and
// the biases of the input and of the state.
type layout struct {
	order          string
	wx, wh, bx, bh []float32
}

// states computes the cell from its equations, in float64.
func (l layout) states(w Workload, d *Data) []float64 {
	width := w.Gates() * w.H
	out := make([]float64, 0, w.T*w.B*w.H)
	h, c := make([]float64, w.B*w.H), make([]float64, w.B*w.H)
	if w.Carry() {
		for i := range h {
			h[i] = float64(d.H0[i])
			if w.Cell == "lstm" {
				c[i] = float64(d.C0[i])
			}
		}
	}
	sigmoid := func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
	for t := range w.T {
		before := slices.Clone(h)
		for b := range w.B {
			for j := range w.H {
				// sums returns a gate's two sums: of the input and of the state.
				sums := func(gate byte) (zx, zh float64) {
					col := strings.IndexByte(l.order, gate)*w.H + j
					zx, zh = float64(l.bx[col]), float64(l.bh[col])
					for i := range w.E {
						zx += float64(d.X[(t*w.B+b)*w.E+i]) * float64(l.wx[i*width+col])
					}
					for i := range w.H {
						zh += before[b*w.H+i] * float64(l.wh[i*width+col])
					}
					return zx, zh
				}
				sum := func(gate byte) float64 { zx, zh := sums(gate); return zx + zh }
				at := b*w.H + j
				if w.Cell == "lstm" {
					c[at] = sigmoid(sum('f'))*c[at] + sigmoid(sum('i'))*math.Tanh(sum('g'))
					h[at] = sigmoid(sum('o')) * math.Tanh(c[at])
				} else {
					nx, nh := sums('n')
					z := sigmoid(sum('z'))
					h[at] = (1-z)*math.Tanh(nx+sigmoid(sum('r'))*nh) + z*before[at]
				}
			}
		}
		out = append(out, h...)
	}
	return out
}

// onnxLayout reads back the constants of an ONNX model. Its order is iofc or zrh of the
// operators' documentation.
func onnxLayout(t *testing.T, w Workload, d *Data) layout {
	graph := decode(t, all(decode(t, rnnModel(w, d)), 7)[0].bytes)
	constants := map[string][]float32{}
	for _, f := range all(graph, 5) {
		c := decode(t, f.bytes)
		raw := all(c, 9)[0].bytes
		x := make([]float32, len(raw)/4)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		constants[texts(c, 8)[0]] = x
	}
	width := w.Gates() * w.H
	return layout{
		order: map[string]string{"lstm": "iofg", "gru": "zrn"}[w.Cell],
		wx:    transposed(constants["W"], width, w.E),
		wh:    transposed(constants["R"], width, w.H),
		bx:    constants["B"][:width],
		bh:    constants["B"][width:],
	}
}

// onednnLayout has the order i, f, c, o or u, r, o of oneDNN's documentation.
func onednnLayout(w Workload, d *Data) layout {
	order := map[string]string{"lstm": "ifgo", "gru": "zrn"}[w.Cell]
	theirs := func(x []float32) []float32 { return regated(x, w.H, gates[w.Cell], onednnGates[w.Cell]) }
	bias := onednnBias(w, d)
	width := w.Gates() * w.H
	l := layout{order: order, wx: theirs(d.Wx), wh: theirs(d.Wh), bx: bias[:width], bh: make([]float32, width)}
	copy(l.bh[width-w.H:], bias[width:]) // the candidate's second bias
	return l
}

// What other libraries get is the same cell as ours.
func TestLayouts(t *testing.T) {
	e, err := kernels.New("generic", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, cell := range []string{"lstm", "gru"} {
		for _, steps := range []int{1, 5} {
			w := Workload{Kind: "rnn", Pass: "forward", Cell: cell, H: 6, B: 3, T: steps, E: 4, Pack: "before"}
			d := NewData(w)
			ours, err := oursRNN(e, w, d)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ours.Results()
			if err != nil {
				t.Fatal(err)
			}
			for name, l := range map[string]layout{"ONNX": onnxLayout(t, w, d), "oneDNN": onednnLayout(w, d)} {
				if diff := difference(l.states(w, d), got["h"]); !(diff <= 1e-5) {
					t.Errorf("%s of %d steps in the layout of %s differs by %.2g", cell, steps, name, diff)
				}
			}
		}
	}
}

// The gradients of oneDNN's biases come back by the chain rule: a change of our biases
// changes the loss as much as the change of its own.
func TestOneDNNBiasGradient(t *testing.T) {
	for _, cell := range []string{"", "lstm", "gru"} {
		w := Workload{Kind: "rnn", Pass: "both", Cell: cell, H: 5, B: 1, T: 2, E: 1}
		d := NewData(w)
		theirs := onednnBias(w, d) // linear in ours, so it is its own change
		db := make([]float32, len(theirs))
		for i := range db {
			db[i] = float32(i*i%7) - 3
		}
		r := Results{}
		r.addOneDNNBias(w, db)
		dot := func(x []float64, y []float32) (sum float64) {
			if len(x) != len(y) {
				t.Fatalf("%q: %d gradients of %d biases", cell, len(x), len(y))
			}
			for i := range x {
				sum += x[i] * float64(y[i])
			}
			return sum
		}
		got, want := dot(r["dbh"], d.Bh)+dot(r["dbr"], d.Br), dot(widen(db), theirs)
		if !(math.Abs(got-want) <= 1e-5) {
			t.Errorf("%q: the loss changes by %g, want %g", cell, got, want)
		}
	}
}
