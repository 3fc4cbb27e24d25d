#include "cblas.h"
#include "dl.h"

#include <stdlib.h>
#include <string.h>

enum { row_major = 101, no_trans = 111, trans = 112, lower = 122, non_unit = 131, left = 141 };

enum { restore_every = 16 }; // restoreEvery in algebra.go

#define TIMES(call) \
	for (int64_t i = 0; i < times; i++) { \
		call; \
	}

// RUN makes the calls of all routines for one type of element.
#define RUN(T) \
	static void run_##T(void *f, const blas_work *w, const T *a, const T *b, T *c, int64_t times) { \
		int m = w->m, n = w->n, k = w->k; \
		int ta = w->transa ? trans : no_trans, tb = w->transb ? trans : no_trans; \
		int lda = w->transa ? m : k, ldb = w->transb ? k : n; \
		T beta = w->beta; \
		switch (w->routine) { \
		case blas_gemm: { \
			void (*g)(int, int, int, int, int, int, T, const T *, int, const T *, int, T, T *, int) = f; \
			TIMES(g(row_major, ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, n)) \
			break; \
		} \
		case blas_gemv: { \
			void (*g)(int, int, int, int, T, const T *, int, const T *, int, T, T *, int) = f; \
			TIMES(g(row_major, ta, m, n, 1, a, n, b, 1, beta, c, 1)) \
			break; \
		} \
		case blas_ger: { \
			void (*g)(int, int, int, T, const T *, int, const T *, int, T *, int) = f; \
			TIMES(g(row_major, m, n, 1, a, 1, b, 1, c, n)) \
			break; \
		} \
		case blas_dot: { \
			T (*g)(int, const T *, int, const T *, int) = f; \
			TIMES(*c = g(n, a, 1, b, 1)) \
			break; \
		} \
		case blas_axpy: { \
			void (*g)(int, T, const T *, int, T *, int) = f; \
			TIMES(g(n, 1, a, 1, c, 1)) \
			break; \
		} \
		case blas_syrk: { \
			void (*g)(int, int, int, int, int, T, const T *, int, T, T *, int) = f; \
			TIMES(g(row_major, lower, no_trans, n, k, 1, a, k, beta, c, n)) \
			break; \
		} \
		case blas_symm: { \
			void (*g)(int, int, int, int, int, T, const T *, int, const T *, int, T, T *, int) = f; \
			TIMES(g(row_major, left, lower, m, n, 1, a, m, b, n, beta, c, n)) \
			break; \
		} \
		default: { /* trmm, trsm */ \
			void (*g)(int, int, int, int, int, int, int, T, const T *, int, T *, int) = f; \
			TIMES( \
				if (i % restore_every == 0) memcpy(c, b, sizeof(T) * m * n); \
				g(row_major, left, lower, no_trans, non_unit, m, n, 1, a, m, c, n)) \
		} \
		} \
	}

RUN(float)
RUN(double)

int64_t blas_run(void *f, const blas_work *w, const void *a, const void *b, void *c, int64_t times) {
	int64_t start = dl_now();
	if (w->wide) {
		run_double(f, w, a, b, c, times);
	} else {
		run_float(f, w, a, b, c, times);
	}
	return dl_now() - start;
}

typedef void (*getrf_fn)(const int *, const int *, double *, const int *, int *, int *);
typedef void (*geqrf_fn)(const int *, const int *, double *, const int *, double *, double *, const int *, int *);
typedef void (*potrf_fn)(const char *, const int *, double *, const int *, int *, size_t);
typedef void (*gesdd_fn)(const char *, const int *, const int *, double *, const int *, double *, double *,
	const int *, double *, const int *, double *, const int *, int *, int *, size_t);

typedef struct {
	double *a, *s, *u, *vt, *work;
	int *iwork, lwork;
} lapack_space;

static int factorize(void *f, int op, int n, lapack_space *x) {
	int info = 0;
	switch (op) {
	case lapack_lu:
		((getrf_fn)f)(&n, &n, x->a, &n, x->iwork, &info);
		break;
	case lapack_qr:
		((geqrf_fn)f)(&n, &n, x->a, &n, x->s, x->work, &x->lwork, &info);
		break;
	case lapack_cholesky:
		((potrf_fn)f)("L", &n, x->a, &n, &info, 1);
		break;
	case lapack_svd:
		((gesdd_fn)f)("S", &n, &n, x->a, &n, x->s, x->u, &n, x->vt, &n, x->work, &x->lwork, x->iwork, &info, 1);
		break;
	}
	return info;
}

int64_t lapack_run(void *f, int op, int n, const double *a, double *out, int64_t times) {
	size_t square = sizeof(double) * n * n;
	double best = 1;
	lapack_space x = {
		.a = malloc(square), .s = malloc(sizeof(double) * n), .u = malloc(square), .vt = malloc(square),
		.work = &best, .iwork = malloc(sizeof(int) * 8 * n), .lwork = -1,
	};
	int64_t took = -1;
	int info = 0;
	if (op == lapack_qr || op == lapack_svd) { // asks for the best size of the workspace
		info = factorize(f, op, n, &x);
	}
	x.lwork = best;
	x.work = malloc(sizeof(double) * x.lwork);
	if (x.a && x.s && x.u && x.vt && x.iwork && x.work && info == 0) {
		int64_t start = dl_now();
		for (int64_t i = 0; i < times && info == 0; i++) {
			memcpy(x.a, a, square);
			info = factorize(f, op, n, &x);
		}
		took = info ? -1 : dl_now() - start;
		memcpy(out, op == lapack_svd ? x.s : x.a, op == lapack_svd ? sizeof(double) * n : square);
	}
	free(x.a), free(x.s), free(x.u), free(x.vt), free(x.iwork), free(x.work);
	return took;
}

void blas_set_threads(set_threads_fn f, long n) { f(n); }

const char *blas_text(text_fn f) { return f(); }
