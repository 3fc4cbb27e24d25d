package study

import (
	"fmt"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/measure"
)

// The two kinds of [Model].
const (
	KindNgram = lm.Ngram
	KindRNN   = lm.RNN
)

// A LevelResult is the comparison at one level, without the mixture. Its JSON form is stable: fields may be added, not
// renamed. A figure that does not apply to a model, or could not be measured,
// is 0; where 0 may be a figure too, a field says which it is.
type LevelResult struct {
	Machine  measure.Machine `json:"machine"`
	Corpus   lm.Corpus       `json:"corpus"`
	Settings Settings        `json:"settings"`
	Models   []Model         `json:"models"`
	// Summary says in one sentence what Models shows.
	Summary string `json:"summary"`
	// Notes are what a reader must know to judge the figures, a sentence each.
	Notes []string `json:"notes"`
	// Interrupted is true if the run was stopped before every model was measured.
	Interrupted bool `json:"interrupted"`
}

// Settings are what a run was asked for, so that it can be repeated.
type Settings struct {
	Seed          uint64  `json:"seed"`
	BudgetSeconds float64 `json:"budget_seconds"` // training time of each RNN
}

// Model is one row of the comparison. An n-gram model has a row for each store.
type Model struct {
	Kind       string `json:"kind"`       // KindNgram or KindRNN
	Order      int    `json:"order"`      // n-gram: tokens in the longest n-gram
	Hidden     int    `json:"hidden"`     // RNN: width of the hidden layer
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

	// TrainSeconds is the time that the training took on the wall's clock, for an
	// RNN with the validations. TrainTokensPerSecond is over the time in training
	// steps, so that it doesn't go with how often there was a validation.
	TrainSeconds         float64 `json:"train_seconds"`
	TrainTokens          int64   `json:"train_tokens"` // tokens trained on, repeats counted
	TrainTokensPerSecond float64 `json:"train_tokens_per_second"`
	// FullTrainTokensPerSecond is what an RNN of the same width reached with a full
	// softmax, in a few seconds of training; 0 if the model itself has one, and
	// where it was not measured.
	FullTrainTokensPerSecond float64 `json:"full_train_tokens_per_second"`

	// ScoreTokensPerSecond is the median over ScoreRuns runs over the test
	// split; ScoreSpread is (slowest - fastest) / median of their times.
	ScoreTokensPerSecond float64 `json:"score_tokens_per_second"`
	ScoreRuns            int     `json:"score_runs"`
	ScoreSpread          float64 `json:"score_spread"`
	ScoreStreams         int     `json:"score_streams"` // places in the text scored at once

	BitsPerToken float64 `json:"bits_per_token"`          // on the test split
	AdjustedBits float64 `json:"adjusted_bits_per_token"` // the same with every <unk> spelled

	// Interrupted is true for an RNN whose training was stopped early.
	Interrupted bool `json:"interrupted"`

	// FixedDiscounts is true for an n-gram model where the counts of some order
	// give no discounts, so that it has fixed ones.
	FixedDiscounts bool `json:"fixed_discounts"`

	// Unscored and ResidentUnknown are true where BitsPerToken and BytesResident
	// are 0 because they could not be measured.
	Unscored        bool `json:"unscored"`
	ResidentUnknown bool `json:"resident_unknown"`
}

// Name is what to call the model in a table: "5-gram" or "RNN 256".
func (m Model) Name() string {
	if m.Kind == KindRNN {
		return fmt.Sprintf("RNN %d", m.Hidden)
	}
	return fmt.Sprintf("%d-gram", m.Order)
}

// FullName is Name with the store, where there are several.
func (m Model) FullName() string {
	if m.Kind == KindRNN {
		return m.Name()
	}
	return m.Name() + " in a " + storeNoun(m.Store)
}

// storeNoun is what to call a store in a sentence.
func storeNoun(store string) string {
	if store == ngram.Hash.String() {
		return "hash table"
	}
	return store
}

// OneStore returns the models with every n-gram model once: in a trie, the
// smallest store that loses nothing. Where nothing is known of tries, it is the
// store of the first row.
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

// store is that of [LevelResult.OneStore], "" without n-gram models.
func (r LevelResult) store() (store string) {
	for _, m := range r.Models {
		if m.Kind == KindNgram && (store == "" || m.Store == ngram.Trie.String()) {
			store = m.Store
		}
	}
	return store
}
