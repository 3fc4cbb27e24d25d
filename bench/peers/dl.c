#define _GNU_SOURCE
#include "dl.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void *dl_open(const char *name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }

void *dl_sym(void *lib, const char *name) { return dlsym(lib, name); }

int64_t dl_now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void *dl_copy(int64_t n, const void *from) {
	void *p;
	if (posix_memalign(&p, 64, n) != 0) {
		abort();
	}
	if (from) {
		memcpy(p, from, n);
	} else {
		memset(p, 0, n);
	}
	return p;
}

float *dl_floats(int64_t n, const float *from) { return dl_copy(n * sizeof(float), from); }
