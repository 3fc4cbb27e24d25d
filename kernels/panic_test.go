package kernels

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// mistakes calls every function with every shape wrong that it can have.
// Results go to out, which a call must leave alone. The message has to name the
// operation and hold each word, which are the argument and the two sizes.
//
// The shapes: rows of 5 floats with stride 6, 3 of them, so 17 floats.
type mistake struct {
	op    string
	words string
	call  func(e *Engine, out, in []float32)
}

// huge makes the product of two sizes overflow, and with it a careless check.
const huge = int(^uint(0) >> 2)

func mistakes(e *Engine) []mistake {
	w := e.NewPacked(4, 5)
	other := &Packed{K: 4, N: 5, nr: w.nr + 1, data: w.data}
	gemm := func(words string, change func(p *Product)) mistake {
		return mistake{"Gemm", words, func(e *Engine, out, in []float32) {
			p := Product{M: 3, A: in[:16], LDA: 6, B: w, Add: in[:17], LDAdd: 6, C: out[:17], LDC: 6}
			change(&p)
			e.Gemm(p)
		}}
	}
	plain := func(words string, b Matrix, change func(p *Product)) mistake {
		return mistake{"GemmPlain", words, func(e *Engine, out, in []float32) {
			p := Product{M: 3, A: in[:16], LDA: 6, Add: in[:17], LDAdd: 6, C: out[:17], LDC: 6}
			change(&p)
			e.GemmPlain(p, b)
		}}
	}
	floats, asItIs := make([]float32, 24), func(*Product) {}
	list := []mistake{
		plain("B", Matrix{4, 5, floats, 6, false}, func(p *Product) { p.B = w }),
		plain("b 22 23", Matrix{4, 5, floats[:22], 6, false}, asItIs),
		plain("b 0 23", Matrix{4, 5, nil, 6, false}, asItIs),
		plain("ldb 4 5", Matrix{4, 5, floats, 4, false}, asItIs),
		plain("b 23 24", Matrix{4, 5, floats[:23], 5, true}, asItIs),
		plain("b 0 5", Matrix{0, 5, floats, 5, false}, asItIs),
		plain("b 4 -1", Matrix{4, -1, floats, 5, false}, asItIs),
		plain("b", Matrix{huge, 5, floats, 8, false}, asItIs),
		plain("A 15 16", Matrix{4, 5, floats, 6, false}, func(p *Product) { p.A = p.A[:15] }),
		plain("ldC 4 5", Matrix{4, 5, floats, 6, false}, func(p *Product) { p.LDC = 4 }),
		plain("activation 5", Matrix{4, 5, floats, 6, false}, func(p *Product) { p.Act = Identity + 1 }),
		gemm("A 15 16", func(p *Product) { p.A = p.A[:15] }),
		gemm("A 0 16", func(p *Product) { p.A = nil }),
		gemm("ldA 3 4", func(p *Product) { p.LDA = 3 }),
		gemm("ldA -6 4", func(p *Product) { p.LDA = -6 }),
		gemm("A 16 21", func(p *Product) { p.TransA = true }), // 4 rows of 3
		gemm("ldA 2 3", func(p *Product) { p.TransA, p.LDA = true, 2 }),
		gemm("Add 16 17", func(p *Product) { p.Add = p.Add[:16] }),
		gemm("Add 0 17", func(p *Product) { p.Add = p.Add[:0] }),
		gemm("Bias 4 5", func(p *Product) { p.Bias = p.A[:4] }),
		gemm("AddRows 2 3", func(p *Product) { p.AddRows = []int32{1, 0} }),
		gemm("id 3 3", func(p *Product) { p.AddRows = []int32{1, 3, 0} }),
		gemm("id -1 3", func(p *Product) { p.AddRows = []int32{0, -1, 0} }),
		gemm("ldAdd 4 5", func(p *Product) { p.AddRows, p.LDAdd = []int32{1, 1, 0}, 4 }),
		gemm("id Add 0", func(p *Product) { p.Add, p.AddRows = nil, []int32{1, 1, 0} }),
		gemm("C Add AddRows", func(p *Product) { p.C, p.AddRows = p.Add, []int32{1, 1, 0} }),
		gemm("ldAdd 4 5", func(p *Product) { p.LDAdd = 4 }),
		gemm("C 16 17", func(p *Product) { p.C = p.C[:16] }),
		gemm("ldC 4 5", func(p *Product) { p.LDC = 4 }),
		gemm("C 17 23", func(p *Product) { p.M, p.LDA = 4, 4 }),
		gemm("-1", func(p *Product) { p.M = -1 }),
		gemm("A", func(p *Product) { p.M, p.LDA = huge, 8 }),
		gemm("activation 5", func(p *Product) { p.Act = Identity + 1 }),
		gemm("activation -1", func(p *Product) { p.Act = -1 }),
		gemm("B nil", func(p *Product) { p.B = nil }),
		{"Gemm", fmt.Sprint("B ", w.nr, " ", w.nr+1), func(e *Engine, out, in []float32) {
			e.Gemm(Product{M: 3, A: in, LDA: 6, B: other, C: out, LDC: 6})
		}},

		{"NewPacked", "0 5", func(e *Engine, _, _ []float32) { e.NewPacked(0, 5) }},
		{"NewPacked", "5 -1", func(e *Engine, _, _ []float32) { e.NewPacked(5, -1) }},
		{"Part", "2 2 4", func(*Engine, []float32, []float32) { w.Part(new(Packed), Span{2, 2}) }},
		{"Part", "-1 2 4", func(*Engine, []float32, []float32) { w.Part(new(Packed), Span{-1, 2}) }},
		{"Part", "0 5 4", func(*Engine, []float32, []float32) { w.Part(new(Packed), Span{0, 5}) }},
		{"Pack", "b 22 23", func(e *Engine, _, in []float32) { e.Pack(w, false, in[:22], 6) }},
		{"Pack", "ldb 4 5", func(e *Engine, _, in []float32) { e.Pack(w, false, in, 4) }},
		{"Pack", "b 27 28", func(e *Engine, _, in []float32) { e.Pack(w, true, in[:27], 6) }},
		{"Pack", "ldb 3 4", func(e *Engine, _, in []float32) { e.Pack(w, true, in, 3) }},
		{"Pack", "p panels", func(e *Engine, _, in []float32) { e.Pack(other, false, in, 6) }},
		{"PackRows", "b 10 11", func(e *Engine, _, in []float32) { e.PackRows(w, Span{1, 3}, in[:10], 6) }},
		{"PackRows", "ldb 4 5", func(e *Engine, _, in []float32) { e.PackRows(w, Span{1, 3}, in, 4) }},
		{"PackRows", "[1,5) 4", func(e *Engine, _, in []float32) { e.PackRows(w, Span{1, 5}, in, 5) }},
		{"PackRows", "[-1,2) 4", func(e *Engine, _, in []float32) { e.PackRows(w, Span{-1, 2}, in, 5) }},
		{"PackRows", "[3,2) 4", func(e *Engine, _, in []float32) { e.PackRows(w, Span{3, 2}, in, 5) }},
		{"PackRows", "p panels", func(e *Engine, _, in []float32) { e.PackRows(other, Span{0, 1}, in, 5) }},

		{"MulGrad", "d 16 17", func(e *Engine, out, in []float32) { e.MulGrad(Tanh, 3, 5, out[:16], 6, in, 6) }},
		{"MulGrad", "ldd 4 5", func(e *Engine, out, in []float32) { e.MulGrad(Tanh, 3, 5, out, 4, in, 6) }},
		{"MulGrad", "y 16 17", func(e *Engine, out, in []float32) { e.MulGrad(Identity, 3, 5, out, 6, in[:16], 6) }},
		{"MulGrad", "ldy 4 5", func(e *Engine, out, in []float32) { e.MulGrad(ReLU, 3, 5, out, 6, in, 4) }},
		{"MulGrad", "-3", func(e *Engine, out, in []float32) { e.MulGrad(Tanh, -3, 5, out, 6, in, 6) }},
		{"MulGrad", "-5", func(e *Engine, out, in []float32) { e.MulGrad(Tanh, 3, -5, out, 6, in, 6) }},
		{"MulGrad", "d", func(e *Engine, out, in []float32) { e.MulGrad(Tanh, huge, 5, out, 8, in, 8) }},
		{"MulGrad", "activation 5", func(e *Engine, out, in []float32) { e.MulGrad(Identity+1, 3, 5, out, 6, in, 6) }},

		{"ColumnSums", "a 16 17", func(e *Engine, out, in []float32) { e.ColumnSums(3, in[:16], 6, out[:5]) }},
		{"ColumnSums", "lda 4 5", func(e *Engine, out, in []float32) { e.ColumnSums(3, in, 4, out[:5]) }},
		{"ColumnSums", "-3", func(e *Engine, out, in []float32) { e.ColumnSums(-3, in, 6, out[:5]) }},
		{"Dot", "y 4 5", func(_ *Engine, _, in []float32) { e.Dot(in[:5], in[:4]) }},

		{"Softmax", "logits 16 17", func(e *Engine, out, _ []float32) { e.Softmax(3, 5, out[:16], 6) }},
		{"Softmax", "ldlogits 4 5", func(e *Engine, out, _ []float32) { e.Softmax(3, 5, out, 4) }},
		{"Softmax", "-3", func(e *Engine, out, _ []float32) { e.Softmax(-3, 5, out, 6) }},
		{"Softmax", "0", func(e *Engine, out, _ []float32) { e.Softmax(3, 0, out, 6) }},
		{"LogSoftmax", "logits 16 17", func(e *Engine, out, _ []float32) { e.LogSoftmax(3, 5, out[:16], 6, out[16:]) }},
		{"LogSoftmax", "scratch 4 5", func(e *Engine, out, _ []float32) { e.LogSoftmax(3, 5, out[4:], 6, out[:4]) }},
		{"LogSum", "no logit", func(e *Engine, _, _ []float32) { e.LogSum(nil) }},
		{"LogSoftmax", "0", func(e *Engine, out, _ []float32) { e.LogSoftmax(3, 0, out, 6, nil) }},
	}

	loss := func(words string, losses, n, logits, ld int, targets ...int32) {
		list = append(list, mistake{"SoftmaxCrossEntropy", words, func(e *Engine, out, _ []float32) {
			e.SoftmaxCrossEntropy(n, 1, out[:logits], ld, targets, out[20:20+losses])
		}})
	}
	loss("losses 2 3", 2, 5, 17, 6, 0, 1, 2)
	loss("logits 16 17", 3, 5, 16, 6, 0, 1, 2)
	loss("ldlogits 4 5", 3, 5, 17, 4, 0, 1, 2)
	loss("target 5 2", 3, 5, 17, 6, 0, 1, 5)
	loss("target -1 1", 3, 5, 17, 6, 0, -1, 2)
	loss("target 0 0", 3, 0, 17, 6, 0, 0, 0)

	scatter := func(words string, table, ldt, src, lds int, ids ...int32) {
		list = append(list, mistake{"ScatterAdd", words, func(e *Engine, out, in []float32) {
			e.ScatterAdd(5, ids, in[:src], lds, out[:table], ldt)
		}})
	}
	scatter("src 16 17", 29, 6, 16, 6, 0, 1, 2)
	scatter("ldsrc 4 5", 29, 6, 17, 4, 0, 1, 2)
	scatter("id 5 5", 29, 6, 17, 6, 0, 1, 5)
	scatter("id -1", 29, 6, 17, 6, 0, -1, 1)
	scatter("ldtable 4 5", 29, 4, 17, 6, 0, 1, 2)

	// Groups of 5 floats, 6 apart, in rows with strides that fit.
	for i, op := range gatedOps {
		groups, grad := 5-i/2, i%2 == 1
		gated := func(words string, change func(s *GatedStep)) {
			list = append(list, mistake{op.name, words, func(e *Engine, out, in []float32) {
				written, read := Rows{out[:17], 6}, Rows{in[:17], 6}
				z := Rows{filled(2*30+6*(groups-1)+5, 1), 30}
				s := GatedStep{M: 3, N: 5, Gate: 6, Z: z, State: read, Next: written, H: written,
					DZ: Rows{filled(2*30+23, 1), 30}, Carry: read, DH: read, DState: written}
				change(&s)
				op.call(e.serial, s)
			}})
		}
		cols := 6*(groups-1) + 5
		gated(fmt.Sprint("Z ", 59+cols, 60+cols), func(s *GatedStep) { s.Z.Data = s.Z.Data[:59+cols] })
		gated(fmt.Sprint("ldZ ", cols-1, cols), func(s *GatedStep) { s.Z.LD = cols - 1 })
		gated("Z 0", func(s *GatedStep) { s.Z.Data = nil })
		gated("Gate 4 5 N", func(s *GatedStep) { s.Gate = 4 })
		gated("Gate -1 5 N", func(s *GatedStep) { s.Gate = -1 })
		gated(fmt.Sprint("Gate ", huge), func(s *GatedStep) { s.Gate = huge })
		gated(fmt.Sprint("Gate ", huge+1), func(s *GatedStep) { s.Gate = huge + 1 })
		gated("State 16 17", func(s *GatedStep) { s.State.Data = s.State.Data[:16] })
		gated("ldState 4 5", func(s *GatedStep) { s.State.LD = 4 })
		gated("-3", func(s *GatedStep) { s.M = -3 })
		gated("-5", func(s *GatedStep) { s.N = -5 })
		gated("Z", func(s *GatedStep) { s.M = huge })
		matrix := func(name string, of func(s *GatedStep) *Rows) {
			gated(name+" 16 17", func(s *GatedStep) { of(s).Data = of(s).Data[:16] })
			gated("ld"+name+" 4 5", func(s *GatedStep) { of(s).LD = 4 })
			if name != "DH" {
				gated(name+" 0 17", func(s *GatedStep) { of(s).Data = nil })
			}
		}
		if grad {
			gated("DZ 82 83", func(s *GatedStep) { s.DZ.Data = s.DZ.Data[:82] })
			gated("ldDZ 22 23", func(s *GatedStep) { s.DZ.LD = 22 })
			gated("DZ 0 83", func(s *GatedStep) { s.DZ.Data = nil })
			matrix("Carry", func(s *GatedStep) *Rows { return &s.Carry })
			matrix("DH", func(s *GatedStep) *Rows { return &s.DH })
			gated("DH 0 17", func(s *GatedStep) { s.DH.Data = s.DH.Data[:0] })
		} else {
			matrix("Next", func(s *GatedStep) *Rows { return &s.Next })
		}
		switch op.name {
		case "LSTM":
			matrix("H", func(s *GatedStep) *Rows { return &s.H })
		case "LSTMGrad":
			matrix("DState", func(s *GatedStep) *Rows { return &s.DState })
		}
	}

	// Vectors whose lengths differ: each in turn is one too short or too long.
	for _, v := range []struct {
		op   string
		args string
		call func(e *Engine, dst []float32, in [][]float32)
	}{
		{"Tanh", "src", func(e *Engine, dst []float32, in [][]float32) { e.Tanh(dst, in[0]) }},
		{"Sigmoid", "src", func(e *Engine, dst []float32, in [][]float32) { e.Sigmoid(dst, in[0]) }},
		{"Exp", "src", func(e *Engine, dst []float32, in [][]float32) { e.Exp(dst, in[0]) }},
		{"Log", "src", func(e *Engine, dst []float32, in [][]float32) { e.Log(dst, in[0]) }},
		{"Sqrt", "src", func(e *Engine, dst []float32, in [][]float32) { e.Sqrt(dst, in[0]) }},
		{"ReLU", "src", func(e *Engine, dst []float32, in [][]float32) { e.ReLU(dst, in[0]) }},
		{"Add", "a b", func(e *Engine, dst []float32, in [][]float32) { e.Add(dst, in[0], in[1]) }},
		{"Mul", "a b", func(e *Engine, dst []float32, in [][]float32) { e.Mul(dst, in[0], in[1]) }},
		{"Axpy", "x", func(e *Engine, dst []float32, in [][]float32) { e.Axpy(2, in[0], dst) }},
		{"Copy", "src", func(e *Engine, dst []float32, in [][]float32) { e.Copy(dst, in[0]) }},
		{"SGD", "g", func(e *Engine, dst []float32, in [][]float32) { e.SGD(dst, in[0], 1, 1) }},
		{"Adagrad", "g s", func(e *Engine, dst []float32, in [][]float32) { e.Adagrad(dst, in[0], in[1], 1, 1, 1) }},
		{"Adam", "g m v", func(e *Engine, dst []float32, in [][]float32) {
			e.Adam(dst, in[0], in[1], in[2], new(AdamStep))
		}},
	} {
		for i, arg := range strings.Fields(v.args) {
			for _, wrong := range []int{0, 4, 6} {
				list = append(list, mistake{v.op, fmt.Sprintf("%s %d 5", arg, wrong), func(e *Engine, out, in []float32) {
					args := [][]float32{in[:5], in[:5], in[:5]}
					args[i] = in[:wrong]
					v.call(e, out[:5], args)
				}})
			}
		}
	}

	for _, s := range []Span{{0, 2}, {-1, 1}, {1, 0}} {
		words := fmt.Sprintf("[%d,%d) [0,1)", s.Lo, s.Hi)
		list = append(list,
			mistake{"Pack", words, func(e *Engine, _, in []float32) { e.PackPanels(e.NewPacked(1, 1), false, in, 1, s) }},
			mistake{"Gemm", words, func(e *Engine, out, in []float32) {
				e.Run(1, func(worker *Worker) {
					worker.Gemm(Product{M: 1, A: in, LDA: 1, B: e.NewPacked(1, 1), C: out, LDC: 1}, s)
				})
			}})
	}
	return list
}

