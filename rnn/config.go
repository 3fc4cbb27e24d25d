package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// An Activation is the nonlinearity g of the cell.
type Activation int

const (
	Tanh Activation = iota // the default
	ReLU
	Sigmoid
	Identity
)

var activations = [...]struct {
	name   string
	kernel kernels.Activation
}{
	Tanh:     {"tanh", kernels.Tanh},
	ReLU:     {"relu", kernels.ReLU},
	Sigmoid:  {"sigmoid", kernels.Sigmoid},
	Identity: {"identity", kernels.Identity},
}

// String returns the activation's name in lower case.
func (a Activation) String() string {
	if a < 0 || int(a) >= len(activations) {
		return fmt.Sprintf("Activation(%d)", int(a))
	}
	return activations[a].name
}

// A Config is the shape of a network.
type Config struct {
	Input      int  // E: number of ids, or the width of a dense input
	Dense      bool // the input is vectors of Input floats instead of ids
	Hidden     int  // H
	Output     int  // V: logits at every step; 0: the states are the output
	Activation Activation

	// Tied makes Wy the transpose of Wx, one matrix for both: the input is ids,
	// and as many as outputs.
	Tied bool
	// Cutoffs make the output an adaptive softmax, for many outputs whose ids
	// are in the order of their frequency: those below Cutoffs[0] have logits of
	// their own at every step, those from Cutoffs[i] up to the next cutoff share
	// one, and are told apart by a softmax over the cluster alone. See [Tail].
	Cutoffs []int
}

// maxParams is far beyond what a machine of today trains, and keeps every size
// in bytes far from overflow.
const maxParams int64 = 1 << 32

// Validate reports what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Input < 1:
		return fmt.Errorf("rnn: input size is %d, must be at least 1", c.Input)
	case c.Hidden < 1:
		return fmt.Errorf("rnn: hidden size is %d, must be at least 1", c.Hidden)
	case c.Output < 0:
		return fmt.Errorf("rnn: output size is %d, must be 0 (none) or more", c.Output)
	case c.Activation < 0 || int(c.Activation) >= len(activations):
		return fmt.Errorf("rnn: activation %d is unknown: there are Tanh, ReLU, Sigmoid and Identity", int(c.Activation))
	}
	if err := c.validateOutput(); err != nil {
		return err
	}
	for _, n := range []int{c.Input, c.Hidden, c.Output} {
		if int64(n) > maxParams/int64(c.Hidden) {
			return fmt.Errorf("rnn: %d inputs, %d hidden units and %d outputs make more than the %d parameters that are supported",
				c.Input, c.Hidden, c.Output, maxParams)
		}
	}
	if n := int64(c.Params()); n > maxParams {
		return fmt.Errorf("rnn: %d inputs, %d hidden units and %d outputs make %d parameters, at most %d are supported",
			c.Input, c.Hidden, c.Output, n, maxParams)
	}
	return nil
}

// Params returns the number of parameters: E·H + H·H + H, and with an output
// layer H·V + V, or V where it is tied. An adaptive softmax of K cutoffs has
// H·n + n of its head's n = Cutoffs[0]+K classes, and H·D + D·N + N of each
// cluster.
func (c Config) Params() int {
	n := (c.Input + c.Hidden + 1) * c.Hidden
	if !c.Tied {
		n += c.Hidden * c.head()
	}
	n += c.head()
	for i := range c.Cutoffs {
		s := c.tail(i)
		n += c.Hidden*s.width + (s.width+1)*s.Len()
	}
	return n
}

// Bytes returns what a model holds that only scores, after [Model.Compact]: the
// weights of its products in the packed form that engine e computes with, and of
// the others, which are the rows of ids and the biases, the parameters.
func (c Config) Bytes(e *kernels.Engine) int64 {
	n := e.PackedBytes(c.Hidden, c.Hidden) + 4*int64(c.Hidden)
	if c.Dense {
		n += e.PackedBytes(c.Input, c.Hidden)
	} else {
		n += 4 * int64(c.Input) * int64(c.Hidden)
	}
	if c.Output > 0 {
		n += e.PackedBytes(c.Hidden, c.head()) + 4*int64(c.head())
	}
	for i := range c.Cutoffs {
		s := c.tail(i)
		n += e.PackedBytes(c.Hidden, s.width) + e.PackedBytes(s.width, s.Len()) + 4*int64(s.Len())
	}
	return n
}

// TrainingBytes returns what a model holds that is trained: all parameters, and
// the weights of its products packed as they are and transposed.
func (c Config) TrainingBytes(e *kernels.Engine) int64 {
	n := 4*int64(c.Params()) + 2*e.PackedBytes(c.Hidden, c.Hidden)
	if c.Dense {
		n += e.PackedBytes(c.Input, c.Hidden) + e.PackedBytes(c.Hidden, c.Input)
	}
	if c.Output > 0 {
		n += e.PackedBytes(c.Hidden, c.head()) + e.PackedBytes(c.head(), c.Hidden)
	}
	for i := range c.Cutoffs {
		s := c.tail(i)
		n += e.PackedBytes(c.Hidden, s.width) + e.PackedBytes(s.width, c.Hidden) +
			e.PackedBytes(s.width, s.Len()) + e.PackedBytes(s.Len(), s.width)
	}
	return n
}
