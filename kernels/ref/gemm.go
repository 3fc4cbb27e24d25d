package ref

import "math"

// Gemm returns g(S + op(A)·op(B)) as a dense m×n matrix, where op(A) is m×k and
// op(B) is k×n.
//
// A is m×k with row stride lda, or k×m if transA; B is k×n with row stride ldb,
// or n×k if transB. Row i of S begins at s[i*lds], so a stride of 0 repeats one
// row; a nil s is zero. A nil g is the identity.
//
// magnitude is |S| + |op(A)|·|op(B)|. Times the depth and half a unit in the last
// place, it bounds the rounding error of a sum before g.
func Gemm[F Float](transA, transB bool, m, n, k int, a []F, lda int, b []F, ldb int, s []F, lds int, g func(float64) float64) (c, magnitude []float64) {
	c, magnitude = make([]float64, m*n), make([]float64, m*n)
	for i := range m {
		for j := range n {
			var sum, abs float64
			if s != nil {
				sum = float64(s[i*lds+j])
				abs = math.Abs(sum)
			}
			for p := range k {
				ai, bi := i*lda+p, p*ldb+j
				if transA {
					ai = p*lda + i
				}
				if transB {
					bi = j*ldb + p
				}
				ab := float64(a[ai]) * float64(b[bi])
				sum += ab
				abs += math.Abs(ab)
			}
			if g != nil {
				sum = g(sum)
			}
			c[i*n+j], magnitude[i*n+j] = sum, abs
		}
	}
	return c, magnitude
}
