package ngram

import (
	"math/bits"
	"runtime"
)

// trie holds the n-grams of each order in the order of [Estimates]. Those that continue
// one history are adjacent siblings, which ascend by word (Germann, Joanis and Larkin
// 2009; KenLM's trie, Heafield 2011). Its arrays may lie in a mapped file, which is
// unmapped once the trie is unreachable. So methods that read them keep it alive.
type trie struct {
	shape  Shape
	levels []level // [order]
}

// level is one order of a trie.
type level struct {
	words   packed // the n-grams' last words; empty for order 1, where they are 0, 1, 2, ...
	prob    column
	backoff column  // nil in the highest order
	next    offsets // of the continuations in the order above; empty in the highest order
}

// wordWidth returns the bits of a word id.
func wordWidth(vocab int) int { return bits.Len(uint(vocab - 1)) }

func newTrie(est *Estimates, quantise bool) *trie {
	t := &trie{levels: make([]level, len(est.Orders)), shape: Shape{Store: Trie, Vocab: est.Vocab}}
	if quantise {
		t.shape.Store = Quantised
	}
	for i := range est.Orders {
		o, l := &est.Orders[i], &t.levels[i]
		column := newColumn
		if quantise && i > 0 { // order 1 has few n-grams and stays exact
			column = newQuantisedColumn
		}
		l.prob = column(o.Prob)
		if i > 0 {
			l.words = newPacked(o.Len(), wordWidth(est.Vocab))
			for j, w := range o.Word {
				l.words.set(uint32(j), uint32(w))
			}
		}
		if i+1 < len(est.Orders) {
			l.backoff = column(o.Backoff)
			l.next = newOffsets(o.Len(), est.Orders[i+1].Prefix)
			t.shape.Backoffs = append(t.shape.Backoffs, l.backoff.coding())
		}
		t.shape.Entries = append(t.shape.Entries, o.Len())
		t.shape.Probs = append(t.shape.Probs, l.prob.coding())
	}
	t.gather()
	return t
}

// find returns the place in order n of the n-gram that continues n-gram prefix of the
// order below with w.
func (t *trie) find(n int, prefix uint32, w int32) (place uint32, ok bool) {
	low, end := t.levels[n-2].next.span(prefix)
	words := &t.levels[n-1].words
	high := end
	for low < high {
		mid := (low + high) / 2
		if words.at(mid) < uint32(w) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < end && words.at(low) == uint32(w)
}

func (t *trie) next(s *Scorer, w int32) float64 {
	known, highest := s.known, len(t.levels)
	match, place := 1, uint32(w)
	previous := s.place[1] // place[match] as it was before w
	s.place[1] = place
	for match <= known {
		found, ok := t.find(match+1, previous, w)
		if !ok {
			break
		}
		match++
		place = found
		if match < highest {
			previous, s.place[match] = s.place[match], place
		}
	}
	sum := float64(t.levels[match-1].prob.at(place))
	if match <= known {
		sum += float64(t.levels[match-1].backoff.at(previous))
		for k := match + 1; k <= known; k++ {
			sum += float64(t.levels[k-1].backoff.at(s.place[k]))
		}
	}
	s.known = min(match, highest-1)
	runtime.KeepAlive(t)
	return sum
}

func (t *trie) fill(est *Estimates) {
	for i := range t.levels {
		l, o := &t.levels[i], &est.Orders[i]
		for j := range o.Prob {
			o.Prob[j] = l.prob.at(uint32(j))
		}
		for j := range o.Backoff {
			o.Backoff[j] = l.backoff.at(uint32(j))
		}
		if i == 0 {
			continue
		}
		for j := range o.Word {
			o.Word[j] = int32(l.words.at(uint32(j)))
		}
		for p := range uint32(t.shape.Entries[i-1]) {
			at, end := t.levels[i-1].next.span(p)
			for ; at < end; at++ {
				o.Prefix[at] = p
			}
		}
	}
	runtime.KeepAlive(t)
}

func (t *trie) bytes() int64 {
	var total int64
	for i := range t.levels {
		l := &t.levels[i]
		total += l.prob.bytes() + l.backoff.bytes() + int64(cap(l.words.bits))
		total += int64(cap(l.next.low.bits)) + int64(cap(l.next.high)) + 4*int64(cap(l.next.samples))
	}
	return total
}
