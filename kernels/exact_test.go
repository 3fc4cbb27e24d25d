package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"batchrnn/asm"
)

// The tests of this file hold the promise of doc.go bit for bit.

// products are worth several threads, have rows and columns beside whole tiles
// and more than one block of K: read in place, as columns, and gathered because
// of their stride.
func products(r *rand.Rand) (list []*problem) {
	depth := 0
	for _, s := range asm.Sets() {
		depth = max(depth, s.KC)
	}
	alias := (2*depth + aliasFloats) / aliasFloats * aliasFloats
	for _, p := range []*problem{
		{start: bias, act: Tanh, k: maxDepth + 9, gap: 1},
		{start: matrix, act: Sigmoid, transA: true, k: 2*depth + 5, gap: 1},
		{start: inPlace, k: alias},
	} {
		p.m, p.n = 26, 131
		list = append(list, p.fill(r))
	}
	return list
}

// TestGatheredRowsAgree compares rows that are gathered because of their
// stride, and columns, with rows that are read in place.
func TestGatheredRowsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n, rows = 70, 61
	eachEngine(t, 2, func(t *testing.T, e *Engine) {
		for _, k := range []int{aliasFloats, 3 * aliasFloats} {
			a := randoms(r, rows*k)
			apart, columns := make([]float32, rows*(k+1)), make([]float32, rows*k)
			for i := range rows {
				copy(apart[i*(k+1):], a[i*k:][:k])
				for j := range k {
					columns[j*rows+i] = a[i*k+j]
				}
			}
			w := e.NewPacked(k, n)
			e.Pack(w, false, randoms(r, k*n), n)
			want := make([]float32, rows*n)
			e.Gemm(Product{M: rows, A: apart, LDA: k + 1, B: w, C: want, LDC: n, Act: Tanh})
			for m := 1; m < rows; m += 1 + m/5 {
				for _, p := range []Product{
					{M: m, A: a, LDA: k},
					{M: m, A: columns, LDA: rows, TransA: true},
				} {
					p.B, p.C, p.LDC, p.Act = w, filled(m*n, nan), n, Tanh
					e.Gemm(p)
					if i := firstDifference(p.C, want[:m*n]); i >= 0 {
						t.Errorf("k=%d m=%d transA=%t: element %d is %x, want %x", k, m, p.TransA, i, p.C[i], want[i])
					}
				}
			}
		}
	})
}

// TestThreadsAgree compares numbers of threads, with what one thread computes.
func TestThreadsAgree(t *testing.T) {
	list := products(rand.New(rand.NewPCG(11, 12)))
	for _, isa := range FloatISAs() {
		one := open(t, isa, 1)
		for _, p := range list {
			want := p.compute(one)
			for _, threads := range []int{2, 3, 4} {
				got := p.compute(open(t, isa, threads))
				if i := firstDifference(got, want); i >= 0 {
					t.Errorf("%s, %v: with %d threads element %d is %x, with one %x", isa, p, threads, i, got[i], want[i])
				}
			}
		}
	}
}

// TestRowsAgree computes every row alone, and in groups of other heights, and
// compares it with the same row among all.
func TestRowsAgree(t *testing.T) {
	list := products(rand.New(rand.NewPCG(13, 14)))
	eachEngine(t, 2, func(t *testing.T, e *Engine) {
		for _, p := range list {
			w := p.pack(e)
			all := p.product(w)
			e.Gemm(all)
			for _, rows := range []int{1, 2, 5, 12} {
				part := p.product(w)
				for i := 0; i < p.m; i += rows {
					q := part
					q.M = min(rows, p.m-i)
					if q.C = part.C[i*q.LDC:]; p.transA {
						q.A = part.A[i:]
					} else {
						q.A = part.A[i*q.LDA:]
					}
					switch {
					case p.start == table:
						q.AddRows = part.AddRows[i:][:q.M]
					case q.Add != nil:
						q.Add = part.Add[i*q.LDAdd:]
					}
					e.Gemm(q)
				}
				if i := firstDifference(part.C, all.C); i >= 0 {
					t.Errorf("%v: element %d is %x in groups of %d, %x among all", p, i, part.C[i], rows, all.C[i])
				}
			}
		}
	})
}

