// Common functions of the shims over the C libraries.
#ifndef DL_H
#define DL_H
#include <stdint.h>

// dl_open opens a library, or returns NULL if there is none. It keeps the
// library's symbols from others, because several define cblas_sgemm.
void *dl_open(const char *name);
void *dl_sym(void *lib, const char *name);

// dl_now returns the nanoseconds of a monotonic clock.
int64_t dl_now(void);

// dl_copy returns n bytes, aligned to a cache line. They are a copy of from, or
// zeros if that is NULL.
void *dl_copy(int64_t n, const void *from);
float *dl_floats(int64_t n, const float *from);

#endif
