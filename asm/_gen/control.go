package main

// control emits the two accesses to MXCSR.
func control(g *gen) {
	g.kernel("readControl", "", "ReadControl", "returns MXCSR.")
	mode, err := g.ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	g.STMXCSR(mode.Addr)
	g.finish()

	g.kernel("writeControl", "", "WriteControl", "loads MXCSR.")
	g.LDMXCSR(g.paramAddr("mode"))
	g.finish()
}
