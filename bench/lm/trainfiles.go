package lm

import (
	"io"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/internal/durable"
	"batchrnn/internal/option"
)

// lockCheckpoint locks the checkpoint, if there is one.
func (t *Training) lockCheckpoint() (err error) {
	path := value(t.options.Checkpoint, "")
	if path == "" || !t.options.first() {
		return nil
	}
	if t.lock, err = durable.NewLock(path); err != nil {
		return option.Failure("Checkpoint", "%q: %w: wait for its end, or name another file", path, err)
	}
	return nil
}

// FileBytes returns about how many bytes the files of the training take: the model, and
// one checkpoint, 0 without. They are 0 for n-grams, whose number only the training
// tells.
func (t *Training) FileBytes() (model, checkpoint int64) {
	if t.options.Kind == Ngram {
		return 0, 0
	}
	model, checkpoint = t.data.FileBytes(t.network)
	if t.network.Checkpoint == "" {
		checkpoint = 0
	}
	return model, checkpoint
}

// FileBytes returns about how many bytes the file of an RNN takes, and a checkpoint of its
// training.
func (d *Data) FileBytes(o rnnlm.Options) (model, checkpoint int64) {
	model, checkpoint = rnnlm.FileBytes(d.Vocab.Len(), o)
	if d.Speller.HasWords() {
		spelling, _ := d.Speller.WriteTo(io.Discard) // which doesn't fail
		model += spelling
	}
	around := int64(len(d.Vocab.Append(nil))) + maxConfig
	return model + around, checkpoint + around
}
