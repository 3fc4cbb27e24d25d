package main

import (
	"errors"
	"path/filepath"
	"runtime"
	"slices"
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

// ONNXRuntime returns ONNX models, and the operators RNN, LSTM, GRU and
// DynamicQuantizeLSTM. It is called through its C interface.
func ONNXRuntime() (*Impl, error) { return openRuntime("onnxruntime", newORT) }

// ONNXRuntimeGemm returns streams without these operators. Those of vanilla cells and GRUs
// multiply rows of weights that are not packed, and Gemm packs them.
func ONNXRuntimeGemm() (*Impl, error) { return openRuntime("onnxruntime-gemm", newORTGemm) }

func openRuntime(name string, open func(w Workload, d *Data, threads int) (Instance, error)) (*Impl, error) {
	impl := &Impl{Name: name, New: open, Close: func() {
		if ort.IsInitialized() {
			ort.DestroyEnvironment()
		}
	}}
	var errs []error
	for _, file := range libraries["onnxruntime"] {
		if ort.IsInitialized() {
			break
		}
		ort.SetSharedLibraryPath(file)
		errs = append(errs, ort.InitializeEnvironment(ort.WithLogLevelError()))
	}
	if !ort.IsInitialized() {
		return nil, errors.Join(errs...)
	}
	impl.Version = ort.GetVersion()
	return impl, nil
}

func newORT(w Workload, d *Data, threads int) (Instance, error) {
	switch {
	case w.Kind == "onnx":
		return openORT(d.Model, d.Call, threads, false)
	case w.Kind == "streams":
		return openORT(streamsModel(w, d), d.Call, threads, true)
	// It packs weights when a session is made, and can't be asked to pack again.
	case w.Kind == "rnn" && w.E != 0 && w.Pass == "forward" && w.Pack != "each",
		w.Kind == "int8" && w.Cell == "lstm":
		return openORT(rnnModel(w, d), rnnCall(w, d), threads, false)
	}
	return nil, errUnsupported
}

func newORTGemm(w Workload, d *Data, threads int) (Instance, error) {
	if w.Kind != "streams" || w.Cell == "lstm" {
		return nil, errUnsupported
	}
	return openORT(gemmModel(w, d), rowsCall(d.Call), threads, true)
}

// ortInstance is a session, called from one thread.
type ortInstance struct{ calls }

// openORT makes a session. spin lets its threads spin between runs.
func openORT(model []byte, c *Call, threads int, spin bool) (Instance, error) {
	session, err := ortSession(model, c, threads, spin)
	if err != nil {
		return nil, err
	}
	owned := []interface{ Destroy() error }{session}
	destroy := func() {
		for _, x := range slices.Backward(owned) {
			x.Destroy()
		}
	}
	tensor := func(shape []int, data []float32) *ort.Tensor[float32] {
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

	// The inputs of all frames and the room for outputs are made once, and bound to the
	// session. Two sets of states change places after each call.
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
			ins[f] = append(ins[f], tensor(a.Shape, a.frame(f)))
		}
	}
	for _, a := range c.Outputs {
		x := tensor(a.Shape, make([]float32, elements(a.Shape)))
		outs, data[a.Name] = append(outs, x), x
	}
	var states [2][]*ort.Tensor[float32]
	for i := range states {
		for _, s := range c.States {
			states[i] = append(states[i], tensor(s.Shape, s.start()))
		}
	}
	inNames, outNames := c.names()
	bound := make([][2]*ort.IoBinding, c.Frames) // by the set that is read
	for f := range bound {
		for now := range bound[f] {
			if err != nil {
				break
			}
			in, out := slices.Clone(ins[f]), slices.Clone(outs)
			for i := range c.States {
				in, out = append(in, states[now][i]), append(out, states[1-now][i])
			}
			if bound[f][now], err = bind(session, inNames, in, outNames, out); err == nil {
				owned = append(owned, bound[f][now])
			}
		}
	}
	if err != nil {
		destroy()
		return nil, err
	}
	now := 0
	return &ortInstance{calls{
		Call: c,
		call: func(frame int) error {
			if err := session.RunWithBinding(bound[frame][now]); err != nil {
				return err
			}
			now = 1 - now
			return nil
		},
		get: func(name string) []float32 {
			for i, s := range c.States {
				if s.Out == name {
					return states[now][i].GetData()
				}
			}
			return data[name].GetData()
		},
		close: destroy,
	}}, nil
}

// bind binds values to the names of a session.
func bind(session *ort.DynamicAdvancedSession, inNames []string, in []ort.Value, outNames []string, out []ort.Value) (*ort.IoBinding, error) {
	b, err := session.CreateIoBinding()
	if err != nil {
		return nil, err
	}
	for i, name := range inNames {
		err = errors.Join(err, b.BindInput(name, in[i]))
	}
	for i, name := range outNames {
		err = errors.Join(err, b.BindOutput(name, out[i]))
	}
	if err != nil {
		b.Destroy()
		return nil, err
	}
	return b, nil
}

// Run calls the library from the thread that calls the other libraries.
func (i *ortInstance) Run(n int) (took time.Duration, err error) {
	onC(func() { took, err = i.calls.Run(n) })
	return took, err
}

func ortSession(model []byte, c *Call, threads int, spin bool) (*ort.DynamicAdvancedSession, error) {
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
	)
	if !spin {
		// Threads stop spinning after a run, so that they don't slow others.
		err = errors.Join(err, o.AddSessionConfigEntry("session.force_spinning_stop", "1"))
	}
	if err != nil {
		return nil, err
	}
	in, out := c.names()
	return ort.NewDynamicAdvancedSessionWithONNXData(model, in, out, o)
}
