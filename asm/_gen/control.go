package main

import "github.com/mmcloughlin/avo/operand"

// control emits the two accesses to MXCSR.
func control(g *gen) {
	g.kernel("readControl", "", "ReadControl", "stores MXCSR.")
	g.STMXCSR(operand.Mem{Base: g.arg("mode")})
	g.finish()

	g.kernel("writeControl", "", "WriteControl", "loads MXCSR.")
	mode, err := g.Param("mode").Resolve()
	if err != nil {
		panic(err)
	}
	g.LDMXCSR(mode.Addr)
	g.finish()
}
