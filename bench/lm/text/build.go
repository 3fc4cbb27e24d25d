package text

import "fmt"

// heldOut is the inverse share of the tokens in each of validation and test: one in
// heldOut. It is also the least number of tokens that leaves neither empty.
const heldOut = 20

// Options says how Build makes a corpus.
type Options struct {
	Level Level
	// MaxVocab is the largest size of the vocabulary, <unk> included: the most frequent
	// tokens of the training part stay. 0 keeps all of them. 1 would leave only <unk>
	// and is an error.
	MaxVocab int
	// MinCount is the least count in the training part of a token in the vocabulary.
	// From 2 on, rare tokens become <unk>, so that models learn where unknown words
	// stand. 0 and 1 exclude none.
	MinCount int
	// Vocab, if not nil, is the vocabulary. MaxVocab and MinCount then play no part, and
	// tokens that it lacks become <unk>.
	Vocab *Vocab
}

// Corpus is a text as token ids, cut into a training, a validation and a test part, in
// this order.
type Corpus struct {
	Name   string
	SHA256 string // see Text
	Level  Level
	Vocab  *Vocab

	// The ids of each part, in [0, Vocab.Len()).
	Train, Valid, Test []int32

	UnkRate      float64 // share of <unk> in Test, in [0, 1]
	TrainUnkRate float64 // share of <unk> in Train

	// TestUnk are the tokens of Test that became <unk>, as written, in the order of the
	// text.
	TestUnk []string
	// Rare are the tokens of Train that became <unk> or occur only once, in the order
	// of the text. They show what unseen tokens look like. If no token is rare, they
	// are those seen least often.
	Rare []string

	Bytes     int  // length of the text in UTF-8
	BadBytes  int  // see Text
	Synthetic bool // see Text
}

// A TooRare says that no token of a training part occurs MinCount times.
type TooRare struct {
	Name     string
	MinCount int
}

func (e *TooRare) Error() string {
	return fmt.Sprintf("corpus %q has no token %d times in its training part: take those seen fewer times, or give a longer text", e.Name, e.MinCount)
}

// Tokens returns the number of tokens in all three parts.
func (c *Corpus) Tokens() int { return len(c.Train) + len(c.Valid) + len(c.Test) }

// Build makes a corpus of text, which it neither changes nor retains. It returns an
// error if opt is invalid. A text of fewer than 20 tokens is an error too, because a
// part would be empty.
func Build(text *Text, opt Options) (*Corpus, error) {
	if opt.Level != Char && opt.Level != Word {
		return nil, fmt.Errorf("unknown level %v: choose char or word", opt.Level)
	}
	if opt.MaxVocab < 0 || opt.MaxVocab == 1 {
		return nil, fmt.Errorf("a vocabulary of %d has no room for %s and one token: allow 2 or more", opt.MaxVocab, UnkToken)
	}
	if opt.MinCount < 0 {
		return nil, fmt.Errorf("a token can't be seen %d times: take those seen 1 time or more", opt.MinCount)
	}
	// Counting first costs a pass over the text. It avoids the copies of a growing
	// slice, which would be the peak of memory here.
	total := opt.Level.count(text.Data)
	if total < heldOut {
		return nil, fmt.Errorf("corpus %q has too few tokens to split (%d at level %v, at least %d are needed): give a longer text",
			text.Name, total, opt.Level, heldOut)
	}

	seen := &census{numbers: make(map[string]int32)}
	all := make([]int32, 0, total)
	for token := range opt.Level.tokens(text.Data) {
		all = append(all, seen.number(token))
	}

	train, valid, test := Split(all)
	counts := make([]int, len(seen.tokens))
	for _, n := range train {
		counts[n]++
	}
	var ids []int32
	vocab := opt.Vocab
	if vocab != nil {
		ids = seen.idsIn(vocab)
	} else if vocab, ids = newVocab(seen, counts, opt); opt.MinCount > 1 && vocab.Len() == 1 {
		return nil, &TooRare{Name: text.Name, MinCount: opt.MinCount}
	}
	unknown := func(n int32) bool { return ids[n] == Unk }
	testUnk, rare := seen.pick(test, unknown), seen.rare(train, counts, unknown)
	for i, n := range all {
		all[i] = ids[n]
	}

	c := &Corpus{
		Name:      text.Name,
		SHA256:    text.SHA256,
		Level:     opt.Level,
		Vocab:     vocab,
		Train:     train,
		Valid:     valid,
		Test:      test,
		Bytes:     len(text.Data),
		BadBytes:  text.BadBytes,
		Synthetic: text.Synthetic,
		TestUnk:   testUnk,
		Rare:      rare,
	}
	c.UnkRate = unkRate(c.Test)
	c.TrainUnkRate = unkRate(c.Train)
	return c, nil
}

// unkRate returns the share of Unk among ids, of which there is at least one.
func unkRate(ids []int32) float64 {
	n := 0
	for _, id := range ids {
		if id == Unk {
			n++
		}
	}
	return float64(n) / float64(len(ids))
}
