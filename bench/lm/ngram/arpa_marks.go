package ngram

import "slices"

// The sentence marks of an ARPA file. A sentence begins after <s>, which isn't predicted,
// and its last word is </s>.
const (
	startWord = "<s>"
	endWord   = "</s>"
)

// unusedMark is log10 of the probability of a sentence mark in a model that has none. It
// is what SRILM writes for <s>.
const unusedMark = -99

// withMarks returns the estimates and words with <s> and </s> behind all others. Their
// probabilities are next to 0, and no n-gram contains them, so no other score changes.
func (e *Estimates) withMarks(words []string) (*Estimates, []string) {
	marked := &Estimates{Vocab: e.Vocab + 2, Orders: slices.Clone(e.Orders)}
	o := &marked.Orders[0]
	o.Word = append(cut(o.Word), int32(e.Vocab), int32(e.Vocab+1))
	o.Prob = append(cut(o.Prob), unusedMark, unusedMark)
	if o.Backoff != nil {
		o.Backoff = append(cut(o.Backoff), 0, 0)
	}
	return marked, append(slices.Clone(words), startWord, endWord)
}

// marksUnused reports whether words 1 and 2 are sentence marks as withMarks adds them.
// Suffixes are listed, so n-grams of two words show all uses.
func (e *Estimates) marksUnused(words []string) bool {
	if len(words) < 3 || words[1] != startWord || words[2] != endWord ||
		e.Orders[0].Prob[1] != unusedMark || e.Orders[0].Prob[2] != unusedMark {
		return false
	}
	if len(e.Orders) == 1 {
		return true
	}
	used := func(id int32) bool { return id == 1 || id == 2 }
	bigrams := &e.Orders[1]
	return !slices.ContainsFunc(bigrams.Word, used) &&
		!slices.ContainsFunc(bigrams.Prefix, func(id uint32) bool { return used(int32(id)) })
}

// dropMarks removes words 1 and 2, which no n-gram contains, and returns the other words.
func (e *Estimates) dropMarks(words []string) []string {
	e.Vocab -= 2
	for i := range e.Orders {
		o := &e.Orders[i]
		if i == 0 {
			o.Word = o.Word[:e.Vocab]
			o.Prob = slices.Delete(o.Prob, 1, 3)
			if o.Backoff != nil {
				o.Backoff = slices.Delete(o.Backoff, 1, 3)
			}
			continue
		}
		for j, w := range o.Word {
			if w > 0 {
				o.Word[j] = w - 2
			}
			if i == 1 && o.Prefix[j] > 0 {
				o.Prefix[j] -= 2
			}
		}
	}
	return slices.Delete(words, 1, 3)
}
