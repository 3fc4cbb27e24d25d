package ngram

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// A model file, all of it little-endian:
//
//	magic       [8]byte
//	version     uint32
//	order       uint32
//	vocab       uint32
//	estimated   uint32         bit n-1 is set if D_n is an estimate
//	per order   uint64         entries
//	            float64        D_n
//	per order   [slots]uint64  keys, from order 2
//	            [slots]float32 prob
//	            [slots]float32 backoff, below the highest order
//	checksum    uint32         CRC-32C of all bytes before it
const (
	fileMagic      = "\x89NGRAM\r\n" // a text-mode copy damages it
	fileVersion    = 1
	headBytes      = 8 + 4*4
	orderHeadBytes = 8 + 8
	checksumBytes  = 4

	// chunkBytes is the size of the one buffer between tables and file, all
	// that reading leaves behind for the garbage collector.
	chunkBytes = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileBytes returns the length of a model's file.
func fileBytes(vocab int, entries []int) int64 {
	return headBytes + int64(len(entries))*orderHeadBytes + Bytes(vocab, entries) + checksumBytes
}

// WriteTo writes the model to w, in a form that [Read] reads, and returns the
// number of bytes written. It implements [io.WriterTo].
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	e := encoder{w: w, buf: make([]byte, 0, chunkBytes)}
	e.buf = append(e.buf, fileMagic...)
	e.uint32(fileVersion)
	e.uint32(uint32(m.Order()))
	e.uint32(uint32(m.vocab))
	var estimated uint32
	for i, d := range m.discounts {
		if d.Estimated {
			estimated |= 1 << i
		}
	}
	e.uint32(estimated)
	for i, n := range m.entries {
		e.uint64(uint64(n))
		e.uint64(math.Float64bits(m.discounts[i].D))
	}
	for _, t := range m.tables {
		for _, k := range t.keys {
			e.uint64(k)
		}
		for _, v := range t.prob {
			e.uint32(math.Float32bits(v))
		}
		for _, v := range t.backoff {
			e.uint32(math.Float32bits(v))
		}
	}
	e.flush()
	e.uint32(e.crc)
	e.flush()
	if e.err != nil {
		return e.n, fmt.Errorf("ngram: writing model: %w", e.err)
	}
	return e.n, nil
}

// encoder gathers values into chunks; its first error stays.
type encoder struct {
	w   io.Writer
	buf []byte
	crc uint32
	n   int64
	err error
}

func (e *encoder) uint32(v uint32) {
	if len(e.buf)+4 > cap(e.buf) {
		e.flush()
	}
	e.buf = binary.LittleEndian.AppendUint32(e.buf, v)
}

func (e *encoder) uint64(v uint64) {
	if len(e.buf)+8 > cap(e.buf) {
		e.flush()
	}
	e.buf = binary.LittleEndian.AppendUint64(e.buf, v)
}

func (e *encoder) flush() {
	if e.err == nil {
		e.crc = crc32.Update(e.crc, castagnoli, e.buf)
		var n int
		n, e.err = e.w.Write(e.buf)
		e.n += int64(n)
	}
	e.buf = e.buf[:0]
}

// Read reads a model that [Model.WriteTo] wrote. size is how many bytes r holds
// for it, for a file the file's length: the header is believed only if it asks
// for exactly that many, and the tables are then made once, at their final
// size. A file that is truncated, damaged or of another kind gives an error,
// and so does one that scoring could stumble over.
func Read(r io.Reader, size int64) (*Model, error) {
	d := decoder{r: io.LimitReader(r, size), buf: make([]byte, chunkBytes)}
	m, err := d.model(size)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("ngram: model file ends before its %d bytes: truncated", size)
	}
	if err != nil {
		return nil, fmt.Errorf("ngram: reading model: %w", err)
	}
	return m, nil
}

// decoder reads through one buffer of a chunk.
type decoder struct {
	r   io.Reader
	buf []byte
	crc uint32
}

// next returns the next n bytes, n <= len(buf). They are valid until the next
// call.
func (d *decoder) next(n int) ([]byte, error) {
	b := d.buf[:n]
	if _, err := io.ReadFull(d.r, b); err != nil {
		return nil, err
	}
	d.crc = crc32.Update(d.crc, castagnoli, b)
	return b, nil
}

