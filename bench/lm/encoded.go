package lm

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

// Encode writes the ids of texts into a folder, see [text.Encoding.Write]. A training of
// the same options whose Corpus is this folder has the bits of one from the texts. o has
// the texts, what a token is, and the kind of model: it decides defaults and what All
// leaves for validation. Of the rest of o nothing counts. known, if not nil, is a model
// whose vocabulary is taken; o.Level is then the model's, and o says nothing of a
// vocabulary.
//
// It calls told as [text.Encoding.Told].
func Encode(ctx context.Context, o TrainOptions, known *Model, folder string, stdin io.Reader, told func(read int64, written float64)) (text.Index, error) {
	if err := o.Validate(); err != nil {
		return text.Index{}, err
	}
	if known != nil {
		o.vocab = known.Vocab
	}
	e := text.Encoding{
		Options: o.textOptions().corpusOptions(), Text: o.Corpus, ValidText: o.part(o.Valid), TestText: o.part(o.Test),
		Seed: o.Seed, Stdin: stdin, Told: told,
	}
	e.Uncut = o.uncut()
	for _, of := range []struct {
		name string
		path *string
		in   text.Input
	}{{"Corpus", nil, e.Text}, {"Valid", o.Valid, e.ValidText}, {"Test", o.Test, e.TestText}} {
		if err := checkPart(of.name, of.path); err != nil {
			return text.Index{}, err
		}
		if err := noIDs(of.name, of.in); err != nil {
			return text.Index{}, err
		}
	}
	x, err := e.Write(ctx, folder)
	if used, ok := errors.AsType[*durable.InUse](err); ok {
		return x, option.Failure("Out", "%q: %w: wait for its end, or name another folder", folder, used)
	}
	if of, ok := errors.AsType[*text.FolderError](err); ok {
		return x, option.Failure("Out", "%q was not written: %w: name a folder that you may write to, where there is room", folder, of.Err)
	}
	if err != nil && ctx.Err() == nil {
		return x, corpusFailure(err)
	}
	return x, err
}

// index returns the index of the corpus in files of ids that Corpus names, "" if it names
// texts.
func (o TrainOptions) index() (string, error) {
	paths := o.Corpus.Paths
	if len(paths) != 1 || paths[0] == text.Stdin {
		return "", nil // readText refuses ids among texts
	}
	return text.IndexAt(paths[0]), nil
}

// mostPlaces is the largest number of training tokens whose places n-grams and sentences
// can keep.
const mostPlaces = math.MaxInt32

// openEncoded opens a corpus in files of ids. It returns an [option.Error] if an option
// contradicts it.
func (o TrainOptions) openEncoded(index string) (*Data, error) {
	s, err := text.OpenEncoded(index)
	if err != nil {
		return nil, option.Failure("Corpus", "%w", err)
	}
	if err := o.checkEncoded(s); err != nil {
		return nil, err
	}
	d := &Data{ids: s, Corpus: s.Corpus, MinCount: s.MinCount, LeftOut: s.LeftOut, FirstLeftOut: s.FirstLeftOut}
	return d, d.spell()
}

// checkTokens reads the ids that this process will read, and returns an [option.Error] if
// they are not as they were written. A rank reads the part of the training split that its
// streams have, and the end of it, which precedes the next split.
func (t *Training) checkTokens() error {
	s := t.data.ids
	if s == nil {
		return nil
	}
	all := s.TrainTokens()
	lo, hi := 0, all
	if t.options.Kind == RNN && s.Corpus.Level != text.Sentence { // sentences are read in any order
		lo, hi = t.network.Reads(all)
	}
	err := s.CheckHeldOut()
	if err == nil {
		err = s.Check(lo, hi)
	}
	if err == nil && hi < all {
		err = s.Check(max(all-rnnlm.MostHistory, 0), all)
	}
	if err != nil {
		return option.Failure("Corpus", "%w", err)
	}
	return nil
}

// checkEncoded returns an [option.Error] if an option contradicts the corpus.
func (o TrainOptions) checkEncoded(s *text.Encoded) error {
	for _, of := range []struct {
		name   string
		agrees bool
		have   string // of the ids
	}{
		{"Level", o.AnyLevel || o.Level == s.Corpus.Level, "of level " + s.Level},
		{"Vocab", o.Vocab == nil || *o.Vocab == s.Vocab || *o.Vocab == s.MaxVocab, "over a vocabulary of " + figures.Count(int64(s.Vocab))},
		{"MinCount", o.MinCount == nil || *o.MinCount == s.MinCount, "of tokens that are there " + figures.Count(int64(s.MinCount)) + " times or more"},
		{"Valid", o.Valid == nil, "with a validation part of their own"},
		{"Test", o.Test == nil, "with a test part of their own"},
		{"All", !o.All || s.Uncut.Test, "with a test part that was cut off"},
		{"All", !o.All || s.Uncut.Valid || o.Kind == RNN, "with a validation part that was cut off"},
	} {
		if !of.agrees {
			return option.Misuse(of.name, "the ids of %v are %s: leave it out, or encode the text again with it", option.Field("Corpus"), of.have)
		}
	}
	tokens := s.TrainTokens()
	switch {
	case o.vocab != nil && (o.Level != s.Corpus.Level || !sameVocab(o.vocab, s.Corpus.Vocab)):
		return option.Misuse("Init", "its vocabulary is not that of the ids of %v: encode the text again with that of the model", option.Field("Corpus"))
	case o.Kind == RNN && s.ValidTokens() == 0:
		return option.Misuse("Corpus", "it has no validation part, which an RNN needs: encode the text again for %v %s", option.Field("Kind"), RNN)
	case tokens > mostPlaces && (o.Kind == Ngram || s.Corpus.Level == text.Sentence):
		return option.Failure("Corpus", "it has %s tokens to train on, and n-grams and sentences take at most %s: encode a part of the text",
			figures.Count(int64(tokens)), figures.Count(mostPlaces))
	}
	return nil
}

// sameVocab reports whether two vocabularies give every token the same id.
func sameVocab(a, b *text.Vocab) bool { return slices.Equal(a.Append(nil), b.Append(nil)) }
