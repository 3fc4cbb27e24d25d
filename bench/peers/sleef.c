#include "sleef.h"
#include "dl.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Each loop has the target of the function that it calls, so that vectors are
// passed in registers.
__attribute__((target("avx512f"))) static void loop16(void *f, const float *src, float *dst, int n) {
	__m512 (*g)(__m512) = f;
	for (int i = 0; i < n; i += 16) {
		_mm512_storeu_ps(dst + i, g(_mm512_loadu_ps(src + i)));
	}
}

__attribute__((target("avx2,fma"))) static void loop8(void *f, const float *src, float *dst, int n) {
	__m256 (*g)(__m256) = f;
	for (int i = 0; i < n; i += 8) {
		_mm256_storeu_ps(dst + i, g(_mm256_loadu_ps(src + i)));
	}
}
#else
static void loop16(void *f, const float *src, float *dst, int n) {}
static void loop8(void *f, const float *src, float *dst, int n) {}
#endif

int64_t sleef_run(void *f, int wide, const float *src, float *dst, int n, int64_t times) {
	int64_t start = dl_now();
	for (int64_t i = 0; i < times; i++) {
		if (wide) {
			loop16(f, src, dst, n);
		} else {
			loop8(f, src, dst, n);
		}
	}
	return dl_now() - start;
}
