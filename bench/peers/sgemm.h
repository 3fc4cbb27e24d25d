// C = op(A)·op(B), row-major and dense, with the libraries' own functions.
#ifndef SGEMM_H
#define SGEMM_H
#include <stdint.h>

typedef void (*cblas_sgemm_fn)(int order, int transa, int transb, int m, int n, int k,
	float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
typedef void (*set_threads_fn)(long n);
typedef const char *(*text_fn)(void);

// cblas_run calls f the given number of times and returns the nanoseconds in all.
int64_t cblas_run(cblas_sgemm_fn f, int transa, int transb, int m, int n, int k,
	const float *a, int lda, const float *b, int ldb, float *c, int64_t times);
void sgemm_set_threads(set_threads_fn f, long n);
const char *sgemm_text(text_fn f);

#endif
