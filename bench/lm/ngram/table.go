package ngram

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// hashStore holds a dense array for order 1 and an open-addressed table for each order
// above. The key of an n-gram is exact. It is the slot of its first n-1 words in the
// table below, and its last word.
type hashStore struct {
	order  int
	words  []weights // [vocab] order 1
	middle []table   // orders 2 to one below the highest
	last   lastTable // the highest order, from 2
}

// table holds the n-grams of one order. Slots ascend by hash, with gaps. A search
// begins at the slot where the hash would lie if all were spread evenly. It ends at the
// first hash that is not lower, found or not. So a failed search costs no more than a
// successful one, and tables may be 4/5 full.
//
// Key and values are adjacent: each order costs one cache line a token.
type table struct {
	homes uint64
	slots []slot // [capacity]
}

type slot struct {
	hash uint64 // as made by hashOf; freeSlot if empty
	weights
}

// lastTable is a table of the highest order, which has no back-offs.
type lastTable struct {
	homes uint64
	slots []lastSlot // [capacity]
}

// lastSlot splits its hash in halves, so that it takes 12 bytes and not 16.
type lastSlot struct {
	high, low uint32
	prob      float32
}

func (s *lastSlot) hash() uint64 { return uint64(s.high)<<32 | uint64(s.low) }

const (
	freeSlot  = 1<<64 - 1
	slotBytes = 16
	lastBytes = 12

	// maxSpill is the number of slots behind the homes, for n-grams that the last homes
	// can't hold. At a load of 4/5 they are too few for one table in 10^12.
	maxSpill = 64
)

// homesOf returns the number of home slots for n n-grams: 5 for every 4.
func homesOf(n int) int64 { return int64(n) + int64(n)/4 + 1 }

// capacity returns the number of slots of a table of n n-grams. The last one is always
// free, so that a search ends.
func capacity(n int) int64 { return homesOf(n) + int64(min(n, maxSpill)) + 1 }

// hashBytes returns the bytes of a hash store.
func hashBytes(vocab int, entries []int) int64 {
	total := weightsBytes * int64(vocab)
	for i, n := range entries[1:] {
		if i+2 < len(entries) {
			total += slotBytes * capacity(n)
		} else {
			total += lastBytes * capacity(n)
		}
	}
	return total
}

func (h *hashStore) bytes() int64 {
	total := weightsBytes*int64(cap(h.words)) + lastBytes*int64(cap(h.last.slots))
	for _, t := range h.middle {
		total += slotBytes * int64(cap(t.slots))
	}
	return total
}

// Multipliers of the hash (Stafford's mix 13), and their inverses modulo 2^64.
const (
	mix1, unmix1 = 0xbf58476d1ce4e5b9, 0x96de1b173f119089
	mix2, unmix2 = 0x94d049bb133111eb, 0x319642b2d24d8ec3
)

// hashOf mixes a key so that every bit affects the upper bits. It is a bijection, and
// no key gives freeSlot.
func hashOf(prefix uint32, w int32) uint64 {
	h := (uint64(prefix)<<32 | uint64(w)) + 1
	h *= mix1
	h ^= h >> 32
	return ^(h * mix2)
}

// keyOf inverts hashOf. A hash that hashOf never made can give any prefix, and a word
// up to 2^32 - 1.
func keyOf(hash uint64) (prefix, w uint32) {
	h := ^hash * unmix2
	h ^= h >> 32
	h = h*unmix1 - 1
	return uint32(h >> 32), uint32(h)
}

// home returns the slot where the search for a hash begins, among homes slots. It
// ascends with the hash.
func home(hash, homes uint64) uint32 {
	i, _ := bits.Mul64(hash, homes)
	return uint32(i)
}

// find returns the slot of a hash.
func (t *table) find(hash uint64) (place uint32, ok bool) {
	i := home(hash, t.homes)
	for t.slots[i].hash < hash {
		i++
	}
	return i, t.slots[i].hash == hash
}

func (t *lastTable) find(hash uint64) (place uint32, ok bool) {
	i := home(hash, t.homes)
	for t.slots[i].hash() < hash {
		i++
	}
	return i, t.slots[i].hash() == hash
}

func newTable(n int) table {
	t := table{homes: uint64(homesOf(n)), slots: make([]slot, capacity(n))}
	for i := range t.slots {
		t.slots[i].hash = freeSlot
	}
	return t
}

func newLastTable(n int) lastTable {
	t := lastTable{homes: uint64(homesOf(n)), slots: make([]lastSlot, capacity(n))}
	for i := range t.slots {
		t.slots[i].high, t.slots[i].low = 1<<32-1, 1<<32-1
	}
	return t
}