func TestMistakesPanic(t *testing.T) {
	eachEngine(t, 2, func(t *testing.T, e *Engine) {
		for _, m := range mistakes(e) {
			out, in := filled(64, canary), filled(64, 1)
			value := panicOf(func() { m.call(e, out, in) })
			if failed, ok := value.(*PanicError); ok {
				value = failed.Value
			}
			switch message := value.(type) {
			case nil:
				t.Errorf("%s, %s: no panic", m.op, m.words)
			case string:
				if !strings.HasPrefix(message, "kernels: ") {
					t.Errorf("%s, %s: %q is not marked as ours", m.op, m.words, message)
				}
				for _, word := range append(strings.Fields(m.words), m.op) {
					if !strings.Contains(message, word) {
						t.Errorf("%s, %s: %q doesn't say %q", m.op, m.words, message, word)
					}
				}
			default:
				t.Errorf("%s, %s: %v, not a message of ours", m.op, m.words, message)
			}
			for i := range out {
				if !sameBits(out[i], canary) || in[i] != 1 {
					t.Errorf("%s, %s: wrote before it panicked", m.op, m.words)
					break
				}
			}
		}
	})
}

func panicOf(f func()) (message any) {
	defer func() { message = recover() }()
	f()
	return nil
}

// TestUnknownSet wants an error that lists what there is, and says where the
// name came from.
func TestUnknownSet(t *testing.T) {
	check := func(err error, words ...string) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		for _, word := range append(words, ISAs()...) {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q doesn't say %q", err, word)
			}
		}
	}
	_, err := New("sse9", 1)
	check(err, "sse9")
	t.Setenv(EnvISA, "AVX-2")
	_, err = New("", 1)
	check(err, "AVX-2", EnvISA)
	open(t, "generic", 1) // a name goes before the environment
}

// TestDefaultSet takes the last of the sets, or the one that is forced.
func TestDefaultSet(t *testing.T) {
	for _, isa := range ISAs() {
		t.Setenv(EnvISA, isa)
		if e := open(t, "", 1); e.ISA() != isa {
			t.Errorf("%s=%s gives %s", EnvISA, isa, e.ISA())
		}
	}
	os.Unsetenv(EnvISA) // Setenv restores it
	if e, all := open(t, "", 0), ISAs(); e.ISA() != all[len(all)-1] {
		t.Errorf("the default is %s of %v", e.ISA(), all)
	}
}
