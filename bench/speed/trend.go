package speed

// TrendShare is the share of its neighbours' trend below which a batch is a hole
// in the table of all batches.
const TrendShare = 0.8

// Hole reports whether the row lies well below its neighbours.
func (r Row) Hole() bool { return r.GFLOPS < TrendShare*r.TrendGFLOPS }

// neighbours is how many batches on each side make the trend at one.
const neighbours = 4

// followTrend fills in TrendGFLOPS of the batch rows, which are in order: the
// straight line through the neighbours, by least squares, at the row itself. At
// the ends it looks ahead or back. One row alone reads the weights for half the
// work of two, so no more than half their rate can be asked of it.
func followTrend(rows []Row) {
	for i := range rows {
		if rows[i].Kind != KindBatch {
			continue
		}
		var n, sx, sy, sxx, sxy float64
		for j := max(0, i-neighbours); j <= min(i+neighbours, len(rows)-1); j++ {
			if j == i || rows[j].Kind != KindBatch {
				continue
			}
			x, y := float64(rows[j].B-rows[i].B), rows[j].GFLOPS
			n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
		}
		if d := n*sxx - sx*sx; d > 0 {
			rows[i].TrendGFLOPS = (sxx*sy - sx*sxy) / d // at x = 0
		}
		if rows[i].B == 1 && n > 0 {
			rows[i].TrendGFLOPS = min(rows[i].TrendGFLOPS, rows[i+1].GFLOPS/2)
		}
	}
}
