package main

import (
	"runtime"
	"time"

	"github.com/advancedclimatesystems/gonnx"
	"gorgonia.org/tensor"
)

// GONNX returns the ONNX models that run in gonnx, which is pure Go.
func GONNX() *Impl {
	return &Impl{Name: "gonnx", Version: moduleVersion("github.com/advancedclimatesystems/gonnx"), New: newGONNX}
}

// gonnxInstance runs on GOMAXPROCS threads.
type gonnxInstance struct {
	calls
	threads int
}

func newGONNX(w Workload, d *Data, threads int) (Instance, error) {
	// It has the operators of version 13; the voice detectors use version 16.
	if w.Model != "ndm" && w.Model != "add" {
		return nil, errUnsupported
	}
	m, err := gonnx.NewModelFromBytes(d.Model)
	if err != nil {
		return nil, err
	}
	in := gonnx.Tensors{}
	for _, a := range d.Call.Inputs {
		in[a.Name] = tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(a.frame(0)))
	}
	var out gonnx.Tensors
	return &gonnxInstance{calls{
		Call: d.Call,
		call: func(int) (err error) {
			out, err = m.Run(in)
			return err
		},
		get: func(name string) []float32 { return out[name].Data().([]float32) },
	}, threads}, nil
}

func (i *gonnxInstance) Run(n int) (time.Duration, error) {
	defer runtime.GC() // what it leaves is collected before the next has its turn
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(i.threads))
	return i.calls.Run(n)
}
