package main

import "batchrnn/kernels"

// int8Workloads returns forward passes with int8 weights, then single steps.
func int8Workloads() []Workload {
	var all []Workload
	for _, cell := range []string{"lstm", "gru", ""} {
		add := func(h, b, t int) {
			w := Workload{Kind: "int8", Pass: "forward", Cell: cell, H: h, B: b, T: t, E: h}
			if cell == "" {
				w.Act = "tanh"
			}
			all = append(all, w)
		}
		for _, h := range []int{256, 512, 1024} {
			for _, b := range []int{1, 16, 64} {
				add(h, b, 50)
			}
		}
		for _, h := range []int{256, 512, 1024, 1760} {
			add(h, 1, 1)
		}
	}
	return all
}

// Float32 returns our pass of an int8 workload with the float32 weights.
func Float32() *Impl {
	return bound("float32", func(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
		if w.Kind != "int8" {
			return nil, errUnsupported
		}
		w.Kind = "rnn"
		return oursRNN(e, w, d)
	})
}

// quantised returns the rows×cols matrix x in int8, and the scale of each column: element
// i, j of x is about scales[j]·q[i*cols+j].
func quantised(x []float32, rows, cols int) (q []int8, scales []float32) {
	q, scales = make([]int8, len(x)), make([]float32, cols)
	t, column := transposed(x, rows, cols), make([]int8, rows)
	for j := range scales {
		scales[j], _ = kernels.Quantise(column, t[j*rows:][:rows]) // all values are finite
		for i, v := range column {
			q[i*cols+j] = v
		}
	}
	return q, scales
}
