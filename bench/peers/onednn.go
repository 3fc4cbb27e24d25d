package main

// #include <stdlib.h>
// #include "onednn.h"
import "C"

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
	"unsafe"
)

// OneDNN returns oneDNN: sgemm, the eltwise primitive, the vanilla RNN, the LSTM and the
// LBR-GRU.
func OneDNN() (*Impl, error) {
	err := errors.New("not looked for")
	for _, file := range libraries["onednn"] {
		onC(func() {
			name := C.CString(file)
			defer C.free(unsafe.Pointer(name))
			err = nil
			if wrong := C.onednn_open(name); wrong != nil {
				err = fmt.Errorf("%s: %s", file, C.GoString(wrong))
			}
		})
		if err == nil {
			return &Impl{Name: "onednn", Version: C.GoString(C.onednn_version()), New: newOneDNN}, nil
		}
	}
	return nil, err
}

func newOneDNN(w Workload, d *Data, threads int) (Instance, error) {
	switch {
	case w.Algebra() && w.Routine() == "sgemm":
		return newAlgebra(w, d, func(a, b, c unsafe.Pointer, times int) (ns C.int64_t) {
			onC(func() {
				C.onednn_set_threads(C.int(threads))
				ns = C.onednn_sgemm(cBool(w.TransA), cBool(w.TransB), C.int(w.M), C.int(w.N), C.int(w.K),
					(*C.float)(a), C.int(w.LDA()), (*C.float)(b), C.int(w.LDB()), C.float(w.Beta), (*C.float)(c), C.int64_t(times))
			})
			return ns
		}), nil
	case w.Kind == "activation":
		return newEltwise(w, d, threads)
	case w.Kind == "rnn" && w.E > 0, w.Kind == "int8" && w.Cell == "lstm":
		return newOneDNNRNN(w, d, threads)
	}
	return nil, errUnsupported
}

var onednnAct = map[string]C.int{"relu": C.onednn_relu, "tanh": C.onednn_tanh, "sigmoid": C.onednn_sigmoid, "exp": C.onednn_exp}

var onednnCell = map[string]C.int{"": C.onednn_vanilla, "lstm": C.onednn_lstm, "gru": C.onednn_lbr_gru}

// onOneDNN runs f as onC does, with the library's number of threads set. Primitives are
// created under it too, because their blocking depends on it.
func onOneDNN(threads int, f func()) {
	onC(func() {
		C.onednn_set_threads(C.int(threads))
		f()
	})
}

func newEltwise(w Workload, d *Data, threads int) (Instance, error) {
	var e *C.eltwise
	var err error
	onOneDNN(threads, func() {
		if e = C.eltwise_new(onednnAct[w.Act], C.int(w.Count), cFloats(d.Src)); e == nil {
			err = errors.New(C.GoString(C.onednn_error()))
		}
	})
	if err != nil {
		return nil, err
	}
	run := func(n int) (took time.Duration) {
		onOneDNN(threads, func() { took = time.Duration(C.eltwise_run(e, C.int64_t(n))) })
		return took
	}
	return &timed{
		results: func() Results {
			run(1)
			return Results{"y": widen(floats(unsafe.Pointer(C.eltwise_result(e)), w.Count))}
		},
		run:   run,
		close: func() { onC(func() { C.eltwise_free(e) }) },
	}, nil
}

