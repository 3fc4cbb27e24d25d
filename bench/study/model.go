package study

import (
	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/measure"
)

// The two kinds of [Model].
const (
	KindNgram = lm.Ngram
	KindRNN   = lm.RNN
)

// A LevelResult is the comparison at one level, without the mixture. Its JSON form is
// stable: fields may be added, not renamed. A figure that does not apply to a model, or
// could not be measured, is 0. Where 0 may also be a result, a further field tells the
// difference.
type LevelResult struct {
	Format   int             `json:"format"` // Format
	Machine  measure.Machine `json:"machine"`
	Corpus   lm.Corpus       `json:"corpus"`
	Settings Settings        `json:"settings"`
	Models   []Model         `json:"models"`
	// Summary describes Models in one sentence.
	Summary string `json:"summary"`
	// Notes are facts that a reader needs to judge the figures, a sentence each.
	Notes []string `json:"notes"`
	// Interrupted is true if the run was stopped before every model was measured.
	Interrupted bool `json:"interrupted"`
}

// Settings are the options of a run, so that it can be repeated.
type Settings struct {
	Seed          uint64  `json:"seed"`
	BudgetSeconds float64 `json:"budget_seconds"` // training time of each RNN
}

// Model is one row of the comparison. An n-gram model has a row for each store. An RNN has
// one for its weights in float32 and one for them in int8.
type Model struct {
	Kind       string `json:"kind"`       // KindNgram or KindRNN
	Order      int    `json:"order"`      // n-gram: tokens in the longest n-gram
	Hidden     int    `json:"hidden"`     // RNN: width of the hidden layer
	Cell       string `json:"cell"`       // RNN: name of its rnn.CellKind; "" in old files means "rnn"
	Embedding  int    `json:"embedding"`  // RNN: width of the embedding; 0 without one
	Smoothing  string `json:"smoothing"`  // n-gram: how counts become probabilities
	Store      string `json:"store"`      // how the model lies in memory
	Entries    int64  `json:"entries"`    // n-gram: stored n-grams of all orders
	Parameters int64  `json:"parameters"` // RNN: weights and biases
	Softmax    string `json:"softmax"`    // RNN: "full" or "adaptive", see rnnlm.SoftmaxOf
	// RNN: how it was trained, see rnnlm.Options.
	Dropout float64 `json:"dropout"`
	Halve   bool    `json:"halve"`

	BytesPredicted int64 `json:"bytes_predicted"` // by the model's size function
	BytesResident  int64 `json:"bytes_resident"`  // growth of a fresh process; 0 if unknown or too small to see

	// TrainSeconds is the wall-clock time of the training, for an RNN with the
	// validations. TrainTokensPerSecond is over the training steps alone, so
	// validations don't affect it.
	TrainSeconds         float64 `json:"train_seconds"`
	TrainTokens          int64   `json:"train_tokens"` // tokens trained on, repeats counted
	TrainTokensPerSecond float64 `json:"train_tokens_per_second"`
	// FullTrainTokensPerSecond is the training speed of an RNN of the same width with a
	// full softmax, over a few seconds. It is 0 if the model itself has a full softmax,
	// or if it was not measured.
	FullTrainTokensPerSecond float64 `json:"full_train_tokens_per_second"`

	// ScoreTokensPerSecond is the median over ScoreRuns runs over the test split.
	// ScoreSpread is (slowest - fastest) / median of their times.
	ScoreTokensPerSecond float64 `json:"score_tokens_per_second"`
	ScoreRuns            int     `json:"score_runs"`
	ScoreSpread          float64 `json:"score_spread"`
	ScoreStreams         int     `json:"score_streams"` // parallel streams of the text

	BitsPerToken float64 `json:"bits_per_token"`          // on the test split
	AdjustedBits float64 `json:"adjusted_bits_per_token"` // the same with every <unk> spelled

	// Interrupted is true for an RNN whose training was stopped early.
	Interrupted bool `json:"interrupted"`

	// FixedDiscounts is true for an n-gram model in which the counts of some order give
	// no discounts. That order then has fixed ones.
	FixedDiscounts bool `json:"fixed_discounts"`

	// Unscored and ResidentUnknown are true if BitsPerToken or BytesResident is 0
	// because it could not be measured.
	Unscored        bool `json:"unscored"`
	ResidentUnknown bool `json:"resident_unknown"`
}

// Name returns the model's name in a table: "5-gram", "RNN 256" or "GRU 128 int8". A note
// tells of embeddings.
func (m Model) Name() string {
	return lm.Config{Kind: m.Kind, Order: m.Order, Cell: m.Cell, Hidden: m.Hidden, Int8: m.Store == Int8Store}.Name()
}

// FullName returns Name with the store of an n-gram model.
func (m Model) FullName() string {
	if m.Kind == KindRNN {
		return m.Name()
	}
	return m.Name() + " in a " + storeNoun(m.Store)
}

// storeNoun returns the name of a store in a sentence.
func storeNoun(store string) string {
	if store == ngram.Hash.String() {
		return "hash table"
	}
	return store
}

// OneStore returns the RNNs in both stores, and every n-gram model once, in a trie, the
// smallest lossless store. If no trie was measured, it takes the store of the first row.
func (r LevelResult) OneStore() []Model {
	store := r.store()
	var models []Model
	for _, m := range r.Models {
		if m.Kind == KindRNN || m.Store == store {
			models = append(models, m)
		}
	}
	return models
}

// store returns the store of [LevelResult.OneStore], "" without n-gram models.
func (r LevelResult) store() (store string) {
	for _, m := range r.Models {
		if m.Kind == KindNgram && (store == "" || m.Store == ngram.Trie.String()) {
			store = m.Store
		}
	}
	return store
}
