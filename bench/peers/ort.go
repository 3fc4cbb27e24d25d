package main

// ONNXRuntime returns the RNN, LSTM and GRU operators of the native library in the npm package
// onnxruntime-node, driven by a Node process.
func ONNXRuntime() (*Impl, error) {
	c, hello, err := startChild("node", "ort_peer.cjs")
	if err != nil {
		return nil, err
	}
	return &Impl{Name: "onnxruntime", Version: hello.Version, New: c.newORT, Close: c.stop}, nil
}

func (c *child) newORT(w Workload, d *Data, threads int) (Instance, error) {
	// It packs weights when a session is made, and can't be asked to pack again.
	if w.Kind != "rnn" || w.E == 0 || w.Pass != "forward" || w.Pack == "each" {
		return nil, errUnsupported
	}
	return c.ready(w, d, threads, rnnModel(w, d))
}
