// BLAS and LAPACK routines of a library, row-major and dense.
#ifndef CBLAS_H
#define CBLAS_H
#include <stdint.h>

typedef void (*set_threads_fn)(long n);
typedef const char *(*text_fn)(void);

enum { blas_gemm, blas_gemv, blas_ger, blas_dot, blas_axpy, blas_syrk, blas_symm, blas_trmm, blas_trsm };

// The operands are those of algebra.go.
typedef struct {
	int routine;
	int wide; // elements are double
	int transa, transb;
	int m, n, k;
	double beta;
} blas_work;

// blas_run calls a library's cblas function the given number of times and returns
// the nanoseconds in all.
int64_t blas_run(void *f, const blas_work *w, const void *a, const void *b, void *c, int64_t times);

enum { lapack_lu, lapack_qr, lapack_cholesky, lapack_svd };

// lapack_run factorizes copies of the column-major matrix a of order n. f is
// dgetrf_, dgeqrf_, dpotrf_ or dgesdd_. out gets the factors [n,n], or the n
// singular values. It returns the nanoseconds in all, or -1 after a failure.
int64_t lapack_run(void *f, int op, int n, const double *a, double *out, int64_t times);

void blas_set_threads(set_threads_fn f, long n);
const char *blas_text(text_fn f);

#endif
