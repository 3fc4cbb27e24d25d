#include "sgemm.h"
#include "dl.h"

enum { row_major = 101, no_trans = 111, trans = 112 };

int64_t cblas_run(cblas_sgemm_fn f, int transa, int transb, int m, int n, int k,
	const float *a, int lda, const float *b, int ldb, float *c, int64_t times) {
	int64_t start = dl_now();
	for (int64_t i = 0; i < times; i++) {
		f(row_major, transa ? trans : no_trans, transb ? trans : no_trans, m, n, k, 1, a, lda, b, ldb, 0, c, n);
	}
	return dl_now() - start;
}

void sgemm_set_threads(set_threads_fn f, long n) { f(n); }

const char *sgemm_text(text_fn f) { return f(); }
