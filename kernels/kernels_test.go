package kernels

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// This file holds what the other tests share. Package asm tests each kernel on
// its own, with every length and placement; the tests here are about what this
// package adds: blocks, packing, chunks, threads and checks.

// TestRequiredSets fails where a set named in BATCHRNN_REQUIRE_ISA is missing,
// so that a machine without it can't pass by testing less.
func TestRequiredSets(t *testing.T) {
	for _, name := range strings.Split(os.Getenv("BATCHRNN_REQUIRE_ISA"), ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(ISAs(), name) {
			t.Errorf("BATCHRNN_REQUIRE_ISA wants %s; this build on this machine has %v", name, ISAs())
		}
	}
}

// open returns an engine that is closed when the test ends. In tests its regions
// have as many workers as they may have, whatever else the machine does.
func open(tb testing.TB, isa string, threads int) *Engine {
	tb.Helper()
	e, err := New(isa, threads)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	if _, test := tb.(*testing.T); test {
		ForceTeams(e, func(most int) int { return most })
	}
	return e
}

// eachEngine runs f as a subtest for every instruction set of this machine.
func eachEngine(t *testing.T, threads int, f func(t *testing.T, e *Engine)) {
	runEngines(t, FloatISAs(), threads, f)
}

// eachInt8Engine is eachEngine for products of int8.
func eachInt8Engine(t *testing.T, threads int, f func(t *testing.T, e *Engine)) {
	runEngines(t, ISAs(), threads, f)
}

func runEngines(t *testing.T, isas []string, threads int, f func(t *testing.T, e *Engine)) {
	for _, isa := range isas {
		t.Run("isa="+isa, func(t *testing.T) { f(t, open(t, isa, threads)) })
	}
}

// fusedISAs are the instruction sets that agree bit for bit.
func fusedISAs() []string {
	return slices.DeleteFunc(FloatISAs(), func(isa string) bool { return isa == "generic" })
}

// eps is half a unit in the last place of 1: what one rounding may do.
const eps = 0x1p-24

// slack covers a rounding among the subnormals.
const slack = 0x1p-148

// canary marks memory that nothing may write: a NaN that no arithmetic makes.
var canary = math.Float32frombits(0x7fc0beef)

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
)

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// firstDifference returns the first index at which the bits of x and y differ,
// -1 if there is none.
func firstDifference(x, y []float32) int {
	for i := range x {
		if !sameBits(x[i], y[i]) {
			return i
		}
	}
	return -1
}

func filled(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

func randoms(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// lengths lie about the bounds of the chunks in which vectors reach assembly.
var lengths = []int{0, 1, 15, 1000, elementsPerCall - 1, elementsPerCall, elementsPerCall + 1, 2*elementsPerCall + 77}
