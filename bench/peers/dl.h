// What the shims over the C libraries share.
#ifndef DL_H
#define DL_H
#include <stdint.h>

// dl_open opens a library without offering its symbols to others: several
// define cblas_sgemm. It returns NULL where there is none.
void *dl_open(const char *name);
void *dl_sym(void *lib, const char *name);

// dl_now returns nanoseconds of a clock that never goes back.
int64_t dl_now(void);

// dl_floats returns n floats on a cache line, a copy of from unless it is NULL.
float *dl_floats(int64_t n, const float *from);

#endif
