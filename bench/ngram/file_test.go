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
	if want := fileBytes(m.vocab, m.entries); n != int64(b.Len()) || n != want {
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

func TestRoundTrip(t *testing.T) {
	for _, s := range append(streams(), stream{
		"several chunks", syntheticText(rand.New(rand.NewPCG(15, 16)), 30_000), letters,
	}) {
		for _, order := range []int{1, 2, 3, 6, 9} {
			m := mustTrain(t, s.tokens, s.vocab, order)
			data := encode(t, m)
			got, err := Read(iotest.HalfReader(bytes.NewReader(data)), int64(len(data)))
			if err != nil {
				t.Fatalf("%s, order %d: %v", s.name, order, err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Errorf("%s, order %d: model differs after a round trip", s.name, order)
			}
			if got.Bytes() != m.Bytes() {
				t.Errorf("%s, order %d: %d bytes after a round trip, want %d", s.name, order, got.Bytes(), m.Bytes())
			}
		}
	}
}

// What follows a model in its stream belongs to somebody else.
func TestReadStopsAtSize(t *testing.T) {
	data := encode(t, mustTrain(t, []int32{0, 1, 0, 2}, 3, 3))
	r := bytes.NewReader(slices.Concat(data, []byte("more")))
	if _, err := Read(r, int64(len(data))); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "more" {
		t.Errorf("%q is left after the model", rest)
	}
}

func TestReadRefusesTruncation(t *testing.T) {
	for _, order := range []int{1, 4} {
		data := encode(t, mustTrain(t, []int32{0, 1, 0, 2, 1, 1, 0, 1}, 3, order))
		for n := range data {
			if _, err := decode(data[:n]); err == nil {
				t.Errorf("order %d: no error for %d of %d bytes", order, n, len(data))
			}
			// The same, where the length promised is the whole one.
			_, err := Read(bytes.NewReader(data[:n]), int64(len(data)))
			if err == nil || !strings.Contains(err.Error(), "truncated") {
				t.Errorf("order %d: error %v for a stream of %d of %d bytes", order, err, n, len(data))
			}
		}
		if _, err := decode(append(slices.Clone(data), 0)); err == nil {
			t.Errorf("order %d: no error for a byte too many", order)
		}
	}
}

func TestReadRefusesEveryFlippedBit(t *testing.T) {
	data := encode(t, mustTrain(t, []int32{0, 1, 0, 2, 1, 1, 0, 1}, 3, 3))
	for bit := range 8 * len(data) {
		data[bit/8] ^= 1 << (bit % 8)
		if _, err := decode(data); err == nil {
			t.Errorf("no error with bit %d of byte %d flipped", bit%8, bit/8)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
}

// Damage that a right checksum covers up: nothing here is an accident.
func TestReadRefusesCraftedFiles(t *testing.T) {
	const order = 3
	m := mustTrain(t, []int32{0, 1, 0, 2, 1, 1, 0, 1}, 3, order)
	good := encode(t, m)
	tables := headBytes + order*orderHeadBytes
	bigramKeys := tables + 3*(valueBytes+valueBytes)
	firstKey := slices.IndexFunc(m.tables[1].keys, func(k uint64) bool { return k != 0 })
	freeKey := slices.Index(m.tables[1].keys, 0)
	key, free := bigramKeys+keyBytes*firstKey, bigramKeys+keyBytes*freeKey
	bigramProb := bigramKeys + keyBytes*len(m.tables[1].keys) + valueBytes*firstKey

	put32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	put64 := func(at int, v uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
	}
	putFloat := func(at int, v float32) func([]byte) { return put32(at, math.Float32bits(v)) }
	for _, c := range []struct {
		name   string
		damage func([]byte)
		want   string
	}{
		{"foreign file", func(b []byte) { copy(b, "PK\x03\x04") }, "not a model file"},
		{"version", put32(8, 2), "version 2"},
		{"order 0", put32(12, 0), "impossible header"},
		{"order 10", put32(12, 10), "impossible header"},
		{"order 9", put32(12, 9), "damaged"},
		{"vocabulary 0", put32(16, 0), "impossible header"},
		{"vocabulary beyond int32", put32(16, 1<<31), "impossible header"},
		{"vocabulary huge", put32(16, math.MaxInt32), "its header asks for"},
		{"estimate of order 4", put32(20, 1<<order), "impossible header"},
		{"entries huge", put64(headBytes+orderHeadBytes, math.MaxInt32), "its header asks for"},
		{"entries beyond limit", put64(headBytes+orderHeadBytes, 1<<63), "impossible entries"},
		{"more words than vocabulary", put64(headBytes, 4), "impossible entries"},
		{"discount NaN", put64(headBytes+8, math.Float64bits(math.NaN())), "impossible entries or discount of order 1"},
		{"discount 1", put64(headBytes+8, math.Float64bits(1)), "impossible entries or discount of order 1"},
		{"probability 0", putFloat(tables, 0), "order 1 has a value"},
		{"probability above 1", putFloat(tables, 1.5), "order 1 has a value"},
		{"probability NaN", putFloat(bigramProb, float32(math.NaN())), "order 2 has a value"},
		{"back-off infinite", putFloat(tables+3*valueBytes, float32(math.Inf(1))), "order 1 has a value"},
		{"prefix out of range", put64(key, makeKey(3, 0)), "order 2 has a key"},
		{"prefix far out of range", put64(key, math.MaxUint64), "order 2 has a key"},
		{"word out of range", put64(key, makeKey(0, 3)), "order 2 has a key"},
		{"word missing", put64(key, 1<<32), "order 2 has a key"},
		{"entry missing", put64(key, 0), "order "},
		{"entry too many", put64(free, makeKey(0, 0)), "order 2 has "},
		{"nothing", func([]byte) {}, ""},
	} {
		data := slices.Clone(good)
		c.damage(data)
		seal(data)
		got, err := decode(data)
		if c.want == "" {
			if err != nil {
				t.Errorf("undamaged: %v", err)
			}
			continue
		}
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// A header that asks for gigabytes costs no more than its own bytes.
func TestReadAllocatesLittleForALyingHeader(t *testing.T) {
	data := encode(t, mustTrain(t, []int32{0, 1, 0, 2}, 3, 2))
	binary.LittleEndian.PutUint64(data[headBytes+orderHeadBytes:], 1<<30)
	seal(data)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := decode(data)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("no error")
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 2*chunkBytes {
		t.Errorf("%d bytes allocated", n)
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
	for _, left := range []int{0, 10, chunkBytes, chunkBytes + 1, int(fileBytes(m.vocab, m.entries)) - 1} {
		n, err := m.WriteTo(&failingWriter{left})
		if !errors.Is(err, errFull) || n != int64(left) {
			t.Errorf("WriteTo of %d bytes: %d, %v", left, n, err)
		}
	}
}

// FuzzRead holds Read to an error or a model that scores anything. Checksums
// are put right in half of the runs, or hardly any input would get past them.
func FuzzRead(f *testing.F) {
	for _, order := range []int{1, 2, 4} {
		data := encode(f, mustTrain(f, []int32{0, 1, 0, 2, 1, 1, 0, 1}, 3, order))
		f.Add(data, true)
		f.Add(data, false)
		f.Add(data[:len(data)/2], true)
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
		if m.Bytes() > int64(len(data)) {
			t.Fatalf("%d bytes of tables from %d bytes", m.Bytes(), len(data))
		}
		rng := rand.New(rand.NewPCG(19, 20))
		if nats := m.Score(randomStream(rng, 200, m.Vocab())); !(nats >= 0) {
			t.Fatalf("score %v", nats)
		}
		if !bytes.Equal(encode(t, m), data) {
			t.Fatal("a second copy differs")
		}
	})
}
