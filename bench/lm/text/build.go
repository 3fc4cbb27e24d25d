package text

import (
	"fmt"
	"strings"
)

// heldOut is the inverse share of the tokens in each of validation and test: one in
// heldOut. It is also the least number of tokens that leaves neither empty.
const heldOut = 20

// Options says how Build makes a corpus.
type Options struct {
	Level Level
	// MaxVocab is the largest size of the vocabulary, <unk> and the marks of sentences
	// included: the most frequent tokens of the training part stay. 0 keeps all of them.
	// A size without room for a token beside those is an error.
	MaxVocab int
	// MinCount is the least count in the training part of a token in the vocabulary.
	// From 2 on, rare tokens become <unk>, so that models learn where unknown words
	// stand. 0 and 1 exclude none.
	MinCount int
	// Vocab, if not nil, is the vocabulary. MaxVocab and MinCount then play no part, and
	// tokens that it lacks become <unk>.
	Vocab *Vocab

	// Valid and Test are the parts' own texts. A part without one is cut off the text,
	// unless uncut: it is then empty.
	Valid, Test *Text
	Uncut       Uncut
}

// LeastVocab returns the least MaxVocab: it has room for one token.
func (l Level) LeastVocab() int { return len(l.specials()) + 1 }

// check returns an error for an invalid option.
func (opt Options) check() error {
	if opt.Level < Char || opt.Level > Sentence {
		return fmt.Errorf("unknown level %v: choose char, word or sentence", opt.Level)
	}
	if least := opt.Level.LeastVocab(); opt.MaxVocab < 0 || opt.MaxVocab > 0 && opt.MaxVocab < least {
		return fmt.Errorf("a vocabulary of %d has no room for %s and one token: allow %d or more",
			opt.MaxVocab, strings.Join(opt.Level.specials(), ", "), least)
	}
	if opt.MinCount < 0 {
		return fmt.Errorf("a token can't be seen %d times: take those seen 1 time or more", opt.MinCount)
	}
	return nil
}

// A Source names a text.
type Source struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// source returns the source of a part's own text, none if it has none.
func source(own *Text) Source {
	if own == nil {
		return Source{}
	}
	return Source{Name: own.Name, SHA256: own.SHA256}
}

// Corpus is a text as token ids, cut into a training, a validation and a test part, in
// this order. Validation and test may have texts of their own, or be empty.
type Corpus struct {
	Name   string
	SHA256 string // see Text
	Level  Level
	Vocab  *Vocab

	// The ids of each part, in [0, Vocab.Len()).
	Train, Valid, Test []int32
	// The own texts of Valid and Test; none if they were cut off the text.
	ValidSource, TestSource Source
	Uncut                   Uncut // parts that were not cut off the text

	UnkRate      float64 // share of <unk> in Test, in [0, 1]
	TrainUnkRate float64 // share of <unk> in Train

	// TestUnk are the tokens of Test that became <unk>, as written, in the order of the
	// text.
	TestUnk []string
	// Rare are the tokens of Train that became <unk> or occur only once, in the order
	// of the text, the first 524,288 of them. They show what unseen tokens look
	// like. If no token is rare, they are those seen least often.
	Rare []string

	Bytes     int  // length of the text in UTF-8, without parts of their own
	BadBytes  int  // see Text; of all parts
	Synthetic bool // see Text

	counts []int // by id, of Train; nil where they are not known
}

// BeforeValid returns the tokens that precede Valid in its text.
func (c *Corpus) BeforeValid() []int32 {
	if c.Uncut.Valid {
		return nil
	}
	return c.Train
}

// BeforeTest returns tokens that precede Test in its text.
func (c *Corpus) BeforeTest() []int32 {
	switch {
	case c.Uncut.Test:
		return nil
	case c.Uncut.Valid:
		return c.Train
	}
	return c.Valid
}

// A TooRare says that no token of a training part occurs MinCount times.
type TooRare struct {
	Name     string
	MinCount int
}

func (e *TooRare) Error() string {
	return fmt.Sprintf("corpus %q has no token %d times in its training part: take those seen fewer times, or give a longer text", e.Name, e.MinCount)
}

// A PartError is about a part's own text.
type PartError struct {
	Part string // the field of Options: "Valid" or "Test"
	Err  error
}

func (e *PartError) Error() string { return e.Err.Error() }

func (e *PartError) Unwrap() error { return e.Err }

// Tokens returns the number of tokens in all three parts.
func (c *Corpus) Tokens() int { return len(c.Train) + len(c.Valid) + len(c.Test) }

