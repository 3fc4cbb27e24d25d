package ngram

import (
	"math"
	"sort"
)

// backoff reads log-probabilities off Estimates as their comment defines them,
// by binary search.
type backoff struct{ *Estimates }

// find returns the place of the n-gram, if it is listed.
func (b backoff) find(gram []int32) (int, bool) {
	if len(gram) == 1 {
		return int(gram[0]), true
	}
	prefix, ok := b.find(gram[:len(gram)-1])
	if !ok {
		return 0, false
	}
	o, w := &b.Orders[len(gram)-1], gram[len(gram)-1]
	i := sort.Search(o.Len(), func(i int) bool {
		return o.Prefix[i] > uint32(prefix) || o.Prefix[i] == uint32(prefix) && o.Word[i] >= w
	})
	return i, i < o.Len() && o.Prefix[i] == uint32(prefix) && o.Word[i] == w
}

// log10 returns log10 p(w|history).
func (b backoff) log10(history []int32, w int32) float64 {
	history = history[max(0, len(history)-len(b.Orders)+1):]
	gram := append(history[:len(history):len(history)], w)
	if i, ok := b.find(gram); ok {
		return float64(b.Orders[len(gram)-1].Prob[i])
	}
	lower := b.log10(history[1:], w)
	if i, ok := b.find(history); ok {
		lower += float64(b.Orders[len(history)-1].Backoff[i])
	}
	return lower
}

// perplexity returns that of a text, the ends of sentences counted.
func (b backoff) perplexity(text []int32, marks *Marks) float64 {
	var sum float64
	var history []int32
	for i, w := range text {
		if marks != nil && (i == 0 || text[i-1] == marks.End) {
			history = append(history[:0], marks.Start)
		}
		sum += b.log10(history, w)
		history = append(history, w)
	}
	return math.Pow(10, -sum/float64(len(text)))
}
