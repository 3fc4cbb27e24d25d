package onnx

import (
	"errors"
	"fmt"
	"math"
)

// Operators that shift and scale elements to a mean of 0 and a variance of 1.

// floatVector returns input i, which must hold n floats, row-major.
func (c *call) floatVector(i int, name string, n int) ([]float32, error) {
	t, err := c.flatInput(i)
	switch {
	case err != nil:
		return nil, err
	case t.kind != Float || t.count() != n:
		return nil, wrongShape(name, t, fmt.Sprintf("%d floats", n))
	}
	return t.floats, nil
}

// layerNormalization plans
//
//	y = (x - mean) / √(variance + epsilon) · scale + bias
//
// with the mean and the variance of all elements from an axis on. Both sums are in float64.
func (c *call) layerNormalization() ([]*tensor, error) {
	x, err := c.flatInput(0)
	if err != nil {
		return nil, err
	}
	if x.kind != Float {
		return nil, fmt.Errorf("the input has type %v, want float: put a Cast before it", x.kind)
	}
	if c.integer("stash_type", 1) != 1 {
		return nil, errors.New("the attribute \"stash_type\" must be 1, float: export the model without it")
	}
	k, err := axis(c.integer("axis", -1), len(x.shape))
	if err != nil {
		return nil, err
	}
	n, size := x.count(), count(x.shape[k:])
	scale, err := c.floatVector(1, "the scale", size)
	if err != nil {
		return nil, err
	}
	bias := make([]float32, size)
	if c.has(2) {
		if bias, err = c.floatVector(2, "the bias", size); err != nil {
			return nil, err
		}
	}
	out, err := c.out(Float, x.shape, nil)
	if err != nil {
		return nil, err
	}
	epsilon := float64(c.float("epsilon", 1e-5))
	return []*tensor{out}, c.step(func() error {
		for at := 0; at < n; at += size {
			from, to := x.floats[at:][:size], out.floats[at:][:size]
			var sum, squares float64
			for _, v := range from {
				sum += float64(v)
			}
			mean := sum / float64(size)
			for _, v := range from {
				d := float64(v) - mean
				squares += float64(d * d)
			}
			variance := float64(float32(squares / float64(size))) // one beyond float32 is infinite
			by := 1 / math.Sqrt(variance+epsilon)
			for i, v := range from {
				to[i] = float32(float32((float64(v)-mean)*by)*scale[i]) + bias[i]
			}
		}
		return nil
	})
}

// batchNormalization plans the same with a mean and a variance for each channel, axis 1,
// which come from the training.
func (c *call) batchNormalization() ([]*tensor, error) {
	x, err := c.flatInput(0)
	switch {
	case err != nil:
		return nil, err
	case x.kind != Float || len(x.shape) < 2:
		return nil, wrongShape("the input", x, "floats of at least 2 dimensions")
	case c.integer("training_mode", 0) != 0:
		return nil, errors.New("the attribute \"training_mode\" must be 0: export the model for inference, after model.eval()")
	}
	channels := x.shape[1]
	var in [4][]float32
	for i, name := range []string{"the scale", "the bias", "the mean", "the variance"} {
		if in[i], err = c.floatVector(i+1, name, channels); err != nil {
			return nil, err
		}
	}
	scale, bias, mean, variance := in[0], in[1], in[2], in[3]
	out, err := c.out(Float, x.shape, nil)
	if err != nil {
		return nil, err
	}
	n, size, epsilon := x.count(), count(x.shape[2:]), float64(c.float("epsilon", 1e-5))
	return []*tensor{out}, c.step(func() error {
		for at, channel := 0, 0; at < n; at, channel = at+size, (channel+1)%channels {
			by := float32(float64(scale[channel]) / math.Sqrt(float64(variance[channel])+epsilon))
			for i, v := range x.floats[at:][:size] {
				out.floats[at+i] = float32((v-mean[channel])*by) + bias[channel]
			}
		}
		return nil
	})
}
