package kernels

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// hotCalls lists every method of Engine and Worker that a pass through a
// network may make, by name, ready to be called. What is missing here fails
// TestNoAllocations.
func hotCalls(e *Engine) map[string]func() {
	const n = elementsPerCall + 9
	r := rand.New(rand.NewPCG(49, 50))
	x, y, z, s, v := randoms(r, n), randoms(r, n), randoms(r, n), filled(n, 1), filled(n, 1)
	ids, targets, losses := []int32{0, 3, 3}, []int32{1, 0, 4}, make([]float32, 3)
	var step AdamStep

	small := &problem{m: 3, n: 70, k: 20, start: bias, act: Tanh}
	large := &problem{m: 33, n: 205, k: 111, transA: true, start: inPlace, act: Sigmoid}
	packed, largePacked := small.fill(r).pack(e), large.fill(r).pack(e)
	product, largeProduct := small.product(packed), large.product(largePacked)
	plainProduct := large.product(nil)
	q, bytes, int8Product := make([]int8, 70*20), make([]int8, n), product
	int8Product.B = e.NewPackedInt8(20, 70)
	transposed := e.NewPacked(20, 70)

	gated := gatedStep(r, 3, unitsPerCall+9)
	withoutDH := gated
	withoutDH.DH = Rows{}

	// A closure made for each call would be an allocation of the caller's.
	columns := make([]Span, e.Threads())
	region := func(w *Worker) {
		w.Gemm(largeProduct, w.Share(largePacked.Panels()))
		columns[w.ID()] = w.Columns(large.n)
		w.Barrier()
		w.PackPanels(packed, false, small.b, small.ldb(), w.Share(packed.Panels()))
		w.Tanh(z[w.ID():w.ID()+1], x[:1])
	}
	none := func(*Worker) {}

	return map[string]func(){
		"Tanh":    func() { e.Tanh(z, x) },
		"Sigmoid": func() { e.Sigmoid(z, x) },
		"Exp":     func() { e.Exp(z, x) },
		"Log":     func() { e.Log(z, x) },
		"Sqrt":    func() { e.Sqrt(z, x) },
		"ReLU":    func() { e.ReLU(z, x) },
		"MulGrad": func() {
			e.MulGrad(Tanh, 9, 100, z, 101, x, 100)
			e.MulGrad(Sigmoid, 9, 100, z, 101, x, 100)
			e.MulGrad(ReLU, 9, 100, z, 101, x, 100)
		},
		"LSTM":       func() { e.LSTM(gated) },
		"LSTMGrad":   func() { e.LSTMGrad(gated); e.LSTMGrad(withoutDH) },
		"GRU":        func() { e.GRU(gated) },
		"GRUGrad":    func() { e.GRUGrad(gated); e.GRUGrad(withoutDH) },
		"Add":        func() { e.Add(z, x, y) },
		"Mul":        func() { e.Mul(z, x, y) },
		"Clear":      func() { e.Clear(z) },
		"Copy":       func() { e.Copy(z, x) },
		"Axpy":       func() { e.Axpy(0.5, x, z) },
		"Scale":      func() { e.Scale(0.5, z) },
		"Dot":        func() { e.Dot(x, y) },
		"SumSquares": func() { e.SumSquares(x) },
		"ColumnSums": func() { e.ColumnSums(9, x, 101, z[:100]) },
		"ScatterAdd": func() { e.ScatterAdd(90, ids, x, 100, z, 100) },

		"Softmax":             func() { e.Softmax(3, 90, z, 100) },
		"LogSoftmax":          func() { e.LogSoftmax(3, 90, z, 100, s) },
		"LogSum":              func() { e.LogSum(z[:90]) },
		"SoftmaxCrossEntropy": func() { e.SoftmaxCrossEntropy(90, 1, z, 100, targets, losses) },

		"SGD":     func() { e.SGD(z, x, 1, 0.1) },
		"Adagrad": func() { e.Adagrad(z, x, s, 1, 0.1, 1e-8) },
		"Adam":    func() { step.Set(1, 1, 0.1, 0.9, 0.999, 1e-8); e.Adam(z, x, s, v, &step) },

		"Gemm":       func() { e.Gemm(product); e.Gemm(largeProduct); e.Gemm(int8Product) },
		"GemmPlain":  func() { e.GemmPlain(plainProduct, large.plain()) },
		"Panels":     func() { e.Panels(100) },
		"Columns":    func() { e.Run(e.Threads(), region) },
		"Pack":       func() { e.Pack(packed, false, small.b, 70); e.Pack(transposed, true, small.b, 20) },
		"PackPanels": func() { e.PackPanels(packed, false, small.b, 70, packed.All()) },
		"PackInt8":   func() { e.PackInt8(int8Product.B, q, s[:70]) },
		"Dequantise": func() { e.Dequantise(z, bytes, 0.5) },
		"PackRows":   func() { e.PackRows(packed, Span{1, 19}, small.b, 70) },

		"Run":     func() { e.Run(e.Threads(), region); e.Run(1, region) },
		"Barrier": func() { e.Run(e.Threads(), region) },
		"Share":   func() { e.Run(e.Threads(), region) },
		"ID":      func() { e.Run(e.Threads(), region) },
		"Workers": func() { e.Run(e.Threads(), none) },

		"FMA":             func() { e.FMA(1) },
		"HandoverWork":    func() { e.HandoverWork() },
		"Processors":      func() { e.Processors() },
		"ISA":             func() { e.ISA() },
		"Threads":         func() { e.Threads() },
		"PackedBytes":     func() { e.PackedBytes(3, 5) },
		"PackedInt8Bytes": func() { e.PackedInt8Bytes(3, 5) },
	}
}

// notHot are the methods that may allocate or are called once.
var notHot = map[string]bool{"NewPacked": true, "NewPackedInt8": true, "Close": true}

func TestNoAllocations(t *testing.T) {
	for _, threads := range []int{1, 2} {
		eachEngine(t, threads, func(t *testing.T, e *Engine) {
			calls := hotCalls(e)
			for _, typ := range []reflect.Type{reflect.TypeFor[*Engine](), reflect.TypeFor[*Worker]()} {
				for i := range typ.NumMethod() {
					if name := typ.Method(i).Name; calls[name] == nil && !notHot[name] {
						t.Errorf("%v.%s is not in hotCalls", typ, name)
					}
				}
			}
			for name, call := range calls {
				if n := testing.AllocsPerRun(10, call); n != 0 {
					t.Errorf("%s allocates %v times a call with %d threads", name, n, threads)
				}
			}
		})
	}
}
