package main

// #include "sgemm.h"
import "C"

import (
	"errors"
	"strings"
	"time"
	"unsafe"
)

// OpenBLAS and BLIS both define cblas_sgemm; each is called through its own handle.

func OpenBLAS() (*Impl, error) {
	return newBLAS("openblas", "openblas_set_num_threads", "openblas_get_config")
}

func BLIS() (*Impl, error) {
	return newBLAS("blis", "bli_thread_set_num_threads", "bli_info_get_version_str")
}

func newBLAS(name, setThreads, version string) (*Impl, error) {
	lib, err := open(name)
	if err != nil {
		return nil, err
	}
	sgemm := C.cblas_sgemm_fn(symbol(lib, "cblas_sgemm"))
	threads := C.set_threads_fn(symbol(lib, setThreads))
	if sgemm == nil || threads == nil {
		return nil, errors.New("the library has no cblas_sgemm, or no " + setThreads)
	}
	impl := &Impl{Name: name, Version: "unknown"}
	if f := C.text_fn(symbol(lib, version)); f != nil {
		impl.Version = strings.TrimSpace(C.GoString(C.sgemm_text(f)))
	}
	impl.New = func(w Workload, d *Data, n int) (Instance, error) {
		if w.Kind != "gemm" {
			return nil, errUnsupported
		}
		return newSgemm(w, d, func(a, b, c *C.float, times int) (ns C.int64_t) {
			onC(func() {
				C.sgemm_set_threads(threads, C.long(n))
				ns = C.cblas_run(sgemm, cBool(w.TransA), cBool(w.TransB), C.int(w.M), C.int(w.N), C.int(w.K),
					a, C.int(w.LDA()), b, C.int(w.LDB()), c, C.int64_t(times))
			})
			return ns
		}), nil
	}
	return impl, nil
}

// newSgemm returns a workload on a function that multiplies the given number of times.
// The function returns the time in nanoseconds.
func newSgemm(w Workload, d *Data, f func(a, b, c *C.float, times int) C.int64_t) Instance {
	c := make([]float32, w.M*w.N)
	run := func(n int) time.Duration { return time.Duration(f(cFloats(d.A), cFloats(d.B), cFloats(c), n)) }
	return &timed{
		results: func() Results { run(1); return Results{"c": c} },
		run:     run,
	}
}

func cBool(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

func cFloats(x []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(x))) }
