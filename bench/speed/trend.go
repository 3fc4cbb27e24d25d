package speed

// TrendShare is the share of the trend below which a batch counts as a hole in the
// table of all batches.
const TrendShare = 0.8

// Hole reports whether the row is well below its neighbours.
func (r Row) Hole() bool { return r.GFLOPS < TrendShare*r.TrendGFLOPS }

// neighbours is the number of batches on each side that make the trend.
const neighbours = 4

// followTrend sets TrendGFLOPS of the batch rows, which are in ascending order. The
// trend is the least-squares line through the neighbours, at the row itself. The first
// and last rows have neighbours on one side only. A batch of one row reads the weights
// for half the work of two. So its trend is at most half their rate.
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
