package main

import (
	"fmt"
	"strings"
)

// A Workload is one piece of work that several implementations can do.
type Workload struct {
	Kind string // gemm, blas, lapack, rnn, int8, train, activation, onnx or streams

	Op      string // gemm, blas: a routine without the letter of its type; lapack: lu, qr, cholesky or svd
	Double  bool   // blas, lapack: elements are float64
	M, N, K int    // gemm: op(A)·op(B) of [M,K] and [K,N]; blas: see algebra.go; lapack: N, the order
	TransA  bool   // gemm: A is [K,M]; gemv: it is transposed
	TransB  bool   // gemm: B is [N,K]
	Beta    float64
	Cell    string // rnn, int8, train, streams: lstm, gru, or empty for the vanilla cell
	Act     string // vanilla rnn, int8, streams: tanh or relu; activation: tanh, sigmoid or exp
	Pass    string // rnn: forward, backward or both; int8: forward
	H, B, T int    // rnn, int8, train, streams: hidden width, batch, steps; onnx: B streams, T steps
	E       int    // rnn, int8: width of a dense input; 0: the input is ids; streams: of the embedding
	V       int    // train, streams: inputs and outputs
	Count   int    // activation: elements
	Model   string // onnx: add, or the name of a file without .onnx

	// Pack says when weights are packed into an implementation's own layout: "before"
	// the timed part, or in "each" call.
	Pack      string
	OneThread bool // too small for a second one
}

// ids is the number of inputs of an rnn whose input is ids.
const ids = 64

// Name returns the part of a benchmark's name after the implementation. With Bench
// before it, it is what -run matches.
func (w Workload) Name() string {
	switch w.Kind {
	case "gemm":
		trans := ""
		if w.TransA || w.TransB {
			trans = "/trans=" + letter(w.TransA) + letter(w.TransB)
		}
		return fmt.Sprintf("m=%d/n=%d/k=%d%s/pack=%s", w.M, w.N, w.K, trans, w.Pack)
	case "blas":
		return w.blasName()
	case "lapack":
		return fmt.Sprintf("op=%s/n=%d", w.Op, w.N)
	case "rnn":
		e := fmt.Sprint(w.E)
		if w.E == 0 {
			e = "ids"
		}
		return fmt.Sprintf("%s/h=%d/b=%d/t=%d/e=%s/pack=%s", w.cellName(), w.H, w.B, w.T, e, w.Pack)
	case "int8":
		return fmt.Sprintf("%s/h=%d/b=%d/t=%d/e=%d", w.cellName(), w.H, w.B, w.T, w.E)
	case "train":
		kind := ""
		if w.Cell != "" {
			kind = "cell=" + w.Cell + "/"
		}
		return fmt.Sprintf("%sv=%d/h=%d/b=%d/t=%d", kind, w.V, w.H, w.B, w.T)
	case "onnx":
		return fmt.Sprintf("model=%s/b=%d/t=%d", w.Model, w.B, w.T)
	case "streams":
		return fmt.Sprintf("%s/h=%d/b=%d/e=%d/v=%d", w.cellName(), w.H, w.B, w.E, w.V)
	default:
		return fmt.Sprintf("act=%s/n=%d", w.Act, w.Count)
	}
}

// cellName returns a gated cell's name, or a vanilla one's activation.
func (w Workload) cellName() string {
	if w.Cell != "" {
		return "cell=" + w.Cell
	}
	return "act=" + w.Act
}

func letter(trans bool) string {
	if trans {
		return "t"
	}
	return "n"
}

// LDA and LDB are the row strides of a gemm's matrices, which are dense.
func (w Workload) LDA() int {
	if w.TransA {
		return w.M
	}
	return w.K
}

func (w Workload) LDB() int {
	if w.TransB {
		return w.K
	}
	return w.N
}

