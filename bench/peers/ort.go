package main

import (
	"errors"
	"path/filepath"
	"runtime"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

// ortFiles returns the names of ONNX Runtime's library: in the npm package that `make
// models` brings, then in the system.
func ortFiles() []string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	files, err := filepath.Glob(filepath.Join(modelFolder(), "node_modules", "onnxruntime-node", "bin", "napi-v*", runtime.GOOS, arch, "libonnxruntime.so.1"))
	if err != nil {
		panic(err) // a bad pattern
	}
	return append(files, "libonnxruntime.so.1")
}

// ONNXRuntime returns ONNX models, and the operators RNN, LSTM and GRU. It is called
// through its C interface.
func ONNXRuntime() (*Impl, error) {
	var errs []error
	for _, file := range libraries["onnxruntime"] {
		ort.SetSharedLibraryPath(file)
		err := ort.InitializeEnvironment(ort.WithLogLevelError())
		if err == nil {
			return &Impl{Name: "onnxruntime", Version: ort.GetVersion(), New: newORT, Close: func() { ort.DestroyEnvironment() }}, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func newORT(w Workload, d *Data, threads int) (Instance, error) {
	switch {
	case w.Kind == "onnx":
		return openORT(d.Model, d.Call, threads)
	// It packs weights when a session is made, and can't be asked to pack again.
	case w.Kind == "rnn" && w.E != 0 && w.Pass == "forward" && w.Pack != "each":
		return openORT(rnnModel(w, d), rnnCall(w, d), threads)
	}
	return nil, errUnsupported
}

// ortInstance is a session, called from one thread.
type ortInstance struct{ calls }

func openORT(model []byte, c *Call, threads int) (Instance, error) {
	session, err := ortSession(model, c, threads)
	if err != nil {
		return nil, err
	}
	owned := []interface{ Destroy() error }{session}
	destroy := func() {
		for _, x := range owned {
			x.Destroy()
		}
	}
	floats := func(shape []int, data []float32) *ort.Tensor[float32] {
		dims := make(ort.Shape, len(shape))
		for i, n := range shape {
			dims[i] = int64(n)
		}
		t, e := ort.NewTensor(dims, data)
		if e != nil {
			err = e
			return nil
		}
		owned = append(owned, t)
		return t
	}

	// The inputs of all frames and the room for outputs are made once. Two sets of states
	// change places after each call.
	ins := make([][]ort.Value, c.Frames)
	var outs []ort.Value
	data := map[string]*ort.Tensor[float32]{} // of outputs
	for _, a := range c.Inputs {
		if a.Ints != nil {
			x, e := ort.NewScalar(a.Ints[0])
			if e != nil {
				err = e
				continue
			}
			owned = append(owned, x)
			for f := range ins {
				ins[f] = append(ins[f], x)
			}
			continue
		}
		for f := range ins {
			ins[f] = append(ins[f], floats(a.Shape, a.frame(f)))
		}
	}
	for _, a := range c.Outputs {
		x := floats(a.Shape, make([]float32, elements(a.Shape)))
		outs, data[a.Name] = append(outs, x), x
	}
	var now, then []*ort.Tensor[float32]
	for _, s := range c.States {
		now, then = append(now, floats(s.Shape, s.start())), append(then, floats(s.Shape, s.start()))
	}
	if err != nil {
		destroy()
		return nil, err
	}
	in, out := make([]ort.Value, len(c.Inputs)+len(now)), append(outs, make([]ort.Value, len(then))...)
	return &ortInstance{calls{
		Call: c,
		call: func(frame int) error {
			copy(in, ins[frame])
			for i := range now {
				in[len(c.Inputs)+i], out[len(c.Outputs)+i] = now[i], then[i]
			}
			if err := session.Run(in, out); err != nil {
				return err
			}
			now, then = then, now
			return nil
		},
		get: func(name string) []float32 {
			for i, s := range c.States {
				if s.Out == name {
					return now[i].GetData()
				}
			}
			return data[name].GetData()
		},
		close: destroy,
	}}, nil
}

// Run calls the library from the thread that calls the other libraries.
func (i *ortInstance) Run(n int) (took time.Duration, err error) {
	onC(func() { took, err = i.calls.Run(n) })
	return took, err
}

func ortSession(model []byte, c *Call, threads int) (*ort.DynamicAdvancedSession, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	err = errors.Join(
		o.SetIntraOpNumThreads(threads),
		o.SetInterOpNumThreads(1),
		o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		// Threads stop spinning after a run, so that they don't slow others.
		o.AddSessionConfigEntry("session.force_spinning_stop", "1"),
	)
	if err != nil {
		return nil, err
	}
	in, out := c.names()
	return ort.NewDynamicAdvancedSessionWithONNXData(model, in, out, o)
}
