package ngram

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Damage that a right checksum covers up: nothing here is an accident.
func TestReadRefusesCraftedFiles(t *testing.T) {
	const order = 3
	grams := headBytes + order*orderHeadBytes
	head := func(n int) int { return headBytes + (n-1)*orderHeadBytes }
	bigrams := map[Store]int{ // where they begin
		Map:  grams + 3*mapRecordBytes(1),
		Hash: grams + 3*weightsBytes,
	}
	nan := math.Float32bits(float32(math.NaN()))
	inf := math.Float32bits(float32(math.Inf(1)))
	put32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	put64 := func(at int, v uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
	}
	for _, c := range []struct {
		name   string
		stores []Store
		damage func([]byte)
		want   string
	}{
		{"nothing", Stores, func([]byte) {}, ""},
		{"foreign file", Stores, func(b []byte) { copy(b, "PK\x03\x04") }, "not a model file"},
		{"version", Stores, put32(8, 1), "version 1"},
		{"store", Stores, put32(12, 4), "impossible header"},
		{"order 0", Stores, put32(16, 0), "impossible header"},
		{"order 10", Stores, put32(16, 10), "impossible header"},
		{"order 9", Stores, put32(16, 9), "damaged"},
		{"vocabulary 0", Stores, put32(20, 0), "impossible header"},
		{"vocabulary beyond int32", Stores, put32(20, 1<<31), "impossible header"},
		{"vocabulary huge", Stores, func(b []byte) {
			put32(20, math.MaxInt32)(b)
			put64(head(1), math.MaxInt32)(b)
		}, "its header asks for"},
		{"fewer words than vocabulary", Stores, put64(head(1), 2), "number of n-grams of order 1"},
		{"entries too many", Stores, put64(head(2), 9), "its header asks for"},
		{"more n-grams than words allow", Stores, put64(head(2), 10), "number of n-grams of order 2"},
		{"entries beyond limit", Stores, put64(head(2), 1<<63), "number of n-grams of order 2"},
		{"width", Stores, put32(head(2)+8, 33), "impossible header"},
		{"book huge", Stores, put32(head(2)+12, math.MaxUint32), "impossible header"},
		{"book large", []Store{Trie, Quantised}, put32(head(2)+12, MaxEntries), "its header asks for"},
		{"coding of no trie", []Store{Map, Hash}, put32(head(2)+8, 8), "impossible header"},
		{"back-offs of the highest order", Stores, put32(head(3)+20, 8), "impossible header"},
		{"probability above 1", []Store{Hash}, put32(grams, math.Float32bits(0.5)), "order 1 has values 0.5"},
		{"probability NaN", []Store{Hash}, put32(bigrams[Hash]+8, nan), "order 2 has values NaN"},
		{"back-off infinite", []Store{Hash}, put32(bigrams[Hash]+12, inf), "order 2 has values"},
		{"probability NaN", []Store{Map}, put32(bigrams[Map]+8, nan), "order 2 has values NaN"},
		{"prefix missing", []Store{Hash}, put64(bigrams[Hash], hashOf(3, 0)), "without its prefix"},
		{"prefix missing", []Store{Map}, func(b []byte) { b[bigrams[Map]+2*mapRecordBytes(2)+3] ^= 0x80 }, "without its prefix"},
		{"word outside", []Store{Hash}, put64(bigrams[Hash], hashOf(0, 3)), "word 3, outside"},
		{"free slot", []Store{Hash}, put64(bigrams[Hash], freeSlot), "order 2 does not ascend"},
		{"one hash twice", []Store{Hash}, func(b []byte) {
			copy(b[bigrams[Hash]+slotBytes:], b[bigrams[Hash]:][:slotBytes])
		}, "order 2 does not ascend"},
		{"words outside", []Store{Map}, put32(bigrams[Map]+4, math.MaxUint32), "order 2 "},
		{"one n-gram twice", []Store{Map}, func(b []byte) {
			copy(b[bigrams[Map]+mapRecordBytes(2):], b[bigrams[Map]:][:mapRecordBytes(2)])
		}, "order 2 does not ascend"},
	} {
		for _, store := range c.stores {
			data := encode(t, smallModel(t, store, order))
			c.damage(data)
			seal(data)
			got, err := decode(data)
			if c.want == "" {
				if err != nil {
					t.Errorf("%v: undamaged: %v", store, err)
				}
				continue
			}
			if got != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %v: error %v, want %q", c.name, store, err, c.want)
			}
		}
	}
}

// A trie whose parts don't fit together is written as it is, and refused.
func TestReadRefusesCraftedTries(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(*trie)
		want   string
	}{
		{"word outside", func(t *trie) { t.levels[1].words.set(0, 3) }, "word 3, outside"},
		{"siblings", func(t *trie) {
			clear(t.levels[1].words.bits)
		}, "order 2 does not ascend"},
		{"back-off infinite", func(t *trie) { t.levels[1].backoff.book[0] = float32(math.Inf(1)) }, "back-offs of order 2"},
		{"probability NaN", func(t *trie) { t.levels[1].prob.book[0] = float32(math.NaN()) }, "log-probabilities of order 2"},
		{"probability above 1", func(t *trie) { t.levels[2].prob.book[0] = 1 }, "log-probabilities of order 3"},
		{"code outside", func(t *trie) { t.levels[1].prob.codes.bits[0] = 0xff }, "log-probabilities of order 2: code"},
		{"a one too few", func(t *trie) { t.levels[1].next.high[0] &= t.levels[1].next.high[0] - 1 }, "order 2: the parts"},
		{"no part at the end", func(t *trie) {
			binary.LittleEndian.PutUint64(t.levels[0].next.high, 0b1111)
		}, "continued by nothing"},
		{"a part too large", func(t *trie) { binary.LittleEndian.PutUint64(t.levels[0].next.high, 7<<60|1) }, "is continued by"},
	} {
		rng := rand.New(rand.NewPCG(43, 44))
		est := randomEstimates(rng, [][]int32{{0, 1, 0, 2, 1, 1, 0, 1}}, 3, 3)
		for _, o := range est.Orders { // few different values: all of them have books
			for i := range o.Prob {
				o.Prob[i] = -float32(i % 3)
			}
			for i := range o.Backoff {
				o.Backoff[i] = -float32(i % 3)
			}
		}
		m := mustModel(t, est, Quantised)
		c.damage(m.store.(*trie))
		got, err := decode(encode(t, m))
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
