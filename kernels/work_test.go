package kernels

import (
	"math/rand/v2"
	"reflect"
	"regexp"
	"strconv"
	"testing"

	"batchrnn/asm"
)

// The work of one call into assembly that takes about 50 µs at most. The bounds are
// written out here: the constants that the loops use must not grow beyond them.
const (
	mostElements = 16384          // of vectors and matrices
	mostUnits    = 4096           // of a gated cell
	mostRows     = 256            // each of which may be a miss
	mostPacked   = 1024 * 32      // elements in another order
	mostDepth    = 3072           // of a tile
	mostWeights  = 3072 * 64      // of B that one tile reads
	mostMulAdds  = 12 * 32 * 3072 // of one tile
	mostRounds   = 4096           // of FMAs in registers
)

// tileName ends in the rows and columns of a tile.
var tileName = regexp.MustCompile(`^(?:sgemm|int8).*_(\d+)x(\d+)$`)

// TestWorkOfACall counts the work of each call into assembly, of operations that are
// too large for one.
func TestWorkOfACall(t *testing.T) {
	for _, isa := range fusedISAs() {
		t.Run("isa="+isa, func(t *testing.T) {
			most := map[string][2]int{} // rows and elements of a kernel's largest calls
			e, err := Trace(isa, func(c Call) {
				rows, elements := c.Size[0], c.Size[0]*max(1, c.Size[1])
				if tile := tileName.FindStringSubmatch(c.Kernel); tile != nil {
					m, _ := strconv.Atoi(tile[1])
					n, _ := strconv.Atoi(tile[2])
					if rows > mostDepth || rows*n > mostWeights || m*rows*n > mostMulAdds {
						t.Errorf("%s of depth %d in one call", c.Kernel, rows)
					}
				}
				was := most[c.Kernel]
				most[c.Kernel] = [2]int{max(was[0], rows), max(was[1], elements)}
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Close)
			largeCalls(e)

			slots := reflect.ValueOf(e.set).Elem()
			plain, err := find(isa)
			if err != nil {
				t.Fatal(err)
			}
			names := reflect.ValueOf(plain).Elem()
			for i := range slots.NumField() {
				slot := slots.Type().Field(i).Name
				if slots.Field(i).Kind() != reflect.Func || slot == "ReadControl" || slot == "WriteControl" {
					continue
				}
				rows, elements := mostElements, mostElements
				switch slot {
				case "Pack", "PackT":
					rows, elements = mostPacked, mostPacked
				case "LSTM", "LSTMGrad", "GRU", "GRUGrad":
					rows, elements = mostUnits, mostUnits
				case "Strip":
					rows = mostRows
				case "TanhGrad", "SigmoidGrad", "ReLUGrad", "ColSums":
					rows = mostRows
				case "FMAPeak":
					rows, elements = mostRounds, mostRounds
				}
				kernel := symbol(names.Field(i).Interface())
				got, called := most[kernel]
				if !called {
					t.Errorf("%s has not been called: add an operation that is too large for it", slot)
				}
				if got[0] > rows || got[1] > elements {
					t.Errorf("%s: up to %d rows, %d elements in one call, want at most %d and %d", kernel, got[0], got[1], rows, elements)
				}
			}
		})
	}
}

// largeCalls runs operations that are too large for one call of each kernel.
func largeCalls(e *Engine) {
	const n = 3*mostElements + 77
	r := rand.New(rand.NewPCG(71, 72))
	x, y, z, s, v := randoms(r, n), randoms(r, n), randoms(r, n), filled(n, 1), filled(n, 1)
	e.Tanh(z, x)
	e.Sigmoid(z, x)
	e.Exp(z, x)
	e.Log(z, x)
	e.Sqrt(z, x)
	e.ReLU(z, x)
	e.Add(z, x, y)
	e.Mul(z, x, y)
	e.Axpy(0.5, x, z)
	e.Scale(0.5, z)
	e.Dot(x, y)
	e.Dequantise(z, make([]int8, n), 0.5)
	e.SumSquares(x)
	e.SGD(z, x, 1, 0.1)
	e.Adagrad(z, x, s, 1, 0.1, 1e-8)
	var step AdamStep
	step.Set(1, 1, 0.1, 0.9, 0.999, 1e-8)
	e.Adam(z, x, s, v, &step)
	e.Softmax(1, n, z, n)
	for _, size := range [][2]int{{2, mostElements + 5}, {3, mostElements/2 + 5}, {1000, 3}} {
		m, cols := size[0], size[1]
		for _, act := range []Activation{Tanh, Sigmoid, ReLU} {
			e.MulGrad(act, m, cols, z, cols, x, cols)
		}
		e.ColumnSums(m, x, cols, z[:cols])
	}
	for _, op := range gatedOps {
		op.call(e.serial, gatedStep(r, 2, 2*mostUnits+5))
	}
	e.FMA(3*mostRounds + 1)

	// Low tiles, tall ones, and rows that are gathered; two panels and an edge.
	const k = 2*mostDepth + 100
	nr := e.set.NR
	for _, m := range []int{1, 2, 3, 4, e.set.MR, 2*e.set.MR + 1} {
		for _, transA := range []bool{false, true} {
			for _, cols := range []int{asm.MaxPanels * nr, 2*nr + 1} {
				p := &problem{m: m, n: cols, k: k, transA: transA, transB: transA, act: Tanh}
				p.fill(r)
				e.Gemm(p.product(p.pack(e)))
				p.computePlain(e)
				if !transA {
					product := p.product(nil)
					product.B = e.NewPackedInt8(k, cols)
					e.Gemm(product)
				}
			}
		}
	}
}
