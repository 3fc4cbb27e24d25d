package ngram

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	for order := 1; order <= MaxOrder; order++ {
		for name, est := range testEstimates(rng, order) {
			for _, store := range Stores {
				m := mustModel(t, est, store)
				if got, want := m.Bytes(), m.Shape().Bytes(); got != want {
					t.Errorf("%s, order %d, %v: %d bytes, its shape says %d", name, order, store, got, want)
				}
				before := NewShape(store, est.Vocab, m.Entries()).Bytes()
				if m.Bytes() > before || m.Bytes() < before && (store == Map || store == Hash) {
					t.Errorf("%s, order %d, %v: %d bytes, foretold %d", name, order, store, m.Bytes(), before)
				}
			}
		}
	}
}

func TestBytesOfATable(t *testing.T) {
	// 100 words; 1251 + 65 slots of 16 bytes, 2501 + 65 of 12.
	if got, want := NewShape(Hash, 100, []int{100, 1000, 2000}).Bytes(), int64(100*8+1316*16+2566*12); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if got := capacity(MaxEntries); got > math.MaxUint32 {
		t.Errorf("capacity(MaxEntries) = %d does not fit in 32 bits", got)
	}
	if _, words, _ := offsetsShape(MaxEntries, MaxEntries); 64*int64(words) > math.MaxUint32 {
		t.Errorf("%d bits of offsets do not fit in 32 bits", 64*words)
	}
}

func TestTrieBytesOfText(t *testing.T) {
	text := syntheticText(rand.New(rand.NewPCG(53, 54)), 100_000)
	est, _ := mustEstimate(t, text, Config{Vocab: letters, Order: 6})
	trie, quantised := mustModel(t, est, Trie), mustModel(t, est, Quantised)
	if got, want := quantised.Bytes(), NewShape(Quantised, letters, quantised.Entries()).Bytes(); !(float64(got) >= 0.9*float64(want)) {
		t.Errorf("quantised: %d bytes, foretold %d", got, want)
	}
	upper := NewShape(Trie, letters, trie.Entries()).Bytes()
	t.Logf("trie %d bytes, at most %d; quantised %d", trie.Bytes(), upper, quantised.Bytes())
	if trie.Bytes() > upper*9/10 || quantised.Bytes() > trie.Bytes()*2/3 {
		t.Errorf("trie %d bytes, at most %d; quantised %d", trie.Bytes(), upper, quantised.Bytes())
	}
}

func TestNewModelErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		damage func(*Estimates)
		want   string
	}{
		{"no orders", func(e *Estimates) { e.Orders = nil }, "order 0: must be from 1 to 9"},
		{"vocabulary", func(e *Estimates) { e.Vocab = 0 }, "vocabulary of 0 words"},
		{"words missing", func(e *Estimates) { e.Vocab = 4 }, "order 1 lists 3 words: must be all 4"},
		{"lengths", func(e *Estimates) { e.Orders[1].Prob = nil }, "order 2: 6 words, 6 prefixes, 0 log-prob"},
		{"back-offs missing", func(e *Estimates) { e.Orders[1].Backoff = nil }, "and 0 back-offs don't fit"},
		{"back-offs of the highest", func(e *Estimates) { e.Orders[2].Backoff = e.Orders[2].Prob }, "order 3"},
		{"prefix", func(e *Estimates) { e.Orders[2].Prefix[1] = 6 }, "order 3, n-gram 1: prefix 6 of 6"},
		{"word", func(e *Estimates) { e.Orders[1].Word[5] = 3 }, "order 2, n-gram 5: word 3: must be from 0 to 2"},
		{"negative word", func(e *Estimates) { e.Orders[1].Word[0] = -1 }, "word -1"},
		{"order of n-grams", func(e *Estimates) { slices.Reverse(e.Orders[1].Word) }, "order 2, n-gram 1: not above"},
		{"the same twice", func(e *Estimates) { e.Orders[0].Word[2] = 1 }, "order 1, n-gram 2: not above"},
		{"positive", func(e *Estimates) { e.Orders[0].Prob[1] = 0.1 }, "order 1, n-gram 1: log-probability 0.1: must be finite and at most 0"},
		{"NaN", func(e *Estimates) { e.Orders[2].Prob[1] = nan }, "log-probability NaN"},
		{"-Inf", func(e *Estimates) { e.Orders[2].Prob[1] = -inf }, "log-probability -Inf"},
		{"back-off NaN", func(e *Estimates) { e.Orders[0].Backoff[1] = nan }, "back-off NaN: must be finite"},
		{"back-off infinite", func(e *Estimates) { e.Orders[1].Backoff[1] = inf }, "order 2, n-gram 1: back-off +Inf"},
	} {
		est := randomEstimates(rand.New(rand.NewPCG(55, 56)), [][]int32{{0, 1, 0, 2, 1, 1, 0, 0}}, 3, 3)
		c.damage(est)
		for _, store := range Stores {
			m, err := NewModel(est, store)
			if m != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %v: error %v, want %q", c.name, store, err, c.want)
			}
		}
	}
	est := randomEstimates(rand.New(rand.NewPCG(57, 58)), nil, 3, 2)
	if _, err := NewModel(est, Store(7)); err == nil || !strings.Contains(err.Error(), "Store(7): no such store") {
		t.Errorf("an unknown store: error %v", err)
	}
}

