// Package blas makes gonum programs run on the kernels of this module.
//
//	e, err := kernels.New("", 0)
//	...
//	b := blas.New(e)
//	blas64.Use(b)
//	blas32.Use(b)
//
// From then on gonum's packages blas64, blas32, lapack64 and mat compute on the engine.
//
// # What runs on the kernels
//
//   - Level 3: gemm, symm, syrk, syr2k, trmm, trsm.
//   - Level 2: gemv, ger, symv, syr, syr2, trmv, trsv.
//   - Level 1, with increments of 1: axpy, scal; with any that are positive: dot, asum,
//     nrm2, iamax. Increments greater than 1 are for up to 8,192 elements.
//
// The other routines are gonum's own. So are small cases of these routines, and calls
// that have nothing to compute. Bad arguments panic with gonum's messages.
//
// # Results
//
// Results may differ from gonum's in the last bits, because sums have another order.
// They do not depend on the number of threads, nor on what else the engine does. Small
// cases of float32 depend on the address of a vector: gonum's sums do.
//
// Each element of a result of gemm, symm and syrk is the chain of
// [kernels.Algebra.MatMul]. So syrk and symm give the bits of gemm.
//
// trsm multiplies by the reciprocal of a diagonal element, as gonum does on the left
// side. It divides a block of rows where a diagonal element or its reciprocal is
// subnormal. Where B is one vector of at most 8,192 elements, it always divides, as trsv
// does.
//
// # NaN and infinity
//
// The routines on the kernels skip no zeros: 0·NaN and 0·Inf are NaN. Gonum's own, which
// run the small cases, skip some zeros; so does the reference in some routines. As in
// the reference:
//
//   - If beta is 0, the output is not read.
//   - If alpha is 0, the matrices that it multiplies are not read.
//   - The other triangle of a triangular or symmetric matrix is neither read nor written,
//     and the diagonal of a unit triangular matrix is not read.
//   - nrm2 neither overflows nor underflows before its result does.
package blas
