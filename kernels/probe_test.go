package kernels

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"batchrnn/asm"
)

// TestProbes runs each probe once, and wants one for every tile.
func TestProbes(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		const k = 20
		tiles := 0
		for _, rows := range e.set.Gemm {
			for _, f := range append(rows.Panels[:], rows.Half) {
				if f != nil {
					tiles++
				}
			}
		}
		seen := map[string]bool{}
		for _, p := range Probes(e, k) {
			p.Run()
			if seen[p.Name] || p.Name == "" {
				t.Errorf("two probes are named %q", p.Name)
			}
			seen[p.Name] = true
			if p.Rows == 0 {
				if p.Bytes == 0 {
					t.Errorf("%s moves no bytes", p.Name)
				}
				continue
			}
			tiles--
			if want := 2 * float64(p.Rows*p.Columns*k); p.Flops != want || p.Columns == 0 {
				t.Errorf("%s: %d columns, %g operations, want %g", p.Name, p.Columns, p.Flops, want)
			}
		}
		if tiles != 0 {
			t.Errorf("%d tiles have no probe", tiles)
		}
	})
}

// TestTrace wants the results that an engine gives, and word of every call.
func TestTrace(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(61, 62))
		var calls []Call
		traced, err := Trace(e.ISA(), func(c Call) { calls = append(calls, c) })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(traced.Close)

		const n = elementsPerCall + 5
		x, y, got, want := randoms(r, n), randoms(r, n), make([]float32, n), make([]float32, n)
		e.Tanh(want, x)
		traced.Tanh(got, x)
		if i := firstDifference(got, want); i >= 0 {
			t.Errorf("tanh: element %d is %g, want %g", i, got[i], want[i])
		}
		if e.Dot(x, y) != traced.Dot(x, y) {
			t.Error("dot: results differ")
		}
		traced.MulGrad(Tanh, 3, 7, got, 9, want, 9)

		p := &problem{m: e.set.MR, n: 2 * e.set.NR, k: 20, start: bias, act: Sigmoid}
		p.fill(r)
		product := p.product(p.pack(e))
		e.Gemm(product)
		want = slices.Clone(product.C)
		traced.Gemm(product)
		if i := firstDifference(product.C, want); i >= 0 {
			t.Errorf("gemm: element %d is %g, want %g", i, product.C[i], want[i])
		}

		var said []string
		for _, c := range calls {
			if c.Took <= 0 {
				t.Errorf("%s took %v", c.Kernel, c.Took)
			}
			said = append(said, c.Kernel+" "+c.SizeString())
		}
		all := strings.ToLower(strings.Join(said, "; "))
		set := strings.TrimSuffix(strings.ToLower(e.ISA()), "vnni") // whose kernels these are
		for _, want := range []string{"tanh" + set + " 16384; tanh" + set + " 5; ", "dot" + set + " 16384; ", "tanhgrad" + set + " 3×7; ", "gemm" + set + "_"} {
			if !strings.Contains(all, want) {
				t.Errorf("no %q in %s", want, all)
			}
		}
		if last := calls[len(calls)-1]; last.Size != [2]int{20} {
			t.Errorf("a tile of depth 20 has size %v", last.Size)
		}
	})
	if _, err := Trace("sse9", nil); err == nil {
		t.Error("an unknown instruction set is traced")
	}
}

// TestReadPacked counts every weight once.
func TestReadPacked(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		p := e.NewPacked(3, asm.MaxRows)
		e.Pack(p, false, filled(3*asm.MaxRows, 2), asm.MaxRows)
		if got := ReadPacked(e, p); got != 4*3*asm.MaxRows {
			t.Errorf("sum of squares %g, want %d", got, 4*3*asm.MaxRows)
		}
	})
}
