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
type Source struct{ Name, SHA256 string }

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
	// of the text. They show what unseen tokens look like. If no token is rare, they
	// are those seen least often.
	Rare []string

	Bytes     int  // length of the text in UTF-8, without parts of their own
	BadBytes  int  // see Text; of all parts
	Synthetic bool // see Text
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

	seen := &census{numbers: make(map[string]int32)}
	for _, special := range opt.Level.specials() {
		seen.number([]byte(special))
	}
	least := heldOut
	if uncut.Valid && uncut.Test {
		least = 2 // a token and one after it
	}
	all, err := seen.read(text, opt.Level, least)
	if err != nil {
		return nil, err
	}
	end := int32(noEnd)
	if opt.Level == Sentence {
		end = End
	}
	train, valid, test := split(all, uncut, end)
	if len(train) == 0 {
		return nil, fmt.Errorf("corpus %q has too few lines to split into training, validation and test: give a text of more sentences, one on each line", text.Name)
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

	counts := make([]int, len(seen.tokens))
	for _, n := range train {
		counts[n]++
	}
	if end != noEnd && counts[End] == len(train) {
		return nil, fmt.Errorf("the training part of corpus %q has no words, only empty lines: give a text with words in it", text.Name)
	}
	var ids []int32
	vocab := opt.Vocab
	if vocab != nil {
		ids = seen.idsIn(vocab)
	} else if vocab, ids = newVocab(seen, counts, opt); vocab.Len() < opt.Level.LeastVocab() {
		// Without a limit only <unk> itself stays out of the vocabulary.
		words := len(train)
		if end != noEnd {
			words -= counts[End]
		}
		if unk, ok := seen.numbers[UnkToken]; ok && counts[unk] == words {
			return nil, fmt.Errorf("corpus %q is %s alone in its training part, which stands for unknown words: give a text whose words are written out", text.Name, UnkToken)
		}
		return nil, &TooRare{Name: text.Name, MinCount: opt.MinCount}
	}
	unknown := func(n int32) bool { return ids[n] == Unk }
	mark := func(n int32) bool { return n == end }
	testUnk, rare := seen.pick(test, unknown), seen.rare(train, counts, unknown, mark)
	for _, part := range [][]int32{train, valid, test} {
		for i, n := range part {
			part[i] = ids[n]
		}
	}

	c := &Corpus{
		Name:        text.Name,
		SHA256:      text.SHA256,
		Level:       opt.Level,
		Vocab:       vocab,
		Train:       train,
		Valid:       valid,
		Test:        test,
		ValidSource: source(opt.Valid),
		TestSource:  source(opt.Test),
		Uncut:       uncut,
		Bytes:       len(text.Data),
		BadBytes:    bad,
		Synthetic:   text.Synthetic,
		TestUnk:     testUnk,
		Rare:        rare,
	}
	c.UnkRate = unkRate(c.Test)
	c.TrainUnkRate = unkRate(c.Train)
	return c, nil
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
		lacks := "too few tokens"
		if least == heldOut {
			lacks += " to split"
		}
		return nil, fmt.Errorf("corpus %q has %s (%d at level %v, at least %d needed): give a longer text",
			text.Name, lacks, total, level, least)
	}
	all := make([]int32, 0, total)
	for token := range level.tokens(text.Data) {
		all = append(all, c.number(token))
	}
	return all, nil
}

// unkRate returns the share of Unk among ids, 0 if there are none.
func unkRate(ids []int32) float64 {
	n := 0
	for _, id := range ids {
		if id == Unk {
			n++
		}
	}
	return float64(n) / float64(max(len(ids), 1))
}
