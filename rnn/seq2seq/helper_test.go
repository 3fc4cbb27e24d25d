package seq2seq

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// fillUniform draws x uniformly from ±bound.
func fillUniform(r *rand.Rand, x []float32, bound float64) {
	for i := range x {
		x[i] = float32((2*r.Float64() - 1) * bound)
	}
}

// randomFloats returns n values from ±1.
func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	fillUniform(r, x, 1)
	return x
}

// randomIDs returns count ids below n.
func randomIDs(r *rand.Rand, count, n int) []int32 {
	ids := make([]int32, count)
	for i := range ids {
		ids[i] = r.Int32N(int32(n))
	}
	return ids
}

// A span is a half-open range of steps or rows.
type span struct{ lo, hi int }

// cut copies some rows of some steps out of a, [·,rows,width].
func cut[E any](a []E, rows, width int, t, row span) []E {
	if a == nil {
		return nil
	}
	var part []E
	for i := t.lo; i < t.hi; i++ {
		part = append(part, a[(i*rows+row.lo)*width:(i*rows+row.hi)*width]...)
	}
	return part
}

// newEngine returns an engine that lives as long as the test.
func newEngine(tb testing.TB, isa string, threads int) *kernels.Engine {
	tb.Helper()
	e, err := kernels.New(isa, threads)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	if _, test := tb.(*testing.T); test { // as many workers as are asked for, whatever else the machine does
		kernels.ForceTeams(e, func(most int) int { return most })
	}
	return e
}

// isas returns the instruction sets to test. The race detector sees none of their
// code, and takes ten times as long: to it the fastest is as good as all.
func isas() []string {
	all := kernels.FloatISAs()
	if raceDetector {
		return all[len(all)-1:]
	}
	return all
}

// eachEngine runs f as a subtest on every instruction set of this machine, for
// each number of threads.
func eachEngine(t *testing.T, threads []int, f func(t *testing.T, e *kernels.Engine)) {
	t.Helper()
	for _, isa := range isas() {
		for _, n := range threads {
			t.Run(fmt.Sprintf("isa=%s/threads=%d", isa, n), func(t *testing.T) {
				f(t, newEngine(t, isa, n))
			})
		}
	}
}

// newModel returns a model whose biases are drawn too, so that no test passes
// because they are zero.
func newModel(tb testing.TB, e *kernels.Engine, c rnn.Config, seed uint64) *rnn.Model {
	tb.Helper()
	m, err := rnn.New(e, c, seed)
	if err != nil {
		tb.Fatal(err)
	}
	r := newRand(seed + 100)
	fillUniform(r, m.Cells[0].Bh, 0.5)
	fillUniform(r, m.By, 0.5)
	fillUniform(r, m.Cells[0].Br, 0.5)
	for _, tail := range m.Tails {
		fillUniform(r, tail.By, 0.5)
	}
	m.Update()
	return m
}

type float interface{ ~float32 | ~float64 }

// near fails where an element of got is further than tol from want.
func near[A, B float](t *testing.T, name string, got []A, want []B, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", name, len(got), len(want))
	}
	for i := range got {
		g, w := float64(got[i]), float64(want[i])
		if !(math.Abs(g-w) <= tol) { // a NaN is never near
			t.Errorf("%s[%d] is %.9g, want %.9g ± %.3g", name, i, g, w, tol)
			return
		}
	}
}

// nearScaled is near with a tolerance relative to the largest element: an
// element that is small because large terms cancel carries their rounding.
func nearScaled[A, B float](t *testing.T, name string, got []A, want []B, rel float64) {
	t.Helper()
	near(t, name, got, want, rel*maxAbs(want))
}

func maxAbs[A float](x []A) float64 {
	var m float64
	for _, v := range x {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}

// sameBits fails where an element of got differs from want in any bit.
func sameBits(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d elements, want %d", name, len(got), len(want))
	} else if i := firstDifference(got, want); i >= 0 {
		t.Errorf("%s[%d] is %.9g, want the same bits as %.9g", name, i, got[i], want[i])
	}
}

// firstDifference returns the index of the first element whose bits differ, or
// -1; a and b are of one length.
func firstDifference(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// mustPanic runs f and fails where it doesn't panic with a message that holds
// every one of parts.
func mustPanic(t *testing.T, f func(), parts ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		r := recover()
		if r == nil {
			t.Errorf("no panic, want one that says %q", parts)
			return
		}
		msg := fmt.Sprint(r)
		for _, p := range parts {
			if !strings.Contains(msg, p) {
				t.Errorf("panic says %q, want %q in it", msg, p)
			}
		}
	}()
	f()
}

// thin returns the places of all elements of x, or where they are many of about 150 at
// equal distances. Under the race detector 15 are many.
func thin[A float](x []A) []*A {
	var some []*A
	many := 150
	if raceDetector {
		many = 15
	}
	for i := 0; i < len(x); i += 1 + len(x)/many {
		some = append(some, &x[i])
	}
	return some
}
