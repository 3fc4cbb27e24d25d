package rnn

import (
	"fmt"
	"math"

	"batchrnn/kernels"
)

// An Activation is the nonlinearity g of the cell.
type Activation = kernels.Activation

const (
	Tanh     = kernels.Tanh // the default
	ReLU     = kernels.ReLU
	Sigmoid  = kernels.Sigmoid
	Identity = kernels.Identity
)

// A Config is the shape of a network.
type Config struct {
	Input  int  // the number of ids, or the width of a dense input
	Dense  bool // the input is vectors of Input floats instead of ids
	Layers int  // L, at least 1: each layer reads the output of the one below
	Hidden int  // H, of each layer and direction
	Output int  // V: the number of logits at each step; 0 makes the states the output

	Cell       CellKind   // Vanilla, LSTM, GRU or GRUResetBefore
	Activation Activation // of a vanilla cell; zero means Tanh, which [New] writes into [Model.Config]
	// Projection, if not 0, is the width P of an LSTM's output (Sak, Senior & Beaufays
	// 2014): h_t = Wr·(o ∘ tanh(c_t)). The state h then has P floats, c has H.
	Projection int
	// TwoBiases keeps the second bias of PyTorch and cuDNN, beside the product of the
	// state. It adds to the first one. Training on with both goes as it does there. A
	// GRU always has it, because the reset gate acts on it.
	TwoBiases bool
	// Embedding, if not 0, is the width of a table of vectors, one for each id (Bengio et
	// al. 2003). The first layer reads the id's vector, and learns it. It reads zeros for
	// None. Many ids then cost Input·Embedding floats instead of Input·G·H.
	Embedding int
	// Bidirectional gives each layer a second cell, which reads the sequence from its
	// end. The layer above and the output see both states side by side, 2P floats.
	Bidirectional bool
	// LastStep gives each sequence one output instead of one at each step: many-to-one.
	// The output sees the state after the sequence's last step. For the second
	// direction that is the state after the first input.
	LastStep bool

	// Residual adds to the output of each layer its input, from the second layer on (He
	// et al. 2016). The state that a layer passes to its next step stays as it is. All
	// layers have the same width, so input and output fit.
	Residual bool
	// TimeSkip, if not 0, is the α of a skip connection from each step to the next.
	// Gradients come back along it undiminished (FastRNN with β = 1, Kusupati et al.
	// 2018):
	//
	//	h_t = h_{t-1} + α·g(Wx x_t + Wh h_{t-1} + b_h)
	TimeSkip float32

	// Tied makes Wy the transpose of the matrix that reads ids: the embedding, or else
	// the first layer's Wx (Press & Wolf 2017). The input must be ids, as many as
	// outputs. An embedding must be as wide as what the output layer reads. Without an
	// embedding the cells must be vanilla ones, of one direction.
	Tied bool
	// Cutoffs make the output an adaptive softmax. It suits many outputs whose ids are
	// sorted by falling frequency. Ids below Cutoffs[0] each have a logit at every
	// step. The ids from Cutoffs[i] up to the next cutoff form a cluster, which has one
	// logit. A softmax over the cluster alone then tells its ids apart. See [Tail].
	Cutoffs []int

	// Int8 says that the weights are int8: see [Model.Quantise], which sets it. [New] does
	// not take it.
	Int8 bool `json:",omitempty"`
}

// maxParams is far beyond what today's machines train. It keeps every size in bytes far
// from overflow.
const maxParams int64 = 1 << 32

// maxLayers is more than any known network of this kind has.
const maxLayers = 1024

const (
	// tailShrink is the ratio of the numbers of features of a cluster and the next one.
	tailShrink = 4
	// MaxCutoffs is the maximum number of clusters of an adaptive softmax. More than
	// four do not pay.
	MaxCutoffs = 8
)