// Build makes a corpus of text, which it neither changes nor retains. It returns an
// error if opt is invalid. A part that would be empty, or a text of fewer than 20 tokens
// that is to be cut, is an error too, and so is one that has no token for the vocabulary.
func Build(text *Text, opt Options) (*Corpus, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	uncut := opt.Uncut
	uncut.Valid, uncut.Test = uncut.Valid || opt.Valid != nil, uncut.Test || opt.Test != nil

	seen := newCensus(opt.Level)
	all, err := seen.read(text, opt.Level, leastTokens(uncut))
	if err != nil {
		return nil, err
	}
	train, valid, test, err := opt.Level.cut(text.Name, all, uncut)
	if err != nil {
		return nil, err
	}
	bad := text.BadBytes
	for _, own := range []struct {
		name string
		text *Text
		part *[]int32
	}{{"Valid", opt.Valid, &valid}, {"Test", opt.Test, &test}} {
		if own.text == nil {
			continue
		}
		if *own.part, err = seen.read(own.text, opt.Level, 1); err != nil {
			return nil, &PartError{Part: own.name, Err: err}
		}
		bad += own.text.BadBytes
	}
	c, ids, err := seen.corpus(text.Name, opt, train, valid, test)
	if err != nil {
		return nil, err
	}
	for _, part := range [][]int32{train, valid, test} {
		for i, n := range part {
			part[i] = ids[n]
		}
	}
	c.SHA256, c.Bytes, c.BadBytes, c.Synthetic = text.SHA256, len(text.Data), bad, text.Synthetic
	c.ValidSource, c.TestSource, c.Uncut = source(opt.Valid), source(opt.Test), uncut
	return c, nil
}

// leastTokens returns how many tokens a text needs to be cut.
func leastTokens(uncut Uncut) int {
	if uncut.Valid && uncut.Test {
		return 2 // a token and one after it
	}
	return heldOut
}

// cut is [Vocab.Split] of the numbers of a census. It returns an error if nothing is left
// for training.
func (l Level) cut(name string, all []int32, uncut Uncut) (train, valid, test []int32, err error) {
	if train, valid, test = split(all, uncut, l.end()); len(train) == 0 {
		err = fmt.Errorf("corpus %q has too few lines to split into training, validation and test: give a text of more sentences, one on each line", name)
	}
	return train, valid, test, err
}

// end returns the number and id of a sentence's end, noEnd where there are no sentences.
func (l Level) end() int32 {
	if l == Sentence {
		return End
	}
	return noEnd
}

// corpus returns what follows from the parts, which are numbers of c, and the id of each
// number. The parts of the corpus stay numbers.
func (c *census) corpus(name string, opt Options, train, valid, test []int32) (_ *Corpus, ids []int32, err error) {
	counts := make([]int, len(c.tokens))
	for _, n := range train {
		counts[n]++
	}
	end := opt.Level.end()
	if end != noEnd && counts[End] == len(train) {
		return nil, nil, fmt.Errorf("the training part of corpus %q has no words, only empty lines: give a text with words in it", name)
	}
	vocab := opt.Vocab
	if vocab != nil {
		ids = c.idsIn(vocab)
	} else if vocab, ids = newVocab(c, counts, opt); vocab.Len() < opt.Level.LeastVocab() {
		// Without a limit only <unk> itself stays out of the vocabulary.
		words := len(train)
		if end != noEnd {
			words -= counts[End]
		}
		if unk, ok := c.numbers[UnkToken]; ok && counts[unk] == words {
			return nil, nil, fmt.Errorf("corpus %q is %s alone in its training part, which stands for unknown words: give a text whose words are written out", name, UnkToken)
		}
		return nil, nil, &TooRare{Name: name, MinCount: opt.MinCount}
	}
	unknown := make([]bool, len(ids))
	counted := make([]int, vocab.Len())
	for n, id := range ids {
		unknown[n] = id == Unk
		counted[id] += counts[n]
	}
	corpus := &Corpus{
		Name: name, Level: opt.Level, Vocab: vocab,
		Train: train, Valid: valid, Test: test, counts: counted,
		TestUnk: c.pick(test, unknown, len(test)),
		Rare:    c.pick(train, rare(counts, ids, end), mostRare),
	}
	corpus.setRates()
	return corpus, ids, nil
}

// setRates sets the rates of <unk>.
func (c *Corpus) setRates() {
	c.UnkRate = float64(len(c.TestUnk)) / float64(max(len(c.Test), 1))
	c.TrainUnkRate = float64(c.counts[Unk]) / float64(max(len(c.Train), 1))
}

// Counts returns how often each id is in Train.
func (c *Corpus) Counts() []int {
	if c.counts != nil {
		return c.counts
	}
	counts := make([]int, c.Vocab.Len())
	for _, id := range c.Train {
		counts[id]++
	}
	return counts
}

// read returns the numbers of a text's tokens, of which there must be some.
func (c *census) read(text *Text, level Level, least int) ([]int32, error) {
	if err := level.CheckMarks(text.Data, 1); err != nil {
		return nil, fmt.Errorf("corpus %q, %w", text.Name, err)
	}
	// Counting first costs a pass over the text. It avoids the copies of a growing
	// slice, which would be the peak of memory here.
	total := level.count(text.Data)
	if total < least {
		return nil, tooShort(text.Name, level, total, least)
	}
	all := make([]int32, 0, total)
	for token := range level.tokens(text.Data) {
		all = append(all, c.number(token))
	}
	return all, nil
}

// tooShort is the error for a text of fewer than least tokens.
func tooShort(name string, level Level, total, least int) error {
	lacks := "too few tokens"
	if least == heldOut {
		lacks += " to split"
	}
	return fmt.Errorf("corpus %q has %s (%d at level %v, at least %d needed): give a longer text",
		name, lacks, total, level, least)
}
