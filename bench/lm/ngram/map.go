package ngram

import (
	"encoding/binary"
	"math"
	"slices"
)

// mapStore holds all n-grams in one Go map. A key is the n-gram's words, oldest first,
// four bytes each, big-endian. So keys ascend as n-grams do.
type mapStore struct {
	entries []int // [order] n-grams
	grams   map[string]weights
}

// weights are the values of one n-gram.
type weights struct {
	prob, backoff float32 // log10; backoff is 0 in the highest order
}

const (
	wordBytes    = 4
	weightsBytes = 8
)

// newMap returns an empty store with room for entries[n-1] n-grams of order n.
func newMap(entries []int) *mapStore {
	total := 0
	for _, n := range entries {
		total += n
	}
	return &mapStore{entries: entries, grams: make(map[string]weights, total)}
}

func newMapStore(est *Estimates) *mapStore {
	m := newMap(est.entries())
	var below []string // the keys of the order below, shared with the map
	for i := range est.Orders {
		o := &est.Orders[i]
		keys := make([]string, o.Len())
		for j, w := range o.Word {
			key := make([]byte, 0, wordBytes*MaxOrder)
			if i > 0 {
				key = append(key, below[o.Prefix[j]]...)
			}
			keys[j] = string(binary.BigEndian.AppendUint32(key, uint32(w)))
			v := weights{prob: o.Prob[j]}
			if o.Backoff != nil {
				v.backoff = o.Backoff[j]
			}
			m.grams[keys[j]] = v
		}
		below = keys
	}
	return m
}

func (m *mapStore) next(s *Scorer, w int32) float64 {
	var words [wordBytes * MaxOrder]byte // the history and w, right-aligned
	known := s.known
	for k := known; k > 0; k-- {
		binary.BigEndian.PutUint32(words[len(words)-wordBytes*(k+1):], s.place[k])
	}
	binary.BigEndian.PutUint32(words[len(words)-wordBytes:], uint32(w))

	match := 1
	found := m.grams[string(words[len(words)-wordBytes:])]
	for match <= known {
		longer, ok := m.grams[string(words[len(words)-wordBytes*(match+1):])]
		if !ok {
			break
		}
		match++
		found = longer
	}
	sum := float64(found.prob)
	history := words[:len(words)-wordBytes]
	for k := match; k <= known; k++ {
		sum += float64(m.grams[string(history[len(history)-wordBytes*k:])].backoff)
	}
	s.known = min(match, len(m.entries)-1)
	for k := s.known; k > 1; k-- {
		s.place[k] = s.place[k-1]
	}
	s.place[1] = uint32(w)
	return sum
}

func (m *mapStore) fill(est *Estimates) {
	var below []string // keys
	for i := range est.Orders {
		o, keys := &est.Orders[i], m.ascending(i+1)
		prefix := 0
		for j, key := range keys {
			v := m.grams[key]
			o.Prob[j] = v.prob
			if o.Backoff != nil {
				o.Backoff[j] = v.backoff
			}
			if i > 0 {
				for below[prefix] != key[:wordBytes*i] {
					prefix++
				}
				o.Prefix[j] = uint32(prefix)
				o.Word[j] = int32(binary.BigEndian.Uint32([]byte(key[wordBytes*i:])))
			}
		}
		below = keys
	}
}

// bytes estimates the size of the map, whose tables can't be inspected.
func (m *mapStore) bytes() int64 { return mapBytes(m.entries) }

// ascending returns the keys of all n-grams of order n, in ascending order.
func (m *mapStore) ascending(n int) []string {
	var keys []string
	for key := range m.grams {
		if len(key) == wordBytes*n {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// The layout of Go's maps since Go 1.24 (internal/runtime/maps).
const (
	groupSlots    = 8    // slots of a group, beside 8 control bytes
	tableSlots    = 1024 // slots of each table of a large map
	tableFill     = 896  // slots taken before a table splits in two
	tablesBeside  = 2    // tables that share a span of the heap with a table
	mapGroupBytes = 8 + groupSlots*(16+weightsBytes)

	// tableAllocation is the memory of a table: its groups and its head. The groups
	// take 25,608 bytes with the heap's header, in a size class of 27,264.
	tableAllocation = 27264 + 48
)

// mapBytes estimates the bytes of a Go map with entries[n-1] n-grams of order n, keys
// included. The map starts with a power of two of tables, enough for all n-grams at 7
// slots in 8. N-grams fall into tables at random, so some tables overflow and split in
// two. A split leaves a hole in the heap, unless the tables beside it split too.
func mapBytes(entries []int) int64 {
	total, keys := 0, int64(0)
	for i, n := range entries {
		total += n
		keys += int64(n) * keyAllocation(i+1)
	}
	tables := 1
	for tables*tableFill < total {
		tables *= 2
	}
	if tables == 1 {
		slots := groupSlots
		for slots*7/8 < total {
			slots *= 2
		}
		return keys + int64(slots/groupSlots*mapGroupBytes)
	}
	mean := float64(total) / float64(tables)
	deviation := math.Sqrt(mean)
	split := 0.5 * math.Erfc((tableFill-mean)/deviation/math.Sqrt2)
	holes := split * (1 - math.Pow(split, tablesBeside))
	return keys + int64(float64(tables)*(1+split+holes)*tableAllocation)
}

// keyAllocation returns the memory of an n-gram's words. From 16 bytes on it is a size
// class, below that a share of a block of 16.
func keyAllocation(order int) int64 {
	return [...]int64{4, 8, 16, 16, 24, 24, 32, 32, 48}[order-1]
}
