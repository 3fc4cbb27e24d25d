package main

import (
	"math"
	"math/rand/v2"
)

// Data is the input of a workload, the same for every implementation. Matrices are
// row-major, activations [T,B,·].
type Data struct {
	Operands Operands[float32] // gemm, blas
	Wide     Operands[float64] // blas and lapack in float64
	Src      []float32         // activation

	X, DH        []float32 // [T,B,E], [T,B,H]
	IDs, Targets []int32   // [T,B]; streams: IDs of some steps, [frames,B]
	We           []float32 // streams: [V,E]
	Wx, Wh, Bh   []float32 // [E,G·H], [H,G·H], [G·H], gates in the order of [gates]
	Br           []float32 // [G·H], the bias beside the state's product, of a GRU
	Wy, By       []float32 // [H,V], [V]
	H0, C0       []float32 // [B,H]; C0 of an LSTM

	Model []byte // onnx: the file, which NewData leaves empty
	Call  *Call  // onnx, streams
}

// NewData draws a workload's data from a fixed seed.
func NewData(w Workload) *Data {
	r := rand.New(rand.NewPCG(1, 2))
	uniform := func(n int, bound float64) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32((2*r.Float64() - 1) * bound)
		}
		return x
	}
	index := func(n, below int) []int32 {
		x := make([]int32, n)
		for i := range x {
			x[i] = r.Int32N(int32(below))
		}
		return x
	}

	switch w.Kind {
	case "gemm", "blas", "lapack":
		if !w.Double {
			return &Data{Operands: newOperands(w, uniform)}
		}
		return &Data{Wide: newOperands(w, func(n int, bound float64) []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = (2*r.Float64() - 1) * bound
			}
			return x
		})}
	case "activation":
		return &Data{Src: uniform(w.Count, 6)}
	case "onnx":
		return &Data{Call: newCall(w, uniform)}
	}
	rows, bound := w.T*w.B, 1/math.Sqrt(float64(w.H))
	width := w.Gates() * w.H
	d := &Data{Wh: uniform(w.H*width, bound), Bh: uniform(width, bound), H0: uniform(w.B*w.H, 1)}
	switch w.Cell {
	case "lstm":
		d.C0 = uniform(w.B*w.H, 1)
	case "gru":
		d.Br = uniform(width, bound)
	}
	switch {
	case w.Kind == "streams":
		d.IDs, d.We = index(frames*w.B, w.V), uniform(w.V*w.E, 1)
		d.Wx, d.Wy, d.By = uniform(w.E*width, bound), uniform(w.H*w.V, bound), uniform(w.V, bound)
		d.Call = streamsCall(w, d)
	case w.Kind == "train":
		d.IDs, d.Targets = index(rows, w.V), index(rows, w.V)
		d.Wx, d.Wy, d.By = uniform(w.V*width, bound), uniform(w.H*w.V, bound), uniform(w.V, bound)
	case w.E == 0:
		d.IDs, d.Wx = index(rows, ids), uniform(ids*width, bound)
	default:
		d.X, d.Wx = uniform(rows*w.E, 1), uniform(w.E*width, bound)
	}
	if w.Backward() {
		d.DH = uniform(rows*w.H, 1)
	}
	return d
}
