package ngram

// Estimates are the finished numbers of a back-off model, whatever smoothing
// they come from and whatever store they go to. They are immutable.
//
// The log-probability of word w after the history h is that of the longest
// n-gram hw which is listed, with as much of h as it takes, plus the back-offs
// of all the longer histories that are listed.
type Estimates struct {
	Vocab  int     // words are 0..Vocab-1; order 1 lists them all
	Orders []Order // [order]; order n is at n-1
}

// Order lists the n-grams of one length n. N-gram i is the n-gram Prefix[i] of
// the order below followed by Word[i]; they ascend by (Prefix, Word), and so in
// the lexical order of their words, oldest word first. So the n-grams that
// continue one history lie together. For n = 1, Prefix is nil and Word[i] is i.
type Order struct {
	Prefix  []uint32  // [n-grams] place in the order below
	Word    []int32   // [n-grams]
	Prob    []float32 // [n-grams] log10 p(w|h), at most 0
	Backoff []float32 // [n-grams] log10 of the n-gram's weight as a history; nil in the highest order
}

// Len returns the number of n-grams.
func (o *Order) Len() int { return len(o.Word) }