func newHashStore(est *Estimates) (*hashStore, error) {
	order := len(est.Orders)
	h := &hashStore{order: order, words: make([]weights, est.Vocab)}
	slots := make([]uint32, est.Vocab) // of the order below, by place in est
	for w := range h.words {
		slots[w] = uint32(w)
		h.words[w].prob = est.Orders[0].Prob[w]
		if order > 1 {
			h.words[w].backoff = est.Orders[0].Backoff[w]
		}
	}
	for n := 2; n <= order; n++ {
		o := &est.Orders[n-1]
		hashes := make([]uint64, o.Len())
		for i, w := range o.Word {
			hashes[i] = hashOf(slots[o.Prefix[i]], w)
		}
		var ok bool
		if slots, ok = arrange(hashes); !ok {
			return nil, fmt.Errorf("ngram: order %d has too many n-grams of nearly the same hash for a %v: use a %v", n, Hash, Trie)
		}
		if n < order {
			t := newTable(o.Len())
			for i, at := range slots {
				t.slots[at] = slot{hashes[i], weights{o.Prob[i], o.Backoff[i]}}
			}
			h.middle = append(h.middle, t)
			continue
		}
		h.last = newLastTable(o.Len())
		for i, at := range slots {
			h.last.slots[at] = lastSlot{uint32(hashes[i] >> 32), uint32(hashes[i]), o.Prob[i]}
		}
	}
	return h, nil
}

func (h *hashStore) fill(est *Estimates) {
	for w, v := range h.words {
		est.Orders[0].Prob[w] = v.prob
		if h.order > 1 {
			est.Orders[0].Backoff[w] = v.backoff
		}
	}
	type found struct{ prefix, word, slot uint32 }
	places := identity(len(h.words)) // of the n-grams of the order below, by slot
	for n := 2; n <= h.order; n++ {
		o := &est.Orders[n-1]
		grams := make([]found, 0, o.Len())
		add := func(at int, hash uint64) {
			if hash != freeSlot {
				prefix, w := keyOf(hash)
				grams = append(grams, found{places[prefix], w, uint32(at)})
			}
		}
		var slots []slot // empty in the highest order
		if n < h.order {
			slots = h.middle[n-2].slots
		} else {
			for i := range h.last.slots {
				add(i, h.last.slots[i].hash())
			}
		}
		for i := range slots {
			add(i, slots[i].hash)
		}
		slices.SortFunc(grams, func(a, b found) int {
			return cmp.Or(cmp.Compare(a.prefix, b.prefix), cmp.Compare(a.word, b.word))
		})
		places = make([]uint32, len(slots))
		for i, g := range grams {
			o.Prefix[i], o.Word[i] = g.prefix, int32(g.word)
			if n == h.order {
				o.Prob[i] = h.last.slots[g.slot].prob
				continue
			}
			v := &slots[g.slot]
			o.Prob[i], o.Backoff[i], places[g.slot] = v.prob, v.backoff, uint32(i)
		}
	}
}

// arrange returns the slot of each hash: from its home on, the lowest that no lower
// hash takes. It reports whether the slots suffice.
func arrange(hashes []uint64) (slots []uint32, ok bool) {
	n := len(hashes)
	table, homes := make([]uint64, capacity(n)), uint64(homesOf(n))
	for i := range table {
		table[i] = freeSlot
	}
	for _, h := range hashes {
		i := home(h, homes)
		for ; table[i] < h; i++ {
		}
		for h != freeSlot { // higher hashes move up by one, to the next free slot
			if int(i) == len(table)-1 {
				return nil, false
			}
			h, table[i] = table[i], h
			i++
		}
	}
	slots = make([]uint32, n)
	for j, h := range hashes {
		i := home(h, homes)
		for ; table[i] < h; i++ {
		}
		slots[j] = i
	}
	return slots, true
}

// next is the hot path. Its lookups depend on the token before, not on each other, so
// the processor overlaps their cache misses.
func (h *hashStore) next(s *Scorer, w int32) float64 {
	known := s.known
	match := 1
	prob := h.words[w].prob
	previous := s.place[1] // place[match] as it was before w
	s.place[1] = uint32(w)
	for match <= known && match <= len(h.middle) {
		t := &h.middle[match-1]
		place, ok := t.find(hashOf(previous, w))
		if !ok {
			return h.backOff(s, prob, previous, match)
		}
		match++
		prob = t.slots[place].prob
		previous, s.place[match] = s.place[match], place
	}
	if match <= known {
		place, ok := h.last.find(hashOf(previous, w))
		if !ok {
			return h.backOff(s, prob, previous, match)
		}
		return float64(h.last.slots[place].prob)
	}
	s.known = min(match, h.order-1)
	return float64(prob)
}

// backOff adds to a log-probability the back-offs of the histories longer than the
// match. previous is the place of the history of match tokens.
func (h *hashStore) backOff(s *Scorer, prob float32, previous uint32, match int) float64 {
	sum := float64(prob)
	if match == 1 {
		sum += float64(h.words[previous].backoff)
	} else {
		sum += float64(h.middle[match-2].slots[previous].backoff)
	}
	for k := match + 1; k <= s.known; k++ {
		sum += float64(h.middle[k-2].slots[s.place[k]].backoff)
	}
	s.known = match
	return sum
}