// Validate returns an error that says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	if _, err := c.Activation.MarshalText(); err != nil {
		return fmt.Errorf("rnn: %w", err)
	}
	if err := c.validateCell(); err != nil {
		return err
	}
	switch {
	case c.Input < 1:
		return fmt.Errorf("rnn: input size is %d, must be at least 1", c.Input)
	case c.Embedding < 0:
		return fmt.Errorf("rnn: an embedding of width %d, must be at least 1, or 0 for none", c.Embedding)
	case c.Dense && c.Embedding > 0:
		return fmt.Errorf("rnn: an embedding is for ids, and the input is dense: leave Config.Embedding or Config.Dense out")
	case c.Layers < 1 || c.Layers > maxLayers:
		return fmt.Errorf("rnn: %d layers, must be from 1 to %d: set Config.Layers", c.Layers, maxLayers)
	case c.Hidden < 1:
		return fmt.Errorf("rnn: hidden size is %d, must be at least 1", c.Hidden)
	case c.Output < 0:
		return fmt.Errorf("rnn: output size is %d, must be 0 (none) or more", c.Output)
	case c.LastStep && c.Output == 0:
		return fmt.Errorf("rnn: an output after the last step alone needs an output layer: set Config.Output")
	case c.Residual && c.Layers == 1:
		return fmt.Errorf("rnn: residual connections lead from layer to layer, and there is one layer: set Config.Layers, or leave Residual out")
	case !(c.TimeSkip >= 0 && c.TimeSkip <= math.MaxFloat32):
		return fmt.Errorf("rnn: a skip connection through time with α = %v: must be above 0, or 0 for none", c.TimeSkip)
	}
	if err := c.validateOutput(); err != nil {
		return err
	}
	// In floats, because a wild size would overflow an int.
	gates, width := float64(c.gateWidth()), float64(c.directions())*float64(c.stateWidth())
	for _, n := range []float64{
		float64(c.Hidden) * float64(c.Hidden), float64(c.Output), float64(c.Input) * float64(max(c.Embedding, 1)),
		gates * float64(c.reads(0)), gates * float64(c.stateWidth()) * float64(c.Layers), gates * width * float64(c.Layers-1),
	} {
		if n > float64(maxParams) {
			return fmt.Errorf("rnn: %v make more than the %d parameters that are supported", c.sizes(), maxParams)
		}
	}
	if n := int64(c.Params()); n > maxParams {
		return fmt.Errorf("rnn: %v make %d parameters, at most %d are supported", c.sizes(), n, maxParams)
	}
	return nil
}

// sizes names the sizes that decide the number of parameters.
func (c *Config) sizes() string {
	embedding := ""
	if c.embeds() {
		embedding = fmt.Sprintf("an embedding of width %d, ", c.Embedding)
	}
	return fmt.Sprintf("%d inputs, %s%d layers of %d hidden units and %d outputs", c.Input, embedding, c.Layers, c.Hidden, c.Output)
}

// validateCell returns an error for options that the kind of cell does not have.
func (c Config) validateCell() error {
	if _, err := c.Cell.MarshalText(); err != nil {
		return fmt.Errorf("rnn: %w", err)
	}
	switch {
	case c.Cell != Vanilla && c.Activation != 0:
		return fmt.Errorf("rnn: the activations of %s cells are fixed: leave Config.Activation out, or take vanilla cells for %v", c.Cell, c.Activation)
	case c.Cell != Vanilla && c.TimeSkip != 0:
		return fmt.Errorf("rnn: a skip connection through time is for vanilla cells, %s cells keep their state by gates: leave Config.TimeSkip out", c.Cell)
	case c.Cell != Vanilla && c.Tied && c.Embedding == 0:
		return fmt.Errorf("rnn: the input weights of %s cells serve %d gates and can't be the output's: set Config.Embedding to the width that the output reads, or leave Config.Tied out", c.Cell, c.Cell.gates())
	case c.Projection < 0 || c.Projection > 0 && c.Projection >= c.Hidden:
		return fmt.Errorf("rnn: a projection to %d floats, must be from 1 to one less than the %d hidden units, or 0 for none", c.Projection, c.Hidden)
	case c.Projection > 0 && c.Cell != LSTM:
		return fmt.Errorf("rnn: a projection is for LSTM cells, and the network's are %s: leave Config.Projection out", c.Cell)
	}
	return nil
}

