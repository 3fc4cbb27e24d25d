package lm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
)

// A Mixture says what is mixed with a model, token by token:
//
//	p(w|h) = Lambda·p_model(w|h) + (1-Lambda)·p_Ngram(w|h)
//
// The vocabularies may differ. A token that is <unk> to one of the two has the probability
// of <unk> there. That flatters it: <unk> stands for all words that are not known. With
// Spell it is that of <unk> and the spelling, see package spell. A model without a speller,
// such as one of an ARPA file, keeps that of <unk>.
type Mixture struct {
	Ngram  *Model  // nil for the model alone
	Lambda float64 // from 0 to 1
	Spell  bool    // the model must have a speller
}

// A Hypothesis is what a text costs.
type Hypothesis struct {
	LogProb     float64 // ln p
	Tokens, Unk int     // Unk of them are not in the vocabulary of the model
}

// A Rescorer scores lists of hypotheses, such as the n best of a speech recogniser. Those
// of a list share their prefixes and their passes, see [rnnlm.PrefixScorer]. A hypothesis
// has the same bits alone and in any list, and without an n-gram model those of
// [ScoreLines]. One goroutine at a time may use a Rescorer.
type Rescorer struct {
	mixture Mixture
	model   listScorer
	other   listScorer // of mixture.Ngram
	all     []Hypothesis
}

// NewRescorer returns a Rescorer of m and what is mixed with it. It returns an
// [option.Error] if they don't go together.
func NewRescorer(m *Model, mixture Mixture) (*Rescorer, error) {
	switch other := mixture.Ngram; {
	case mixture.Spell && m.Speller == nil:
		return nil, option.Misuse("Spell", "the model has no spelling of words, as training on words gives it: leave it out")
	case other == nil:
		return &Rescorer{mixture: mixture, model: newListScorer(m, mixture.Spell)}, nil
	case other.ngram == nil:
		return nil, option.Misuse("Ngram", "it is an RNN: give an n-gram model")
	case other.level != m.level:
		return nil, option.Misuse("Ngram", "it is a model of %s, and the other one of %s: give two of the same", tokensOf(other.level), tokensOf(m.level))
	}
	if err := CheckLambda(mixture.Lambda); err != nil {
		return nil, err
	}
	return &Rescorer{mixture: mixture, model: newListScorer(m, mixture.Spell), other: newListScorer(mixture.Ngram, mixture.Spell)}, nil
}

// CheckLambda returns an [option.Error] if lambda is no share of a mixture.
func CheckLambda(lambda float64) error {
	if !(lambda >= 0 && lambda <= 1) { // NaN too
		return option.Misuse("Lambda", "%v is no share of the model in the mixture: give 0 to 1, such as 0.5", lambda)
	}
	return nil
}

// tokensOf says what a model of a level is one of.
func tokensOf(l text.Level) string {
	switch l {
	case text.Char:
		return "characters"
	case text.Sentence:
		return "sentences, with <s> and </s>"
	}
	return "words without sentences"
}

// errLineEnd reports a hypothesis that would be two lines.
var errLineEnd = errors.New("it holds a line end: give each line by itself")

// Score returns what each of texts costs by itself, as [ScoreLines] scores a line. The next
// call overwrites it. Passes allocate only while the largest list grows; splitting texts
// into tokens allocates a little. Score returns an error if a text holds a line end or a
// mark of sentences, or if the model's parameters are not finite.
func (r *Rescorer) Score(texts []string) ([]Hypothesis, error) {
	if err := r.model.score(texts); err != nil {
		return nil, err
	}
	mixed := r.mixture.Ngram != nil
	if mixed {
		if err := r.other.score(texts); err != nil {
			return nil, err
		}
	}
	r.all = r.all[:0]
	from := 0
	for _, end := range r.model.ends {
		h := Hypothesis{Tokens: end - from, Unk: countUnk(r.model.ids[from:end])}
		var nats float64
		for i := from; i < end; i++ {
			if mixed {
				nats += mixNats(r.mixture.Lambda, r.model.losses[i], r.other.losses[i])
			} else {
				nats += r.model.losses[i]
			}
		}
		h.LogProb = 0 - nats
		r.all = append(r.all, h)
		from = end
	}
	return r.all, nil
}

// mixNats returns -ln(lambda·exp(-a) + (1-lambda)·exp(-b)).
func mixNats(lambda, a, b float64) float64 {
	x, y := a-math.Log(lambda), b-math.Log1p(-lambda)
	if y < x {
		x, y = y, x
	}
	return x - math.Log1p(math.Exp(x-y))
}

// A listScorer computes the costs of the tokens of texts under one model.
type listScorer struct {
	model    *Model
	spell    bool
	prefixes *rnnlm.PrefixScorer // of an RNN
	ngram    *ngram.Scorer       // of n-grams

	line   []byte
	ids    []int32   // of all texts
	ends   []int     // of each text in ids
	nats   []float32 // of an RNN, [ids]
	losses []float64 // [ids]
}

func newListScorer(m *Model, spell bool) listScorer {
	l := listScorer{model: m, spell: spell && m.Speller != nil}
	if m.rnn != nil {
		l.prefixes = rnnlm.NewPrefixScorer(m.rnn, m.start())
	} else {
		l.ngram = m.ngram.NewScorer()
	}
	return l
}

// score sets ids, ends and losses.
func (l *listScorer) score(texts []string) error {
	m := l.model
	l.ids, l.ends, l.losses = l.ids[:0], l.ends[:0], l.losses[:0]
	for i, t := range texts {
		l.line = append(l.line[:0], t...)
		err := m.level.CheckMarks(l.line, 1)
		if strings.Contains(t, "\n") {
			err = errLineEnd
		}
		if err != nil {
			return fmt.Errorf("hypothesis %d: %w", i+1, err)
		}
		if m.level == text.Sentence {
			l.line = append(l.line, '\n') // an empty line is a sentence too
		}
		l.ids = m.Vocab.Encode(l.ids, m.level, l.line)
		l.ends = append(l.ends, len(l.ids))
	}
	if l.prefixes != nil {
		l.nats = slices.Grow(l.nats[:0], len(l.ids))[:len(l.ids)]
		l.prefixes.Losses(l.nats, l.ids, l.ends)
		for _, x := range l.nats {
			loss := float64(x)
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				return errNotFinite
			}
			l.losses = append(l.losses, loss)
		}
	} else {
		from := 0
		for _, end := range l.ends {
			m.begin(l.ngram)
			for _, w := range l.ids[from:end] {
				l.losses = append(l.losses, m.next(l.ngram, w))
			}
			from = end
		}
	}
	if l.spell {
		l.addSpelling(texts)
	}
	return nil
}

// addSpelling adds the cost of its spelling to each <unk>.
func (l *listScorer) addSpelling(texts []string) {
	from := 0
	for i, end := range l.ends {
		if countUnk(l.ids[from:end]) > 0 {
			at := from
			for token := range l.model.level.Tokens([]byte(texts[i])) {
				if l.ids[at] == text.Unk {
					l.losses[at] += l.model.Speller.Nats(token)
				}
				at++
			}
		}
		from = end
	}
}
