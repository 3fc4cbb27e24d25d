// SLEEF's vector functions over an array, as a caller's loop would use them.
#ifndef SLEEF_H
#define SLEEF_H
#include <stdint.h>

// sleef_run applies f to n floats, a multiple of 16, the given number of times.
// It returns the nanoseconds in all. wide says whether f takes 16 floats (AVX-512)
// or 8 (AVX2).
int64_t sleef_run(void *f, int wide, const float *src, float *dst, int n, int64_t times);

#endif
