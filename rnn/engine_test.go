package rnn

import (
	"fmt"
	"testing"

	"batchrnn/kernels"
)

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

// unsteady returns an engine whose teams change at random, before each region and
// at each of its barriers.
func unsteady(tb testing.TB, isa string, threads int) *kernels.Engine {
	tb.Helper()
	e, r := newEngine(tb, isa, threads), newRand(uint64(threads))
	kernels.ForceTeams(e, func(most int) int { return 1 + r.IntN(most) })
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
func newModel(tb testing.TB, e *kernels.Engine, c Config, seed uint64) *Model {
	tb.Helper()
	m, err := New(e, c, seed)
	if err != nil {
		tb.Fatal(err)
	}
	r := newRand(seed + 100)
	fillUniform(r, m.Cells[0].Bh, 0.5)
	fillUniform(r, m.By, 0.5)
	for _, tail := range m.Tails {
		fillUniform(r, tail.By, 0.5)
	}
	fillUniform(r, m.Cells[0].Br, 0.5)
	m.Update()
	return m
}