func (d *decoder) model(size int64) (*Model, error) {
	m, err := d.header(size)
	if err != nil {
		return nil, err
	}
	order := len(m.entries)
	for n := 1; n <= order; n++ {
		var t table
		if n == 1 {
			t = newUnigrams(m.vocab, n == order)
		} else {
			t = newTable(m.entries[n-1], n == order)
		}
		if err := d.uint64s(t.keys); err != nil {
			return nil, err
		}
		if err := d.float32s(t.prob); err != nil {
			return nil, err
		}
		if err := d.float32s(t.backoff); err != nil {
			return nil, err
		}
		m.tables = append(m.tables, t)
	}
	want := d.crc
	b, err := d.next(checksumBytes)
	if err != nil {
		return nil, err
	}
	if got := binary.LittleEndian.Uint32(b); got != want {
		return nil, fmt.Errorf("checksum is %08x, want %08x: damaged file", got, want)
	}
	return m, m.validate()
}

// header reads all that comes before the tables. Nothing is allocated by a
// number in it before it returns without error.
func (d *decoder) header(size int64) (*Model, error) {
	if size < headBytes+orderHeadBytes+checksumBytes {
		return nil, fmt.Errorf("%d bytes are too few: not a model file, or truncated", size)
	}
	b, err := d.next(headBytes)
	if err != nil {
		return nil, err
	}
	if string(b[:8]) != fileMagic {
		return nil, errors.New("not a model file")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != fileVersion {
		return nil, fmt.Errorf("file version %d: this program reads version %d", v, fileVersion)
	}
	order := binary.LittleEndian.Uint32(b[12:])
	vocab := binary.LittleEndian.Uint32(b[16:])
	estimated := binary.LittleEndian.Uint32(b[20:])
	if order < 1 || order > MaxOrder || vocab < 1 || vocab > MaxVocab || estimated>>order != 0 {
		return nil, errors.New("impossible header: damaged file")
	}
	n := int(order)
	m := &Model{vocab: int(vocab), entries: make([]int, n), discounts: make([]Discount, n)}
	if b, err = d.next(n * orderHeadBytes); err != nil {
		return nil, err
	}
	for i := range n {
		entries := binary.LittleEndian.Uint64(b[i*orderHeadBytes:])
		discount := math.Float64frombits(binary.LittleEndian.Uint64(b[i*orderHeadBytes+8:]))
		if entries > MaxEntries || i == 0 && entries > uint64(vocab) || !(discount > 0 && discount < 1) {
			return nil, fmt.Errorf("impossible entries or discount of order %d: damaged file", i+1)
		}
		m.entries[i] = int(entries)
		m.discounts[i] = Discount{D: discount, Estimated: estimated>>i&1 == 1}
	}
	want := fileBytes(m.vocab, m.entries)
	if want != size {
		return nil, fmt.Errorf("file has %d bytes, its header asks for %d: truncated or damaged", size, want)
	}
	if want > math.MaxInt {
		return nil, fmt.Errorf("model of %d bytes is too large for this machine", want)
	}
	return m, nil
}

func (d *decoder) uint64s(dst []uint64) error {
	for len(dst) > 0 {
		n := min(len(dst), len(d.buf)/8)
		b, err := d.next(8 * n)
		if err != nil {
			return err
		}
		for i := range n {
			dst[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		dst = dst[n:]
	}
	return nil
}

func (d *decoder) float32s(dst []float32) error {
	for len(dst) > 0 {
		n := min(len(dst), len(d.buf)/4)
		b, err := d.next(4 * n)
		if err != nil {
			return err
		}
		for i := range n {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		dst = dst[n:]
	}
	return nil
}

// validate checks what scoring relies on: that a probe finds a free slot, that
// every key names an n-gram of the table below and a word, and that no value
// makes a probability that is zero, above one or not a number.
func (m *Model) validate() error {
	for i := range m.tables {
		t := &m.tables[i]
		taken := 0
		for slot := range t.prob {
			if i > 0 {
				if t.keys[slot] == 0 {
					continue
				}
				taken++
				prefix, w := splitKey(t.keys[slot])
				if !m.tables[i-1].holds(prefix) || w >= uint32(m.vocab) {
					return fmt.Errorf("order %d has a key without a prefix or a word: damaged file", i+1)
				}
			}
			if !isProbability(t.prob[slot]) || t.backoff != nil && !isProbability(t.backoff[slot]) {
				return fmt.Errorf("order %d has a value that is no probability: damaged file", i+1)
			}
		}
		if i > 0 && taken != m.entries[i] {
			return fmt.Errorf("order %d has %d n-grams, its header says %d: damaged file", i+1, taken, m.entries[i])
		}
	}
	return nil
}

// holds reports whether slot is one of the table's n-grams.
func (t *table) holds(slot uint32) bool {
	return uint64(slot) < uint64(len(t.prob)) && (t.keys == nil || t.keys[slot] != 0)
}

// isProbability reports whether v is above 0 and at most 1; NaN is not.
func isProbability(v float32) bool { return v > 0 && v <= 1 }