// Bench returns the benchmark's name.
func (w Workload) Bench() string {
	name := w.Kind
	if w.Kind == "rnn" {
		name = w.Pass
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// Backward reports whether gradients are wanted.
func (w Workload) Backward() bool { return w.Pass == "backward" || w.Pass == "both" }

// Carry reports whether a call starts from the last state of the call before. Other
// calls start from zeros.
func (w Workload) Carry() bool {
	return w.Kind == "streams" || (w.Kind == "rnn" || w.Kind == "int8") && w.T == 1
}

// Apart reports whether results are compared by their absolute difference: outputs of a
// whole network, and states of int8.
func (w Workload) Apart() bool { return w.Kind == "onnx" || w.Kind == "streams" || w.Kind == "int8" }

// Voice reports whether the work is a voice detector's on one frame of each stream.
func (w Workload) Voice() bool { return strings.HasPrefix(w.Model, "silero") }

// Gates returns G, the number of products with each input and state.
func (w Workload) Gates() int { return max(1, len(gates[w.Cell])) }

// Flops counts the multiplications and additions of the products alone. Per row and
// step these are 2·G·H·(H+E) forward and twice that backward (of inputs and of
// weights). An input of ids has no input product. Activations, sums, packing and
// updates take time, but count no operations. Those of most ONNX models are not counted.
func (w Workload) Flops() float64 {
	rows := float64(w.T) * float64(w.B)
	switch w.Kind {
	case "gemm", "blas", "lapack":
		return w.algebraFlops()
	case "rnn", "int8":
		forward := 2 * rows * float64(w.Gates()*w.H) * float64(w.H+w.E)
		return forward * map[string]float64{"forward": 1, "backward": 2, "both": 3}[w.Pass]
	case "train":
		return 6 * rows * float64(w.H) * float64(w.Gates()*w.H+w.V)
	case "streams":
		return 2 * rows * float64(w.Gates()*w.H*(w.H+w.E)+w.H*w.V)
	case "onnx":
		if w.Model == "ndm" {
			return 2 * (rows*3*256*(256+4) + float64(w.B)*(257*256+256*64+64))
		}
	}
	return 0
}

// Rate converts ns nanoseconds a call into the workload's own unit.
func (w Workload) Rate(ns float64) (rate float64, unit string) {
	switch {
	case w.Kind == "activation":
		return float64(w.Count) / ns, "Gelem/s"
	case w.Kind == "lapack":
		return ns / 1e6, "ms/call"
	case w.Kind == "blas" && w.Flops() == 0:
		bytes, _ := w.Moved()
		return bytes / ns, "GB/s"
	case w.Kind == "train" || w.Kind == "streams":
		return float64(w.T*w.B) / ns * 1e9, "tokens/s"
	case w.Kind == "rnn" && w.B == 1 && (w.T == 1 || w.H <= 64), w.Kind == "int8" && w.T == 1:
		return ns / float64(w.T), "ns/step"
	case w.Kind == "int8":
		return w.Flops() / ns, "GOP/s"
	case w.Voice():
		return float64(w.B) * frameSamples / sampleRate * 1e9 / ns, "x-real-time"
	case w.Kind == "onnx":
		return ns / 1e3, "us/call"
	}
	return w.Flops() / ns, "GFLOP/s"
}

// Workloads returns all workloads of a run.
func Workloads() []Workload {
	var all []Workload
	add := func(w Workload) { all = append(all, w) }

	for _, s := range []struct{ h, b int }{{256, 32}, {512, 32}, {1760, 16}, {1760, 32}, {1760, 64}, {1760, 128}} {
		for _, pack := range []string{"before", "each"} {
			add(Workload{Kind: "gemm", Op: "gemm", M: s.b, N: s.h, K: s.h, Pack: pack})
		}
	}

	for _, s := range []struct{ h, b int }{{512, 32}, {1760, 32}, {1760, 128}} {
		for _, t := range []struct{ a, b bool }{{false, true}, {true, false}, {true, true}} {
			add(Workload{Kind: "gemm", Op: "gemm", M: s.b, N: s.h, K: s.h, TransA: t.a, TransB: t.b, Pack: "each"})
		}
	}

	all = append(all, algebraWorkloads()...)
	all = append(all, int8Workloads()...)

	rnn := func(pass, act string, h, b, e int, pack string) {
		add(Workload{Kind: "rnn", Pass: pass, Act: act, H: h, B: b, T: 50, E: e, Pack: pack})
	}
	batches := []int{16, 32, 64, 128}
	for _, pass := range []string{"forward", "backward"} {
		for _, b := range batches {
			rnn(pass, "tanh", 1760, b, 1760, "before")
		}
		for _, s := range []struct{ h, b int }{{512, 32}, {256, 32}, {128, 8}, {256, 4}, {256, 1}} {
			rnn(pass, "tanh", s.h, s.b, s.h, "before")
		}
	}
	// DeepBench's vanilla rows: first with the input product, then by DeepBench's own
	// rules, without it and with packing. No library can leave the input product out,
	// so the latter have an input narrow enough to be negligible.
	for _, pass := range []string{"forward", "backward"} {
		for _, h := range []int{1760, 2048, 2560} {
			for _, b := range batches {
				rnn(pass, "relu", h, b, h, "before")
			}
		}
	}
	for _, pass := range []string{"forward", "both"} {
		for _, h := range []int{1760, 2048, 2560} {
			for _, b := range batches {
				rnn(pass, "relu", h, b, narrow, "each")
			}
		}
	}

	add(Workload{Kind: "train", V: 65, H: 512, B: 32, T: 50})

	for _, h := range []int{32, 64} {
		for _, t := range []int{1, 100} {
			for _, e := range []int{h, 0} {
				add(Workload{Kind: "rnn", Pass: "forward", Act: "tanh", H: h, B: 1, T: t, E: e, Pack: "before", OneThread: true})
			}
		}
	}

	cells := []string{"lstm", "gru"}
	for _, pass := range []string{"forward", "backward", "both"} {
		for _, cell := range cells {
			for _, h := range []int{256, 512, 1024} {
				for _, b := range batches {
					add(Workload{Kind: "rnn", Pass: pass, Cell: cell, H: h, B: b, T: 50, E: h, Pack: "before"})
				}
			}
		}
	}
	for _, cell := range cells {
		for _, h := range []int{128, 256, 512, 1024} {
			add(Workload{Kind: "rnn", Pass: "forward", Cell: cell, H: h, B: 1, T: 1, E: h, Pack: "before"})
		}
	}
	for _, cell := range cells {
		add(Workload{Kind: "train", Cell: cell, V: 65, H: 512, B: 32, T: 50})
	}

	add(Workload{Kind: "onnx", Model: "add", B: 1, T: 1, OneThread: true})
	for _, b := range []int{1, 4, 16, 64} {
		for _, t := range []int{1, 10, 50, 200} {
			add(Workload{Kind: "onnx", Model: "ndm", B: b, T: t})
		}
	}
	for _, version := range []string{"legacy", "v5", "v6"} {
		for _, b := range []int{1, 64} {
			add(Workload{Kind: "onnx", Model: "silero_vad_" + version, B: b, T: 1})
		}
	}

	for _, cell := range []string{"", "gru", "lstm"} {
		act := ""
		if cell == "" {
			act = "tanh"
		}
		for _, h := range []int{128, 256, 512} {
			for _, b := range []int{1, 2, 4, 8, 16, 32, 64} {
				add(Workload{Kind: "streams", Cell: cell, Act: act, H: h, B: b, T: 1, E: 64, V: 64})
			}
		}
	}

	for _, act := range []string{"tanh", "sigmoid", "exp"} {
		add(Workload{Kind: "activation", Act: act, Count: 4096, OneThread: true})
	}
	return all
}

// narrow is an input width whose product is less than 1 % of the work. It is a whole
// vector, so that every library handles it well.
const narrow = 16

// Shrink returns a small workload of the same kind, to check that everything works.
func (w Workload) Shrink() Workload {
	small := func(n, most int) int {
		if n > most {
			return most + n%3 // varied, and some of them odd
		}
		return n
	}
	w.M, w.N, w.K = small(w.M, 8), small(w.N, 48), small(w.K, 48)
	if w.E != 0 {
		w.E = small(w.E, 48)
	}
	w.H, w.B, w.T = small(w.H, 48), small(w.B, 8), small(w.T, 4)
	return w
}
