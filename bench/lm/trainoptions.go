package lm

import (
	"math"
	"time"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/engine"
	"batchrnn/internal/option"
	"batchrnn/rnn"
	"batchrnn/rnn/parallel"
)

// TrainOptions say what model to train on what. What is nil takes its default, and
// may not be set for a model of the other kind.
type TrainOptions struct {
	TextOptions
	// Valid and Test are the texts of these splits, with the values of Corpus. With
	// either of them, or with All, the corpus is all for training. An RNN needs a
	// validation split for its schedule. Without Valid it takes the last twentieth of the
	// corpus. An n-gram model goes without.
	Valid, Test *string
	All         bool
	Kind        string       // RNN or Ngram
	Order       *int         // of an n-gram model: DefaultOrder
	Store       *ngram.Store // of an n-gram model: ngram.Trie
	// Memory is how many bytes the estimate of an n-gram model may take, the tokens of the
	// text included. What doesn't fit goes to temporary files in Folder, "" for that of the
	// system. Nil takes all memory that is free, and no files. The vocabulary doesn't
	// count, nor does the model.
	Memory  *int64
	Folder  string
	Hidden  *int           // width of an RNN: DefaultHidden
	Budget  *time.Duration // training time of an RNN: DefaultBudget
	Epochs  *float64       // in its place, how often an RNN reads its training text
	Threads int
	// Init names the file of an RNN to go on from. It decides the vocabulary and the
	// network. What is set of these must be as in the model. The optimizer begins anew.
	Init *string
	// AnyLevel says that Level was not given, and is that of the model of Init.
	AnyLevel bool

	// Of an RNN, see rnnlm.Options.
	Cell        *rnn.CellKind // rnn.Vanilla
	Layers      *int          // 1
	Embedding   *int          // width of an embedding, 0 for none; [NetworkOptions] has the default
	Tied        bool
	FullSoftmax bool // even where an adaptive one is the default
	Dropout     *float64
	Halve       *bool
	Rate        *float64 // peak learning rate
	Batch       *int     // streams
	Steps       *int     // tokens between truncations
	Clip        *float64 // largest norm of a gradient, 0 for no clipping
	Optimizer   *string  // one of rnnlm.Optimizers
	Patience    *int
	Checkpoint  *string
	Every       *time.Duration // between checkpoints
	Shards      *int           // of the batch; 1

	// Reducer joins this process to the other ranks of the training of an RNN; nil means
	// that it trains alone. All ranks make the same calls. Rank 0 alone writes the
	// checkpoint and scores the test split.
	Reducer parallel.Reducer
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

// Validate returns an [option.Error] for the first option that makes no sense,
// as far as that can be told without the corpus.
func (o TrainOptions) Validate() error {
	ngrams := o.Kind == Ngram
	if !ngrams && o.Kind != RNN {
		return option.Misuse("Kind", "%q is no kind of model: give %s or %s", o.Kind, RNN, Ngram)
	}
	for _, of := range []struct { // an RNN alone
		name  string
		given bool
		lacks string
	}{
		{"Hidden", o.Hidden != nil, "has no width"},
		{"Budget", o.Budget != nil, "is trained in one pass, which takes as long as it takes"},
		{"Cell", o.Cell != nil, "has no cells"},
		{"Layers", o.Layers != nil, "has no layers"},
		{"Embedding", o.Embedding != nil, "has no embedding"},
		{"Tied", o.Tied, "has no weights"},
		{"FullSoftmax", o.FullSoftmax, "has no softmax"},
		{"Dropout", o.Dropout != nil, "has no states"},
		{"Halve", o.Halve != nil, "has no learning rate"},
		{"Rate", o.Rate != nil, "has no learning rate"},
		{"Batch", o.Batch != nil, "is trained in one pass"},
		{"Steps", o.Steps != nil, "is trained in one pass"},
		{"Clip", o.Clip != nil, "has no gradient"},
		{"Optimizer", o.Optimizer != nil, "has no optimizer"},
		{"Init", o.Init != nil, "is counted, and can't go on from another"},
		{"Patience", o.Patience != nil, "is trained in one pass"},
		{"Epochs", o.Epochs != nil, "is trained in one pass"},
		{"Checkpoint", o.Checkpoint != nil, "is trained in one pass, which nothing goes on from"},
		{"Shards", o.Shards != nil, "is trained in one pass"},
	} {
		if ngrams && of.given {
			return option.Misuse(of.name, "an n-gram model %s: leave it out, or give %v %s", of.lacks, option.Field("Kind"), RNN)
		}
	}
	if err := o.validateRanks(); err != nil {
		return err
	}
	if err := CheckCell(o.cell()); err != nil {
		return err
	}
	if err := o.validateSteps(); err != nil {
		return err
	}
	switch {
	case o.embedding() < 0 || o.embedding() > maxHidden:
		return option.Misuse("Embedding", "%d is no width of an embedding: give 1 to %d, or 0 for none", o.embedding(), maxHidden)
	case o.Init == nil && o.Tied && o.cell() != rnn.Vanilla && o.embedding() == 0:
		return option.Misuse("Tied", "the input weights of %v cells serve several gates and can't be the output's: give %v %d too, or leave it out", o.cell(), option.Field("Embedding"), o.width())
	case o.Init == nil && o.Tied && o.embedding() > 0 && o.embedding() != o.width():
		return option.Misuse("Embedding", "an embedding of width %d can't be tied to an output that reads %d states: give %d, or leave %v out", o.embedding(), o.width(), o.width(), option.Field("Tied"))
	case o.Layers != nil && (*o.Layers < 1 || *o.Layers > maxLayers):
		return option.Misuse("Layers", "%d layers can't be trained: give 1 to %d", *o.Layers, maxLayers)
	case o.Epochs != nil && o.Budget != nil:
		return option.Misuse("Epochs", "%v is given too: give one of them", option.Field("Budget"))
	case o.Epochs != nil && !(*o.Epochs > 0 && *o.Epochs <= maxEpochs):
		return option.Misuse("Epochs", "%v times through the text can't be trained: give more than 0 and at most %.0f, such as 20 or 0.5", *o.Epochs, maxEpochs)
	case o.Every != nil && o.Checkpoint == nil:
		return option.Misuse("Every", "there is no checkpoint to write: give %v too, or leave it out", option.Field("Checkpoint"))
	case o.Every != nil && *o.Every <= 0:
		return option.Misuse("Every", "%v is no time between checkpoints: give one such as 30s or 5m", *o.Every)
	case o.Dropout != nil && !(*o.Dropout >= 0 && *o.Dropout < 1):
		return option.Misuse("Dropout", "%v is no share of the states: give 0 or more and less than 1, such as 0.3", *o.Dropout)
	case o.Patience != nil && *o.Patience < 1:
		return option.Misuse("Patience", "%d validations are no time to wait: give 1 or more, or leave it out to train for all of %v", *o.Patience, option.Field("Budget"))
	case !ngrams && o.Order != nil:
		return option.Misuse("Order", "an RNN has no order: leave it out, or give %v %s", option.Field("Kind"), Ngram)
	case !ngrams && o.Memory != nil:
		return option.Misuse("Memory", "only the estimate of an n-gram model is kept within a memory: leave it out, or give %v %s", option.Field("Kind"), Ngram)
	case o.Memory != nil && *o.Memory < 1:
		return option.Misuse("Memory", "%d bytes are no memory: give one such as 64M or 2G", *o.Memory)
	case o.Memory != nil && o.store() != ngram.Trie && o.store() != ngram.Quantised:
		return option.Misuse("Store", "a model in a %v is made in one piece, not within %v: give %v or quantised, or leave %v out", o.store(), option.Field("Memory"), ngram.Trie, option.Field("Memory"))
	case !ngrams && o.Store != nil:
		return option.Misuse("Store", "an RNN has no store: leave it out, or give %v %s", option.Field("Kind"), Ngram)
	case o.Order != nil && (*o.Order < 1 || *o.Order > ngram.MaxOrder):
		return option.Misuse("Order", "%d is no order that can be trained: give 1 to %d", *o.Order, ngram.MaxOrder)
	}
	if err := o.checkParts(); err != nil {
		return err
	}
	if err := o.TextOptions.Validate(); err != nil {
		return err
	}
	if err := CheckWidth(o.width()); err != nil {
		return err
	}
	if err := CheckBudget(o.budget()); err != nil {
		return err
	}
	return engine.CheckThreads(o.Threads)
}

// Limits of what options may ask for: more is a slip of the finger.
const (
	maxHidden = 1 << 16
	maxBudget = 30 * 24 * time.Hour
)

// CheckWidth returns an [option.Error] for a width that no RNN should have.
func CheckWidth(hidden int) error {
	if hidden < 1 || hidden > maxHidden {
		return option.Misuse("Hidden", "%d is no width that can be trained: give 1 to %d", hidden, maxHidden)
	}
	return nil
}

// CheckCell returns an [option.Error] for an unknown kind of cell.
func CheckCell(cell rnn.CellKind) error {
	if _, err := cell.MarshalText(); err != nil {
		return option.Misuse("Cell", "%w", err)
	}
	return nil
}

// CheckBudget returns an [option.Error] for a time that no RNN should train for.
func CheckBudget(budget time.Duration) error {
	switch {
	case budget <= 0:
		return option.Misuse("Budget", "%v leaves no time to train: give a duration such as 20s or 3m", budget)
	case budget > maxBudget:
		return option.Misuse("Budget", "%v is more than %v: give a duration such as 20s or 3m", budget, maxBudget)
	}
	return nil
}

// value returns what p points to, or what stands for nil.
func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func (o TrainOptions) cell() rnn.CellKind    { return value(o.Cell, rnn.Vanilla) }
func (o TrainOptions) order() int            { return value(o.Order, DefaultOrder) }
func (o TrainOptions) store() ngram.Store    { return value(o.Store, fileStore) }
func (o TrainOptions) width() int            { return value(o.Hidden, DefaultHidden) }
func (o TrainOptions) shards() int           { return value(o.Shards, 1) }
func (o TrainOptions) embedding() int        { return value(o.Embedding, 0) }
func (o TrainOptions) budget() time.Duration { return value(o.Budget, DefaultBudget) }

// network says how an RNN is trained on c. It goes on from init, where that is not nil.
func (o TrainOptions) network(c *text.Corpus, init *Model) rnnlm.Options {
	n := NetworkOptions(c, o.cell(), o.width())
	n.Budget, n.Seed, n.Tied = o.budget(), o.Seed, o.Tied
	n.Embedding = value(o.Embedding, n.Embedding)
	n.Layers, n.Patience, n.Every = value(o.Layers, 0), value(o.Patience, 0), value(o.Every, 0)
	n.Dropout, n.Halve = value(o.Dropout, n.Dropout), value(o.Halve, n.Halve)
	n.Rate, n.Streams, n.Steps, n.Optimizer = value(o.Rate, 0), value(o.Batch, 0), value(o.Steps, 0), value(o.Optimizer, "")
	if n.Clip = value(o.Clip, 0); o.Clip != nil && *o.Clip == 0 {
		n.Clip = rnnlm.NoClip
	}
	n.Checkpoint = value(o.Checkpoint, "")
	n.Shards, n.Reducer = o.shards(), o.Reducer
	if o.Tied || o.FullSoftmax {
		n.Cutoffs = nil
	}
	if init != nil {
		n = n.Of(init.rnn)
	}
	if o.Epochs != nil {
		n.Budget, n.Tokens = 0, int64(math.Ceil(*o.Epochs*float64(len(c.Train))))
	}
	return n
}