// validateOutput returns an error if a tied or adaptive output layer is impossible.
func (c Config) validateOutput() error {
	switch {
	case c.Tied && c.Dense:
		return fmt.Errorf("rnn: a dense input can't be tied to the output: give ids, or leave Tied out")
	case c.Tied && c.Bidirectional && !c.embeds():
		return fmt.Errorf("rnn: a bidirectional network's output reads %d states, and can't be tied to inputs %d wide: leave Tied or Bidirectional out, or set Embedding to %d", c.width(), c.Hidden, c.width())
	case c.Tied && c.embeds() && c.Embedding != c.width():
		return fmt.Errorf("rnn: an embedding of width %d can't be tied to an output that reads %d floats: set Config.Embedding to %d, or leave Config.Tied out", c.Embedding, c.width(), c.width())
	case c.Tied && c.Input != c.Output:
		return fmt.Errorf("rnn: %d inputs can't be tied to %d outputs: give as many of both", c.Input, c.Output)
	case c.Tied && len(c.Cutoffs) > 0:
		return fmt.Errorf("rnn: the output can't be both tied and adaptive, whose rare outputs have fewer features than the inputs: choose one")
	case len(c.Cutoffs) > MaxCutoffs:
		return fmt.Errorf("rnn: %d cutoffs, at most %d are supported", len(c.Cutoffs), MaxCutoffs)
	}
	least := 1
	for i, cut := range c.Cutoffs {
		if cut < least || cut >= c.Output {
			return fmt.Errorf("rnn: cutoff %d is %d, must be from %d to %d: cutoffs rise and leave outputs on both sides",
				i, cut, least, c.Output-1)
		}
		least = cut + 1
	}
	return nil
}

// directions returns D, 1 or 2.
func (c *Config) directions() int {
	if c.Bidirectional {
		return 2
	}
	return 1
}

// stateWidth returns P, the width of a cell's state h: H, or Projection.
func (c *Config) stateWidth() int {
	if c.Projection > 0 {
		return c.Projection
	}
	return c.Hidden
}

// twoBiases says whether cells have the second bias.
func (c *Config) twoBiases() bool { return c.TwoBiases || c.Cell == GRU }

// width returns W = D·P, the output width of a layer at each step.
func (c *Config) width() int { return c.directions() * c.stateWidth() }

// gateWidth returns D·G·H, the width of a layer's start values.
func (c *Config) gateWidth() int { return c.directions() * c.Cell.gates() * c.Hidden }

// cells returns L·D, the number of cells. They are ordered by layer, and within a layer
// the forward direction comes first.
func (c *Config) cells() int { return c.Layers * c.directions() }

// embeds says whether ids become vectors before the first layer.
func (c *Config) embeds() bool { return c.Embedding > 0 }

// dense says whether layer k reads vectors.
func (c *Config) dense(k int) bool { return k > 0 || c.Dense || c.embeds() }

// reads returns the width of layer k's input. For k = L it is that of the output layer.
func (c *Config) reads(k int) int {
	switch {
	case k > 0:
		return c.width()
	case c.embeds():
		return c.Embedding
	}
	return c.Input
}

// place returns the layer and direction of cell i.
func (c *Config) place(i int) (layer, direction int) { return i / c.directions(), i % c.directions() }

// A cluster is a range of outputs of an adaptive softmax, and its number F of features.
type cluster struct {
	kernels.Span
	features int
}

func (c *Config) cluster(i int) cluster {
	s := cluster{kernels.Span{Lo: c.Cutoffs[i], Hi: c.Output}, c.width()}
	if i+1 < len(c.Cutoffs) {
		s.Hi = c.Cutoffs[i+1]
	}
	for range i + 1 {
		s.features = max(s.features/tailShrink, 1)
	}
	return s
}

// head returns the number of classes of the softmax over all rows. That is V, or the
// frequent outputs and one class for each cluster.
func (c *Config) head() int {
	if len(c.Cutoffs) == 0 {
		return c.Output
	}
	return c.Cutoffs[0] + len(c.Cutoffs)
}
