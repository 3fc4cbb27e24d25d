package ref

import "math"

// Axpy returns y + alpha·x.
func Axpy[F Float](alpha float64, x, y []F) []float64 {
	z := make([]float64, len(y))
	for i := range z {
		z[i] = float64(y[i]) + alpha*float64(x[i])
	}
	return z
}

// Scale returns alpha·x.
func Scale[F Float](alpha float64, x []F) []float64 {
	z := make([]float64, len(x))
	for i := range z {
		z[i] = alpha * float64(x[i])
	}
	return z
}

// Dot returns Σ x·y, with Σ |x·y| for a bound on rounding.
func Dot[F Float](x, y []F) (dot, magnitude float64) {
	for i := range x {
		xy := float64(x[i]) * float64(y[i])
		dot += xy
		magnitude += math.Abs(xy)
	}
	return dot, magnitude
}

// ColSums returns dst plus the sums of the columns of A, m rows of len(dst)
// with stride lda, and the same of absolute values.
func ColSums[F Float](m int, dst, a []F, lda int) (sums, magnitude []float64) {
	sums, magnitude = make([]float64, len(dst)), make([]float64, len(dst))
	for j := range dst {
		sums[j] = float64(dst[j])
		magnitude[j] = math.Abs(sums[j])
		for i := range m {
			v := float64(a[i*lda+j])
			sums[j] += v
			magnitude[j] += math.Abs(v)
		}
	}
	return sums, magnitude
}

// ScatterAdd returns table with row t of src added to the row that ids[t] names.
func ScatterAdd[F Float, I ~int | ~int32](table []F, width int, ids []I, src []F) []float64 {
	out := make([]float64, len(table))
	for i, v := range table {
		out[i] = float64(v)
	}
	for t, id := range ids {
		for j := range width {
			out[int(id)*width+j] += float64(src[t*width+j])
		}
	}
	return out
}
