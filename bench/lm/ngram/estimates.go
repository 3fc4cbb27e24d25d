package ngram

// Estimates are the final numbers of a back-off model, independent of smoothing and
// store. They are immutable.
//
// The log-probability of word w after the history h starts from the longest listed
// n-gram h'w. h' is an end of h, possibly empty. The back-offs of all longer listed
// ends of h are added to its log-probability.
type Estimates struct {
	Vocab  int     // words are 0..Vocab-1; order 1 lists them all
	Orders []Order // [order]; order n is at n-1
}

// Order lists the n-grams of one length n. N-gram i is the n-gram Prefix[i] of the
// order below followed by Word[i]. They ascend by (Prefix, Word), which is the lexical
// order of their words, oldest first. So the n-grams that continue one history are
// adjacent. For n = 1, Prefix is nil and Word[i] is i.
type Order struct {
	Prefix  []uint32  // [n-grams] place of the prefix in the order below
	Word    []int32   // [n-grams]
	Prob    []float32 // [n-grams] log10 p(w|h), at most 0
	Backoff []float32 // [n-grams] log10 of the n-gram's weight as a history; nil in the highest order
}

// Len returns the number of n-grams.
func (o *Order) Len() int { return len(o.Word) }

// newEstimates returns estimates with room for entries[n-1] n-grams of order n, all of them
// 0 but the words of order 1.
func newEstimates(vocab int, entries []int) *Estimates {
	est := &Estimates{Vocab: vocab, Orders: make([]Order, len(entries))}
	for i, n := range entries {
		o := &est.Orders[i]
		o.Word, o.Prob = make([]int32, n), make([]float32, n)
		if i > 0 {
			o.Prefix = make([]uint32, n)
		}
		if i+1 < len(entries) {
			o.Backoff = make([]float32, n)
		}
	}
	for w := range est.Orders[0].Word {
		est.Orders[0].Word[w] = int32(w)
	}
	return est
}