// TestSpansAgree computes a product by spans of panels, in any order and by the
// workers of a region, and sees that a span writes its own columns only.
func TestSpansAgree(t *testing.T) {
	list := products(rand.New(rand.NewPCG(15, 16)))
	for _, threads := range []int{1, 2, 4} {
		eachEngine(t, threads, func(t *testing.T, e *Engine) {
			for _, p := range list {
				w := p.pack(e)
				want := p.product(w)
				e.Gemm(want)

				shared := p.product(w)
				e.Run(threads, func(worker *Worker) { worker.Gemm(shared, worker.Share(w.Panels())) })
				if i := firstDifference(shared.C, want.C); i >= 0 {
					t.Errorf("%v: element %d is %x from shares, %x from Gemm", p, i, shared.C[i], want.C[i])
				}

				untouched := p.product(w).C
				e.Run(1, func(worker *Worker) {
					for lo := range w.Panels() {
						panels := Span{lo, min(lo+1+lo%3, w.Panels())}
						q, columns := p.product(w), w.Columns(panels)
						worker.Gemm(q, panels)
						for i, v := range q.C {
							expected := untouched[i]
							if col := i % q.LDC; columns.Lo <= col && col < columns.Hi {
								expected = want.C[i]
							}
							if !sameBits(v, expected) {
								t.Fatalf("%v: element %d after panels %v is %x, want %x", p, i, panels, v, expected)
							}
						}
					}
				})
			}
		})
	}
}

// TestConcurrentCallers lets several goroutines share an engine: one gets the
// pool, the others work alone.
func TestConcurrentCallers(t *testing.T) {
	list := products(rand.New(rand.NewPCG(17, 18)))
	eachEngine(t, 2, func(t *testing.T, e *Engine) {
		var want [][]float32
		for _, p := range list {
			want = append(want, p.compute(e))
		}
		var wg sync.WaitGroup
		for caller := range 4 {
			wg.Go(func() {
				for round := range 3 {
					p := list[(caller+round)%len(list)]
					got := p.compute(e)
					if i := firstDifference(got, want[(caller+round)%len(list)]); i >= 0 {
						t.Errorf("%v: element %d is %x when called by several, not %x", p, i, got[i], want[(caller+round)%len(list)][i])
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestSetsAgree gives the same to every instruction set that fuses.
func TestSetsAgree(t *testing.T) {
	isas := fusedISAs()
	if len(isas) < 2 {
		t.Skip("there are not two such sets in this build on this machine; BATCHRNN_REQUIRE_ISA makes a missing one fail")
	}
	first := open(t, isas[0], 1)
	for _, isa := range isas[1:] {
		e := open(t, isa, 2)
		compare := func(what string, got, want []float32) {
			t.Helper()
			if i := firstDifference(got, want); i >= 0 {
				t.Errorf("%s: element %d is %x from %s, %x from %s", what, i, got[i], isa, want[i], isas[0])
			}
		}

		r := rand.New(rand.NewPCG(19, 20))
		list := products(r)
		for _, m := range heights() {
			list = append(list, deal(r, m, 1+r.IntN(150), 1+r.IntN(40)))
		}
		for _, p := range list {
			compare(fmt.Sprint(p), p.compute(e), p.compute(first))
		}

		// The chunks are this package's; what is in them asm compares.
		const n = 2*elementsPerCall + 77
		x, y := randoms(r, n), randoms(r, n)
		if a, b := e.Dot(x, y), first.Dot(x, y); a != b {
			t.Errorf("Dot: %x and %x", a, b)
		}
		if a, b := e.SumSquares(x), first.SumSquares(x); a != b {
			t.Errorf("SumSquares: %x and %x", a, b)
		}
		loss := func(e *Engine) []float32 {
			logits, losses := slices.Clone(x), make([]float32, 3)
			e.SoftmaxCrossEntropy(n/3, 1.0/3, logits, n/3, []int32{0, 7, n/3 - 1}, losses)
			return append(losses, logits...)
		}
		compare("SoftmaxCrossEntropy", loss(e), loss(first))
		logs := func(e *Engine) []float32 {
			logits := slices.Clone(x)
			e.LogSoftmax(3, n/3, logits, n/3, make([]float32, n/3))
			return logits
		}
		compare("LogSoftmax", logs(e), logs(first))
	}
}

// TestPhasesAgree: products that are cut into phases, of panels or where rows of A are
// gathered of rows, give the bits of one worker, whoever is in the team of each.
func TestPhasesAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(63, 64))
	for _, isa := range fusedISAs() {
		one := open(t, isa, 1)
		for _, threads := range []int{2, 3} {
			e, phases := open(t, isa, threads), 0
			ForceTeams(e, func(most int) int {
				phases++
				return 1 + r.IntN(most)
			})
			for _, transA := range []bool{false, true} {
				for _, s := range []start{zero, bias, matrix, inPlace, table} {
					p := (&problem{m: 130, n: 700, k: 600, transA: transA, start: s, gap: 3, act: Tanh}).fill(r)
					want := p.compute(one)
					phases = 0
					if i := firstDifference(p.compute(e), want); i >= 0 {
						t.Errorf("%s, %d threads, %v: element %d differs", isa, threads, p, i)
					}
					if phases < 2 {
						t.Errorf("%s, %d threads, %v: %d phases, want several", isa, threads, p, phases)
					}
				}
			}
		}
	}
}
