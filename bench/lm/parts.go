package lm

import (
	"errors"
	"io"
	"math"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
)

// checkParts returns an [option.Error] if two texts are standard input.
func (o TrainOptions) checkParts() error {
	reader := ""
	for _, of := range []struct {
		name string
		path *string
	}{{"Corpus", &o.Corpus}, {"Valid", o.Valid}, {"Test", o.Test}} {
		if of.path == nil || *of.path != Stdin {
			continue
		}
		if reader != "" {
			return option.Misuse(of.name, "standard input is read already, for %v: name a file", option.Field(reader))
		}
		reader = of.name
	}
	return nil
}

// readParts reads the texts of validation and test.
func (o TrainOptions) readParts(stdin io.Reader) (parts Parts, err error) {
	if parts.Valid, err = readPart("Valid", o.Valid, stdin); err != nil {
		return parts, err
	}
	if parts.Test, err = readPart("Test", o.Test, stdin); err != nil {
		return parts, err
	}
	all := o.All || o.Valid != nil || o.Test != nil
	parts.Uncut = text.Uncut{Valid: all && (o.Kind == Ngram || o.Valid != nil), Test: all}
	return parts, nil
}

// readPart reads the text of an option, if it is given.
func readPart(name string, path *string, stdin io.Reader) (*text.Text, error) {
	if path == nil {
		return nil, nil
	}
	if *path == "" { // which would be the default text
		return nil, option.Misuse(name, "the name is empty: give one, or leave it out")
	}
	t, err := ReadText(*path, 0, stdin)
	if e, ok := errors.AsType[*option.Error](err); ok {
		return nil, option.Failure(name, "%w", e.Err)
	}
	return t, err
}

// textOptions returns those of the training text. An n-gram model of sentences has all
// words unless something else is asked for, as those of lmplz have. It gives <unk> a
// share without having met it. An RNN has to meet it.
func (o TrainOptions) textOptions() TextOptions {
	t := o.TextOptions
	if o.Kind == Ngram && o.Level == text.Sentence {
		all, once := math.MaxInt, 1
		if t.Vocab == nil {
			t.Vocab = &all
		}
		if t.MinCount == nil {
			t.MinCount = &once
		}
	}
	return t
}
