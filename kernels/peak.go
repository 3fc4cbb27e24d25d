package kernels

// FMA runs the given number of rounds of independent fused multiply-adds on the calling
// goroutine. It returns the number of floating-point operations. Shares of peak refer
// to its rate. A round takes about 7 ns.
func (o serial) FMA(rounds int) (flops float64) {
	const roundsPerCall = 4096
	for left := rounds; left > 0; left -= roundsPerCall {
		stopPoint()
		o.set.FMAPeak(min(left, roundsPerCall))
	}
	return float64(rounds) * float64(o.set.FMAPeakFlops)
}
