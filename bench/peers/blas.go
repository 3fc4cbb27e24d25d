package main

// #include "cblas.h"
import "C"

import (
	"errors"
	"fmt"
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
	threads := C.set_threads_fn(symbol(lib, setThreads))
	if symbol(lib, "cblas_sgemm") == nil || threads == nil {
		return nil, errors.New("the library has no cblas_sgemm, or no " + setThreads)
	}
	impl := &Impl{Name: name, Version: "unknown"}
	if f := C.text_fn(symbol(lib, version)); f != nil {
		impl.Version = strings.TrimSpace(C.GoString(C.blas_text(f)))
	}
	impl.New = func(w Workload, d *Data, n int) (Instance, error) {
		if w.Kind == "lapack" {
			return newFortran(lib, threads, w, d, n)
		}
		if !w.Algebra() {
			return nil, errUnsupported
		}
		f := symbol(lib, "cblas_"+w.Routine())
		if f == nil {
			return nil, errUnsupported
		}
		return newAlgebra(w, d, func(a, b, c unsafe.Pointer, times int) (ns C.int64_t) {
			work := C.blas_work{
				routine: cRoutines[w.Op], wide: cBool(w.Double), transa: cBool(w.TransA), transb: cBool(w.TransB),
				m: C.int(w.M), n: C.int(w.N), k: C.int(w.K), beta: C.double(w.Beta),
			}
			onC(func() {
				C.blas_set_threads(threads, C.long(n))
				ns = C.blas_run(f, &work, a, b, c, C.int64_t(times))
			})
			return ns
		}), nil
	}
	return impl, nil
}

var cRoutines = map[string]C.int{
	"gemm": C.blas_gemm, "gemv": C.blas_gemv, "ger": C.blas_ger, "dot": C.blas_dot, "axpy": C.blas_axpy,
	"syrk": C.blas_syrk, "symm": C.blas_symm, "trmm": C.blas_trmm, "trsm": C.blas_trsm,
}

// newAlgebra returns a BLAS workload on a function that calls its routine the given number
// of times. The function returns the time in nanoseconds.
func newAlgebra(w Workload, d *Data, f func(a, b, c unsafe.Pointer, times int) C.int64_t) Instance {
	if w.Double {
		return newAlgebraOf(&d.Wide, f)
	}
	return newAlgebraOf(&d.Operands, f)
}

func newAlgebraOf[T float](o *Operands[T], f func(a, b, c unsafe.Pointer, times int) C.int64_t) Instance {
	at := func(x []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }
	run := func(n int) time.Duration { return time.Duration(f(at(o.A), at(o.B), at(o.C), n)) }
	return &timed{results: func() Results { return o.result(run) }, run: run}
}

// The routines of LAPACK. Their interface is Fortran's.
var cFactorizations = map[string]struct {
	name string
	op   C.int
}{
	"lu":       {"dgetrf_", C.lapack_lu},
	"qr":       {"dgeqrf_", C.lapack_qr},
	"cholesky": {"dpotrf_", C.lapack_cholesky},
	"svd":      {"dgesdd_", C.lapack_svd},
}

func newFortran(lib unsafe.Pointer, setThreads C.set_threads_fn, w Workload, d *Data, threads int) (Instance, error) {
	r := cFactorizations[w.Op]
	f := symbol(lib, r.name)
	if f == nil {
		return nil, errUnsupported
	}
	// Fortran is column-major.
	n := w.N
	a, out := make([]float64, n*n), make([]float64, n*n)
	for i := range n {
		for j := range n {
			a[j*n+i] = d.Wide.A[i*n+j]
		}
	}
	return &fortran{w: w, out: out, call: func(times int) (ns C.int64_t) {
		onC(func() {
			C.blas_set_threads(setThreads, C.long(threads))
			ns = C.lapack_run(f, r.op, C.int(n), (*C.double)(unsafe.SliceData(a)), (*C.double)(unsafe.SliceData(out)), C.int64_t(times))
		})
		return ns
	}}, nil
}

// A fortran is an Instance of a factorization in a C library.
type fortran struct {
	w    Workload
	out  []float64 // column-major
	call func(times int) C.int64_t
}

func (f *fortran) Results() (Results, error) {
	if _, err := f.Run(1); err != nil {
		return nil, err
	}
	n := f.w.N
	if f.w.Op == "svd" {
		return Results{"values": f.out[:n]}, nil
	}
	upper := make([]float64, n*n)
	for i := range n {
		for j := i; j < n; j++ {
			at := j*n + i
			if f.w.Op == "cholesky" { // the lower factor
				at = i*n + j
			}
			upper[i*n+j] = f.out[at]
		}
	}
	return Results{"upper": upper}, nil
}

func (f *fortran) Run(n int) (time.Duration, error) {
	ns := f.call(n)
	if ns < 0 {
		return 0, fmt.Errorf("%s failed", cFactorizations[f.w.Op].name)
	}
	return time.Duration(ns), nil
}

func (f *fortran) Close() {}

func cBool(b bool) C.int { return C.int(boolInt(b)) }

func cFloats(x []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(x))) }