func newOneDNNRNN(w Workload, d *Data, threads int) (Instance, error) {
	theirs := func(x []float32) []float32 { return regated(x, w.H, gates[w.Cell], onednnGates[w.Cell]) }
	wx, wh, bias := theirs(d.Wx), theirs(d.Wh), onednnBias(w, d)
	var r *C.rnn
	var err error
	onOneDNN(threads, func() {
		// The call copies the arrays before it returns. They are passed in a struct, so
		// they must be pinned meanwhile.
		var pin runtime.Pinner
		defer pin.Unpin()
		pinned := func(x []float32) *C.float {
			if len(x) == 0 {
				return nil
			}
			pin.Pin(&x[0])
			return cFloats(x)
		}
		data := func(x []float32) unsafe.Pointer { return unsafe.Pointer(pinned(x)) }
		var scales []float32
		if w.Kind == "int8" {
			scales = onednnScales(w, wx, wh, onednnLimit())
			data = func(x []float32) unsafe.Pointer {
				if len(x) == 0 {
					return nil
				}
				q := onednnBytes(x)
				pin.Pin(&q[0])
				return unsafe.Pointer(&q[0])
			}
		}
		args := C.rnn_args{
			steps: C.int(w.T), batch: C.int(w.B), input: C.int(w.E), hidden: C.int(w.H),
			cell: onednnCell[w.Cell], act: onednnAct[w.Act], training: C.int(boolInt(w.Backward())), carry: C.int(boolInt(w.Carry())),
			scales: pinned(scales), x: data(d.X), wx: pinned(wx), wh: pinned(wh), bh: pinned(bias),
			h0: data(d.H0), c0: pinned(d.C0), dh: pinned(d.DH),
		}
		if r = C.rnn_new(&args); r == nil {
			err = errors.New(C.GoString(C.onednn_error()))
		}
	})
	if err != nil {
		return nil, err
	}
	call := func(passes, n int) (took time.Duration) {
		onOneDNN(threads, func() {
			took = time.Duration(C.rnn_run(r, C.int(passes), C.int(boolInt(w.Pack == "each")), C.int64_t(n)))
		})
		return took
	}
	passes := map[string]int{"forward": C.rnn_forward, "backward": C.rnn_backward, "both": C.rnn_forward | C.rnn_backward}[w.Pass]
	return &timed{
		results: func() Results {
			call(passes|C.rnn_forward, 1)
			out := Results{}
			get := func(which C.int, n int) []float32 {
				return floats(C.rnn_result(r, which), n)
			}
			ours := func(x []float32) []float64 { return widen(regated(x, w.H, onednnGates[w.Cell], gates[w.Cell])) }
			onC(func() {
				if w.Kind == "int8" {
					out["h"] = onednnStates(unsafe.Slice((*uint8)(C.rnn_result(r, C.rnn_h)), w.T*w.B*w.H))
					return
				}
				out["h"] = widen(get(C.rnn_h, w.T*w.B*w.H))
				if w.Backward() {
					out["dx"] = widen(get(C.rnn_dx, w.T*w.B*w.E))
					out["dwx"] = ours(get(C.rnn_dwx, len(wx)))
					out["dwh"] = ours(get(C.rnn_dwh, len(wh)))
					out.addOneDNNBias(w, get(C.rnn_dbh, len(bias)))
				}
			})
			return out
		},
		run:   func(n int) time.Duration { return call(passes, n) },
		close: func() { onC(func() { C.rnn_free(r) }) },
	}, nil
}

// onednnBytes returns the inputs or states of an int8 LSTM, which are at most 1 in
// magnitude.
func onednnBytes(x []float32) []uint8 {
	q := make([]uint8, len(x))
	for i, v := range x {
		q[i] = uint8(math.RoundToEven(float64(v)*C.onednn_scale + C.onednn_shift))
	}
	return q
}

// onednnStates returns the values of bytes.
func onednnStates(q []uint8) []float64 {
	x := make([]float64, len(q))
	for i, v := range q {
		x[i] = (float64(v) - C.onednn_shift) / C.onednn_scale
	}
	return x
}

// onednnLimit returns the greatest magnitude of its weights. Without VNNI it adds products of
// u8 and s8 by pairs in int16, which saturates beyond 64.
func onednnLimit() float32 {
	if slices.Contains(isas(), "avx512vnni") {
		return math.MaxInt8
	}
	return 64
}

// onednnScales returns what the columns of both weights are multiplied by, so that their
// greatest magnitudes become limit. A column of Wx and that of Wh have one scale.
func onednnScales(w Workload, wx, wh []float32, limit float32) []float32 {
	width := w.Gates() * w.H
	most := make([]float32, width)
	for _, x := range [][]float32{wx, wh} {
		for i, v := range x {
			most[i%width] = max(most[i%width], v, -v)
		}
	}
	for i, v := range most {
		most[i] = limit / v
	}
	return most
}