func TestHash(t *testing.T) {
	rng := rand.New(rand.NewPCG(59, 60))
	for range 1000 {
		prefix, w := rng.Uint32(), rng.Int32()
		if p, v := keyOf(hashOf(prefix, w)); p != prefix || v != uint32(w) {
			t.Fatalf("key (%d, %d) comes back as (%d, %d)", prefix, w, p, v)
		}
	}
}

// Hashes that crowd at the last homes find room behind them, or none at all.
func TestArrange(t *testing.T) {
	for _, n := range []int{0, 1, maxSpill, maxSpill + 1, 500} {
		crowded, spread := make([]uint64, n), make([]uint64, n)
		for i := range n {
			crowded[i] = freeSlot - 1 - uint64(i)
			spread[i] = freeSlot / uint64(n+1) * uint64(i)
		}
		if _, ok := arrange(crowded); ok != (n <= maxSpill+1) {
			t.Errorf("%d hashes in one place: fit %v", n, ok)
		}
		slots, ok := arrange(spread)
		if !ok || !slices.IsSorted(slots) {
			t.Errorf("%d hashes apart: fit %v, ascend %v", n, ok, slices.IsSorted(slots))
		}
	}
}

func TestOffsets(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	for range 300 {
		n := 1 + rng.IntN(300)
		parents := make([]uint32, rng.IntN(1<<rng.IntN(14)))
		few := 1 + rng.IntN(n) // the rest has no children
		for i := range parents {
			parents[i] = uint32(rng.IntN(few) * n / few)
		}
		slices.Sort(parents)
		o := newOffsets(n, parents)
		at := uint32(0)
		for i := range uint32(n) {
			begin, end := o.span(i)
			want := at
			for want < uint32(len(parents)) && parents[want] == i {
				want++
			}
			if begin != at || end != want {
				t.Fatalf("%d n-grams, %d children: those of %d from %d to %d, want %d to %d", n, len(parents), i, begin, end, at, want)
			}
			at = end
		}
		got := int64(len(o.low.bits)) + int64(len(o.high)) + 4*int64(len(o.samples))
		if want := offsetsBytes(n, len(parents)); got != want {
			t.Fatalf("%d bytes, want %d", got, want)
		}
	}
}

func TestPacked(t *testing.T) {
	rng := rand.New(rand.NewPCG(63, 64))
	for width := range 33 {
		want := make([]uint32, 100)
		p := newPacked(len(want), width)
		for i := range want {
			want[i] = uint32(rng.Uint64() & (1<<width - 1))
			p.set(uint32(i), want[i])
		}
		for i, w := range want {
			if got := p.at(uint32(i)); got != w {
				t.Fatalf("width %d: number %d is %d, want %d", width, i, got, w)
			}
		}
	}
}

func TestBins(t *testing.T) {
	var values []float32
	for i := range 1000 {
		values = append(values, -float32(i)/100) // 0 is one of them
	}
	for range 500 {
		values = append(values, -3)
	}
	c := newQuantisedColumn(values)
	if len(c.book) > quantisedValues || c.codes.width != 8 || !slices.IsSorted(c.book) || c.at(0) != 0 {
		t.Fatalf("%d values in codes of %d bits, 0 is %v", len(c.book), c.codes.width, c.at(0))
	}
	if c.at(1200) != -3 { // it fills whole bins
		t.Errorf("-3 is %v", c.at(1200))
	}
	counts := map[float32]int{}
	for i, v := range values {
		got := c.at(uint32(i))
		counts[got]++
		for _, other := range c.book {
			if !(math.Abs(float64(other-v)) >= math.Abs(float64(got-v))) {
				t.Fatalf("%v is %v, though there is %v", v, got, other)
			}
		}
	}
	for v, n := range counts {
		if n > 10 && v != -3 { // 1499 values in 255 bins: 5 or 6, and a neighbour's near its edge
			t.Errorf("%d values are %v", n, v)
		}
	}
	few := []float32{-1, -2, 0, -2, -1}
	c = newQuantisedColumn(few)
	for i, v := range few {
		if c.at(uint32(i)) != v || c.codes.width != 2 {
			t.Errorf("%v of 3 different values is %v", v, c.at(uint32(i)))
		}
	}
}
