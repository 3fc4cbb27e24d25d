package main

import (
	"github.com/mmcloughlin/avo/operand"
)

// peakChains is more than latency times throughput of any multiplier so far:
// 4 cycles by two a cycle, with room to spare.
const peakChains = 12

// peakSteps is how often a round runs through the chains.
const peakSteps = 2

// peakFlops counts the operations of a round.
func (g *gen) peakFlops() int { return 2 * peakSteps * peakChains * g.lanes }

// peak emits the loop that share-of-peak figures divide by.
func peak(g *gen) {
	g.kernel("fmaPeak", "", "FMAPeak", "runs n rounds of independent multiply-adds.")
	n := g.arg("n")
	x := g.vec[peakChains]
	for _, v := range g.vec[:peakChains+1] {
		g.zero(v)
	}
	next, end := g.label("loop"), g.label("end")
	g.TESTQ(n, n)
	g.JLE(operand.LabelRef(end))
	g.Label(next)
	for range peakSteps {
		for _, v := range g.vec[:peakChains] {
			g.multiplyAdd(x, x, v)
		}
	}
	g.DECQ(n)
	g.JNE(operand.LabelRef(next))
	g.Label(end)
	g.finish()
}
