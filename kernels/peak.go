package kernels

// FMA runs the given number of rounds of independent fused multiply-adds on the calling
// goroutine. It returns how many floating-point operations it did. Timed, it gives the
// peak that shares of peak refer to. A round takes about 7 ns.
func (o serial) FMA(rounds int) (flops float64) {
	const roundsPerCall = 4096
	for left := rounds; left > 0; left -= roundsPerCall {
		stopPoint()
		o.set.FMAPeak(min(left, roundsPerCall))
	}
	return float64(rounds) * float64(o.set.FMAPeakFlops)
}
