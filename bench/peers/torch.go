package main

import (
	"errors"
	"fmt"
)

// PyTorch returns nn.RNN, nn.LSTM, nn.GRU and a training step, in the first of the
// Python interpreters that has torch.
func PyTorch(pythons ...string) (*Impl, error) {
	var errs []error
	for _, python := range pythons {
		c, hello, err := startChild(python, "torch_peer.py")
		if err == nil {
			return &Impl{Name: "pytorch", Version: hello.Version, New: c.newTorch, Close: c.stop}, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", python, err))
	}
	return nil, errors.Join(errs...)
}

func (c *child) newTorch(w Workload, d *Data, threads int) (Instance, error) {
	if w.Kind != "train" && (w.Kind != "rnn" || w.E == 0) {
		return nil, errUnsupported
	}
	req := request{Op: "new", Threads: threads, Workload: map[string]any{
		"kind": w.Kind, "pass": w.Pass, "cell": w.Cell, "act": w.Act, "carry": w.Carry(),
		"h": w.H, "b": w.B, "t": w.T, "e": w.E, "v": w.V, "lr": learningRate, "clip": clipNorm, "steps": trainedSteps,
	}}
	req.add("x", d.X)
	req.add("h0", d.H0)
	req.add("c0", d.C0)
	req.add("dh", d.DH)
	req.add("wx", d.Wx)
	req.add("wh", d.Wh)
	req.add("bh", d.Bh)
	req.add("br", d.Br)
	req.add("wy", d.Wy)
	req.add("by", d.By)
	req.add("ids", d.IDs)
	req.add("targets", d.Targets)
	if _, err := c.call(req); err != nil {
		return nil, err
	}
	return childInstance{c}, nil
}
