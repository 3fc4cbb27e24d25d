package blas

import "batchrnn/kernels"

// A matrix is a view of a row-major one, or of its transpose.
type matrix[T kernels.Float] struct {
	data  []T
	ld    int
	trans bool
}

// from returns the part of m whose first element is row i, column j.
func (m matrix[T]) from(i, j int) matrix[T] {
	if m.trans {
		i, j = j, i
	}
	m.data = m.data[i*m.ld+j:]
	return m
}

// t returns the transpose of m.
func (m matrix[T]) t() matrix[T] {
	m.trans = !m.trans
	return m
}

// product describes C = alpha·A·B + beta·C for C of m×n and A of m×k.
func product[T kernels.Float](m, n, k int, alpha T, a, b matrix[T], beta T, c matrix[T]) kernels.MatMul[T] {
	if c.trans {
		m, n, a, b, c = n, m, b.t(), a.t(), c.t()
	}
	return kernels.MatMul[T]{
		M: m, N: n, K: k, Alpha: alpha, Beta: beta,
		A: a.data, LDA: a.ld, TransA: a.trans,
		B: b.data, LDB: b.ld, TransB: b.trans,
		C: c.data, LDC: c.ld,
	}
}

// half splits n > block, at a multiple of block.
func half(n, block int) int { return (n/2 + block - 1) / block * block }
