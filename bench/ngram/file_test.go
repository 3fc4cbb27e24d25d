package ngram

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func encode(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := m.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	if want := m.shape.fileBytes(); n != int64(b.Len()) || n != want {
		t.Fatalf("WriteTo returned %d and wrote %d bytes, want %d", n, b.Len(), want)
	}
	return b.Bytes()
}

func decode(data []byte) (*Model, error) {
	return Read(bytes.NewReader(data), int64(len(data)))
}

// seal puts the right checksum under data.
func seal(data []byte) {
	if body := len(data) - checksumBytes; body >= 0 {
		binary.LittleEndian.PutUint32(data[body:], crc32.Checksum(data[:body], castagnoli))
	}
}

// smallModel is one whose file is short enough to damage at every byte.
func smallModel(t testing.TB, store Store, order int) *Model {
	rng := rand.New(rand.NewPCG(41, 42))
	return mustModel(t, randomEstimates(rng, [][]int32{{0, 1, 0, 2, 1, 1, 0, 1}}, 3, order), store)
}

func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for _, s := range append(streams(), stream{"several chunks", syntheticText(rng, 30_000), letters}) {
		for _, order := range []int{1, 2, 3, 6, 9} {
			est := randomEstimates(rng, cutSentences(rng, s.tokens), s.vocab, order)
			for _, store := range Stores {
				m := mustModel(t, est, store)
				data := encode(t, m)
				got, err := Read(iotest.HalfReader(bytes.NewReader(data)), int64(len(data)))
				if err != nil {
					t.Fatalf("%s, order %d, %v: %v", s.name, order, store, err)
				}
				if !reflect.DeepEqual(got, m) {
					t.Errorf("%s, order %d, %v: model differs after a round trip", s.name, order, store)
				}
				if got.Bytes() != m.Bytes() {
					t.Errorf("%s, order %d, %v: %d bytes after a round trip, want %d", s.name, order, store, got.Bytes(), m.Bytes())
				}
			}
		}
	}
}

// What follows a model in its stream belongs to somebody else.
func TestReadStopsAtSize(t *testing.T) {
	for _, store := range Stores {
		data := encode(t, smallModel(t, store, 3))
		r := bytes.NewReader(slices.Concat(data, []byte("more")))
		if _, err := Read(r, int64(len(data))); err != nil {
			t.Fatal(err)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "more" {
			t.Errorf("%v: %q is left after the model", store, rest)
		}
	}
}

func TestReadRefusesTruncation(t *testing.T) {
	for _, store := range Stores {
		for _, order := range []int{1, 4} {
			data := encode(t, smallModel(t, store, order))
			for n := range data {
				if _, err := decode(data[:n]); err == nil {
					t.Errorf("%v, order %d: no error for %d of %d bytes", store, order, n, len(data))
				}
				// The same, where the length promised is the whole one.
				_, err := Read(bytes.NewReader(data[:n]), int64(len(data)))
				if err == nil || !strings.Contains(err.Error(), "truncated") {
					t.Errorf("%v, order %d: error %v for a stream of %d of %d bytes", store, order, err, n, len(data))
				}
			}
			if _, err := decode(append(slices.Clone(data), 0)); err == nil {
				t.Errorf("%v, order %d: no error for a byte too many", store, order)
			}
		}
	}
}

func TestReadRefusesEveryFlippedBit(t *testing.T) {
	for _, store := range Stores {
		data := encode(t, smallModel(t, store, 3))
		for bit := range 8 * len(data) {
			data[bit/8] ^= 1 << (bit % 8)
			if _, err := decode(data); err == nil {
				t.Errorf("%v: no error with bit %d of byte %d flipped", store, bit%8, bit/8)
			}
			data[bit/8] ^= 1 << (bit % 8)
		}
	}
}

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
			h := &t.levels[0].next.high[0]
			*h = 0b1111
		}, "continued by nothing"},
		{"a part too large", func(t *trie) { t.levels[0].next.high[0] = 7<<60 | 1 }, "is continued by"},
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

// A header that asks for gigabytes costs no more than its own bytes.
func TestReadAllocatesLittleForALyingHeader(t *testing.T) {
	for _, store := range Stores {
		data := encode(t, smallModel(t, store, 2))
		binary.LittleEndian.PutUint32(data[20:], 1<<28) // words
		binary.LittleEndian.PutUint64(data[headBytes:], 1<<28)
		binary.LittleEndian.PutUint64(data[headBytes+orderHeadBytes:], 1<<30)
		seal(data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decode(data)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%v: no error", store)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 2*chunkBytes {
			t.Errorf("%v: %d bytes allocated", store, n)
		}
	}
}

// failingWriter takes left bytes.
type failingWriter struct{ left int }

var errFull = errors.New("disk full")

func (w *failingWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWriteToReportsErrors(t *testing.T) {
	m := mustTrain(t, syntheticText(rand.New(rand.NewPCG(17, 18)), 20_000), letters, 4)
	for _, left := range []int{0, 10, chunkBytes, chunkBytes + 1, int(m.shape.fileBytes()) - 1} {
		n, err := m.WriteTo(&failingWriter{left})
		if !errors.Is(err, errFull) || n != int64(left) {
			t.Errorf("WriteTo of %d bytes: %d, %v", left, n, err)
		}
	}
}

// FuzzRead holds Read to an error or a model that scores anything. Checksums
// are put right in half of the runs, or hardly any input would get past them.
func FuzzRead(f *testing.F) {
	for _, store := range Stores {
		for _, order := range []int{1, 2, 4} {
			data := encode(f, smallModel(f, store, order))
			f.Add(data, true)
			f.Add(data, false)
			f.Add(data[:len(data)/2], true)
		}
	}
	f.Add([]byte(fileMagic), true)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if sealed {
			data = slices.Clone(data)
			seal(data)
		}
		m, err := decode(data)
		if err != nil {
			return
		}
		// A key of 4 bytes takes a slot of a map, a table has slots to spare.
		if m.Bytes() > 1<<17+20*int64(len(data)) {
			t.Fatalf("a model of %d bytes from %d bytes", m.Bytes(), len(data))
		}
		rng := rand.New(rand.NewPCG(19, 20))
		if nats := m.Score(randomStream(rng, 200, m.Vocab())); math.IsNaN(nats) {
			t.Fatalf("score %v", nats)
		}
		if !bytes.Equal(encode(t, m), data) {
			t.Fatal("a second copy differs")
		}
	})
}
