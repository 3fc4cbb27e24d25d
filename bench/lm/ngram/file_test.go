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
		if err := m.Estimates().check(); err != nil {
			t.Fatal(err)
		}
	})
}
