package lm

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/internal/option"
	"batchrnn/kernels"
)

// Limits of the options of a training step: more is a slip of the finger.
const (
	maxRate  = 1000
	maxBatch = 1 << 16
	maxSteps = 1 << 16
)

// validateSteps returns an [option.Error] for the first invalid option of a training
// step.
func (o TrainOptions) validateSteps() error {
	optimizer := value(o.Optimizer, rnnlm.Adam)
	switch {
	case !slices.Contains(rnnlm.Optimizers, optimizer):
		return option.Misuse("Optimizer", "%q is no optimizer: give one of %s", optimizer, strings.Join(rnnlm.Optimizers, ", "))
	case o.Rate == nil && !rnnlm.HasRate(optimizer):
		return option.Misuse("Rate", "%s has no learning rate of its own: give one, such as 0.1", optimizer)
	case o.Rate != nil && !(float32(*o.Rate) > 0 && *o.Rate <= maxRate):
		return option.Misuse("Rate", "%v is no learning rate: give more than 0 and at most %d, such as 0.004", *o.Rate, maxRate)
	case o.Batch != nil && (*o.Batch < 1 || *o.Batch > maxBatch):
		return option.Misuse("Batch", "%d places of a text can't be read at once: give 1 to %d, such as 32", *o.Batch, maxBatch)
	case o.Steps != nil && (*o.Steps < 1 || *o.Steps > maxSteps):
		return option.Misuse("Steps", "gradients can't go back %d steps: give 1 to %d, such as 50", *o.Steps, maxSteps)
	case o.Clip != nil && *o.Clip != 0 && !(float32(*o.Clip) > 0 && *o.Clip <= math.MaxFloat32):
		return option.Misuse("Clip", "%v is no norm to clip gradients to: give one above 0, such as 1, or 0 for no clipping", *o.Clip)
	}
	return nil
}

// maxFloats is the size of a buffer from which package rnn refuses a pass.
const maxFloats = 1 << 36

// checkSteps returns an [option.Error] if the sizes of a training step are too large for
// the memory, or for any machine. It is nil where the defaults would be too large too.
func (d *Data) checkSteps(e *kernels.Engine, o rnnlm.Options) error {
	if o.Streams == 0 && o.Steps == 0 {
		return nil
	}
	const usual = 64                                      // at least the default of both
	widest := max(d.Vocab.Len(), 8*o.Hidden, o.Embedding) // of a row in any buffer
	if tokens := int64(cmp.Or(o.Streams, usual)) * int64(cmp.Or(o.Steps, usual)); tokens >= maxFloats/int64(widest) {
		return option.Misuse("Batch and Steps", "%s can't read %d tokens of a vocabulary of %d in one step: give smaller ones", networkName(o), tokens, d.Vocab.Len())
	}
	small := o
	small.Streams, small.Steps = 0, 0
	need, free := rnnlm.TrainBytes(e, d.Vocab.Len(), o), memory.Free()
	if need > free && rnnlm.TrainBytes(e, d.Vocab.Len(), small) <= free {
		return option.Misuse("Batch and Steps", "%s takes %s to train in so large steps, and %s are free: give smaller ones",
			networkName(o), figures.Bytes(need), figures.Bytes(free))
	}
	return nil
}
