package kernels

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestOverlap holds overlap to what marking every element finds.
func TestOverlap(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	memory := make([]float32, 400)
	found := [2]int{}
	for range 20000 {
		matrix := func() (data []float32, rows, cols, ld int, marks map[int]bool) {
			rows, cols = r.IntN(6), r.IntN(9)
			ld = cols + r.IntN(12)
			at := r.IntN(200)
			marks = map[int]bool{}
			for i := range rows {
				for j := range cols {
					marks[at+i*ld+j] = true
				}
			}
			return memory[at:], rows, cols, ld, marks
		}
		a, ra, ca, lda, marked := matrix()
		c, rc, cc, ldc, other := matrix()
		want := false
		for at := range other {
			want = want || marked[at]
		}
		if got := overlap(a, ra, ca, lda, c, rc, cc, ldc); got != want {
			t.Fatalf("%d×%d stride %d at %d, %d×%d stride %d at %d: overlap is %t", ra, ca, lda, 400-len(a), rc, cc, ldc, 400-len(c), got)
		}
		if want {
			found[1]++
		} else {
			found[0]++
		}
	}
	if found[0] < 1000 || found[1] < 1000 {
		t.Errorf("%d pairs apart, %d that overlap: want many of both", found[0], found[1])
	}
}

// TestGemmMisuse: products that would silently give wrong results are refused.
func TestGemmMisuse(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		const m, k, n = 3, 4, 5
		memory := make([]float32, 200)
		b := e.NewPacked(k, n)
		good := Product{M: m, A: memory[:m*k], LDA: k, B: b, C: memory[50 : 50+m*n], LDC: n}
		for want, change := range map[string]func(*Product){
			"M is 0":           func(p *Product) { p.M = 0 },
			"C overlaps A":     func(p *Product) { p.C = memory[m*k-1:] },
			"C overlaps Add":   func(p *Product) { p.Add, p.LDAdd = memory[51:], n },
			"not the same":     func(p *Product) { p.Add, p.LDAdd = p.C, n-0; p.LDC = n + 1; p.C = memory[50:] },
			"AddRows reads":    func(p *Product) { p.Add, p.LDAdd, p.AddRows = p.C, n, []int32{2, 1, 0} },
			"overlaps Add and": func(p *Product) { p.Add, p.LDAdd, p.AddRows = memory[20:], n, []int32{0, 1, 6} },
			"overlaps Add a":   func(p *Product) { p.Add, p.LDAdd, p.AddRows = memory[40:], n, []int32{2, 1, 0} },
		} {
			p := good
			change(&p)
			mustPanicWith(t, want, func() { e.Gemm(p) })
			if !strings.Contains(want, "not the") {
				p.B = nil
				mustPanicWith(t, want, func() { e.GemmPlain(p, Matrix{K: k, N: n, Data: memory[150:], LD: n}) })
			}
		}
		plain := good
		plain.B = nil
		mustPanicWith(t, "C overlaps b", func() { e.GemmPlain(plain, Matrix{K: k, N: n, Data: memory[52:], LD: n}) })
		e.Gemm(Product{B: b})
		among := good // columns of one buffer of 9
		among.A, among.LDA, among.C, among.LDC = memory, k+n, memory[k:], k+n
		e.Gemm(among)
		before := good // Add holds more rows than are read, and C after these
		before.Add, before.LDAdd = memory[30:], n
		e.Gemm(before)
		mustPanicWith(t, "AdamStep.Set", func() { e.Adam(memory[:4], memory[4:8], memory[8:12], memory[12:16], new(AdamStep)) })
	})
}

func mustPanicWith(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if text, _ := recover().(string); !strings.Contains(text, want) {
			t.Errorf("panic %q, want %q", text, want)
		}
	}()
	f()
}
