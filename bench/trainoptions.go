package bench

import (
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

// TrainOptions say what model to train on what. Errors speak of them by the names
// of rnnbench's flags. What is nil takes its default, and may not be set for a
// model of the other kind.
type TrainOptions struct {
	Corpus   string // as in [Options]
	Kind     string // lm.RNN or lm.Ngram
	Level    text.Level
	Vocab    *int           // as in [Options]
	MinCount *int           // as in [Options]
	Order    *int           // of an n-gram model: DefaultOrder
	Hidden   *int           // width of an RNN: DefaultHidden
	Budget   *time.Duration // training time of an RNN: DefaultBudget
	Epochs   *float64       // in its place, how often an RNN reads its training text
	Threads  int
	Seed     uint64

	// Of an RNN, see rnnlm.Options.
	Layers      *int // 1
	Tied        bool
	FullSoftmax bool // even where an adaptive one is the default
	Dropout     *float64
	Halve       *bool
	Patience    *int
	Checkpoint  *string
	Every       *time.Duration // between checkpoints
}

// maxLayers is more than a vanilla network of this kind learns with.
const maxLayers = 64

// maxEpochs is more than any training makes.
const maxEpochs = 1e6

// Defaults of [TrainOptions].
const (
	DefaultOrder  = 5
	DefaultHidden = 256
	DefaultBudget = time.Minute
)

// full checks o and returns it as [Options], with defaults.
func (o TrainOptions) full() (Options, error) {
	full := Options{
		Corpus: o.Corpus, Level: o.Level, Vocab: o.Vocab, MinCount: o.MinCount,
		MaxOrder: DefaultOrder, Hidden: []int{DefaultHidden}, Budget: DefaultBudget,
		Threads: o.Threads, Seed: o.Seed,
	}
	ngrams := o.Kind == lm.Ngram
	switch {
	case !ngrams && o.Kind != lm.RNN:
		return full, misuse("--kind", "%q is no kind of model: give %s or %s", o.Kind, lm.RNN, lm.Ngram)
	case ngrams && o.Hidden != nil:
		return full, misuse("--hidden", "an n-gram model has no width: leave it out, or give --kind rnn")
	case ngrams && o.Budget != nil:
		return full, misuse("--budget", "an n-gram model is trained in one pass, which takes as long as it takes: leave it out, or give --kind rnn")
	case ngrams && o.Layers != nil:
		return full, misuse("--layers", "an n-gram model has no layers: leave it out, or give --kind rnn")
	case o.Layers != nil && (*o.Layers < 1 || *o.Layers > maxLayers):
		return full, misuse("--layers", "%d layers can't be trained: give 1 to %d", *o.Layers, maxLayers)
	case ngrams && o.Tied:
		return full, misuse("--tied", "an n-gram model has no weights: leave it out, or give --kind rnn")
	case ngrams && o.FullSoftmax:
		return full, misuse("--full-softmax", "an n-gram model has no softmax: leave it out, or give --kind rnn")
	case ngrams && o.Dropout != nil:
		return full, misuse("--dropout", "an n-gram model has no states: leave it out, or give --kind rnn")
	case ngrams && o.Halve != nil:
		return full, misuse("--halve", "an n-gram model has no learning rate: leave it out, or give --kind rnn")
	case ngrams && o.Patience != nil:
		return full, misuse("--patience", "an n-gram model is trained in one pass: leave it out, or give --kind rnn")
	case ngrams && o.Epochs != nil:
		return full, misuse("--epochs", "an n-gram model is trained in one pass: leave it out, or give --kind rnn")
	case ngrams && o.Checkpoint != nil:
		return full, misuse("--checkpoint", "an n-gram model is trained in one pass, which nothing goes on from: leave it out, or give --kind rnn")
	case o.Epochs != nil && o.Budget != nil:
		return full, misuse("--epochs", "there is a --budget of time too: give one of them")
	case o.Epochs != nil && !(*o.Epochs > 0 && *o.Epochs <= maxEpochs):
		return full, misuse("--epochs", "%v times through the text can't be trained: give more than 0 and at most %.0f, such as 20 or 0.5", *o.Epochs, maxEpochs)
	case o.Every != nil && o.Checkpoint == nil:
		return full, misuse("--every", "there is no checkpoint to write: give --checkpoint FILE, or leave it out")
	case o.Every != nil && *o.Every <= 0:
		return full, misuse("--every", "%v is no time between checkpoints: give one such as 30s or 5m", *o.Every)
	case o.Dropout != nil && !(*o.Dropout >= 0 && *o.Dropout < 1):
		return full, misuse("--dropout", "%v is no share of the states: give 0 or more and less than 1, such as 0.3", *o.Dropout)
	case o.Patience != nil && *o.Patience < 1:
		return full, misuse("--patience", "%d validations are no time to wait: give 1 or more, or leave it out to train for all of the budget", *o.Patience)
	case !ngrams && o.Order != nil:
		return full, misuse("--order", "an RNN has no order: leave it out, or give --kind ngram")
	case o.Order != nil && (*o.Order < 1 || *o.Order > ngram.MaxOrder):
		return full, misuse("--order", "%d is no order that can be trained: give 1 to %d", *o.Order, ngram.MaxOrder)
	}
	if o.Order != nil {
		full.MaxOrder = *o.Order
	}
	if o.Hidden != nil {
		full.Hidden = []int{*o.Hidden}
	}
	if o.Budget != nil {
		full.Budget = *o.Budget
	}
	full.fullSoftmax = o.FullSoftmax
	full.network.Tied, full.dropout, full.halve = o.Tied, o.Dropout, o.Halve
	if o.Layers != nil {
		full.network.Layers = *o.Layers
	}
	if o.Patience != nil {
		full.network.Patience = *o.Patience
	}
	if o.Checkpoint != nil {
		full.network.Checkpoint = *o.Checkpoint
	}
	if o.Every != nil {
		full.network.Every = *o.Every
	}
	if err := full.Validate(); err != nil {
		return full, err
	}
	if ngrams {
		full.Hidden = nil // whose memory is not asked for
	}
	return full, nil
}

// Validate returns an [OptionError] for the first option that makes no sense,
// as far as that can be told without the corpus.
func (o TrainOptions) Validate() error {
	_, err := o.full()
	return err
}
