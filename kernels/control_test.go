package kernels

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"batchrnn/asm"
)

// TestThreadModes: a thread that takes subnormals for zeros, as a library built for
// fast mathematics leaves it, gives the same bits as any other, alone and in a team,
// and is in its own mode afterwards.
func TestThreadModes(t *testing.T) {
	const flush = 1<<15 | 1<<6
	r := rand.New(rand.NewPCG(61, 62))
	for _, isa := range fusedISAs() {
		for _, threads := range []int{1, 2} {
			e := open(t, isa, threads)
			p := (&problem{m: 64, n: 512, k: 64}).fill(r)
			for i := range p.a {
				p.a[i] *= 1e-25
			}
			for i := range p.b {
				p.b[i] *= 1e-18
			}
			packed := p.pack(e)
			want, got := p.product(packed), p.product(packed)
			region := func(w *Worker) { w.Gemm(got, w.Share(packed.Panels())) }
			e.Gemm(want)
			func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				e.set.WriteControl(asm.Control | flush)
				defer e.set.WriteControl(asm.Control)
				for name, call := range map[string]func(){
					"Gemm": func() { e.Gemm(got) },
					"Run":  func() { e.Run(threads, region) },
				} {
					clear(got.C)
					call()
					mode := e.set.ReadControl()
					if mode&flush != flush {
						t.Errorf("%s, %d threads: %s leaves the thread in mode %#x", isa, threads, name, mode)
					}
					if i := firstDifference(got.C, want.C); i >= 0 {
						t.Errorf("%s, %d threads, %s: element %d is %g, want %g", isa, threads, name, i, got.C[i], want.C[i])
					}
				}
			}()
		}
	}
}

// TestAlgebraThreadModes is TestThreadModes for a matrix and a vector, alone and in a team.
func TestAlgebraThreadModes(t *testing.T) {
	const flush = 1<<15 | 1<<6
	for _, isa := range fusedISAs() {
		e := open(t, isa, 2)
		a := NewAlgebra[float32](e)
		for _, n := range []int{64, 2048} {
			m, x, want, got := make([]float32, n*n), make([]float32, n), make([]float32, n), make([]float32, n)
			for i := range m {
				m[i] = 1e-25
			}
			for i := range x {
				x[i] = 1e-18
			}
			a.Gemv(n, n, 1, m, n, x, 0, want)
			func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				e.set.WriteControl(asm.Control | flush)
				defer e.set.WriteControl(asm.Control)
				a.Gemv(n, n, 1, m, n, x, 0, got)
				if mode := e.set.ReadControl(); mode&flush != flush {
					t.Errorf("%s: Gemv of %d leaves the thread in mode %#x", isa, n, mode)
				}
			}()
			if i := firstDifference(got, want); i >= 0 || want[0] == 0 {
				t.Errorf("%s: element %d of Gemv of %d is %g, want %g", isa, i, n, got[max(i, 0)], want[max(i, 0)])
			}
		}
	}
}
