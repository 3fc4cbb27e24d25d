package ngram

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"batchrnn/internal/durable"
)

// A model file, all of it little-endian:
//
//	magic       [8]byte
//	version     uint32
//	store       uint32
//	order       uint32
//	vocab       uint32
//	per order   uint64         n-grams
//	            2 x [3]uint32  how log-probabilities and back-offs are packed:
//	                           width, book, base; 0 if the store is no trie
//	n-grams                    as the store writes them: see encode.go
//	checksum    uint32         CRC-32C of all bytes before it
const (
	fileMagic      = "\x89NGRAM\r\n" // a text-mode copy damages it
	fileVersion    = 2
	headBytes      = 8 + 4*4
	orderHeadBytes = 8 + 2*3*4
	checksumBytes  = 4

	// chunkBytes is the size of the single buffer between model and file. Reading
	// leaves nothing else for the garbage collector.
	chunkBytes = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileBytes returns the length of a model's file.
func (s Shape) fileBytes() int64 {
	return headBytes + int64(len(s.Entries))*orderHeadBytes + s.encodedBytes() + checksumBytes
}

// WriteTo writes the model to w, in a form that [Read] reads, and returns the
// number of bytes written. It implements [io.WriterTo].
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	e := encoder{w: w, buf: make([]byte, 0, chunkBytes)}
	e.header(m.shape)
	m.store.encode(&e)
	e.flush()
	e.uint32(e.crc)
	e.flush()
	if e.err != nil {
		return e.n, fmt.Errorf("ngram: writing model: %w", e.err)
	}
	return e.n, nil
}

// encoder gathers values into chunks. It keeps its first error.
type encoder struct {
	w   io.Writer
	buf []byte
	crc uint32
	n   int64
	err error
}

func (e *encoder) header(s Shape) {
	e.bytes([]byte(fileMagic))
	e.uint32(fileVersion)
	e.uint32(uint32(s.Store))
	e.uint32(uint32(len(s.Entries)))
	e.uint32(uint32(s.Vocab))
	for i, n := range s.Entries {
		e.uint64(uint64(n))
		var prob, backoff Coding
		if i < len(s.Probs) {
			prob = s.Probs[i]
		}
		if i < len(s.Backoffs) {
			backoff = s.Backoffs[i]
		}
		for _, c := range []Coding{prob, backoff} {
			e.uint32(uint32(c.Width))
			e.uint32(uint32(c.Book))
			e.uint32(c.base)
		}
	}
}

// room returns the buffer with space for n more bytes.
func (e *encoder) room(n int) []byte {
	if len(e.buf)+n > cap(e.buf) {
		e.flush()
	}
	return e.buf
}

func (e *encoder) uint32(v uint32)   { e.buf = binary.LittleEndian.AppendUint32(e.room(4), v) }
func (e *encoder) uint64(v uint64)   { e.buf = binary.LittleEndian.AppendUint64(e.room(8), v) }
func (e *encoder) float32(v float32) { e.uint32(math.Float32bits(v)) }

func (e *encoder) bytes(b []byte) {
	for len(b) > 0 {
		n := min(len(b), cap(e.buf))
		e.buf = append(e.room(n), b[:n]...)
		b = b[n:]
	}
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

// Read reads a model that [Model.WriteTo] wrote, into the store that it was written
// from. size is the number of bytes that r holds for it, for a file its length. A
// header that asks for another size is refused, so memory is allocated once, at its
// final size. A file that is truncated, damaged or of another kind gives an error. So
// does a file with values or places that scoring can't use.
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

// decoder reads through one buffer of chunkBytes.
type decoder struct {
	r   io.Reader
	buf []byte
	crc uint32

	mapped []byte // the unread rest of a file that is in memory, in place of r; nil otherwise
}

// bytes fills b.
func (d *decoder) bytes(b []byte) error {
	if d.mapped != nil {
		if len(b) > len(d.mapped) {
			return io.ErrUnexpectedEOF
		}
		d.mapped = d.mapped[copy(b, d.mapped):]
	} else if _, err := io.ReadFull(d.r, b); err != nil {
		return err
	}
	d.crc = crc32.Update(d.crc, castagnoli, b)
	return nil
}

// slice returns the next n bytes: of a mapped file itself, otherwise a copy.
func (d *decoder) slice(n int64) ([]byte, error) {
	if d.mapped == nil {
		b := make([]byte, n)
		return b, d.bytes(b)
	}
	if n > int64(len(d.mapped)) {
		return nil, io.ErrUnexpectedEOF
	}
	b := d.mapped[:n:n]
	d.mapped = d.mapped[n:]
	d.crc = crc32.Update(d.crc, castagnoli, b)
	return b, nil
}

// records reads n records of size bytes and calls take with each and its number. A
// record is valid until take returns.
func (d *decoder) records(n, size int, take func(i int, record []byte) error) error {
	for i := 0; i < n; {
		chunk := d.buf[:min(n-i, len(d.buf)/size)*size]
		if err := d.bytes(chunk); err != nil {
			return err
		}
		for ; len(chunk) > 0; chunk = chunk[size:] {
			if err := take(i, chunk[:size]); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}

func (d *decoder) model(size int64) (*Model, error) {
	shape, err := d.header(size)
	if err != nil {
		return nil, err
	}
	m := &Model{shape: shape}
	switch shape.Store {
	case Map:
		m.store, err = d.mapStore(shape)
	case Hash:
		m.store, err = d.hashStore(shape)
	default:
		m.store, err = d.trie(shape)
	}
	if err != nil {
		return nil, err
	}
	want := d.crc
	var sum [checksumBytes]byte
	if err := d.bytes(sum[:]); err != nil {
		return nil, err
	}
	if got := binary.LittleEndian.Uint32(sum[:]); got != want {
		return nil, fmt.Errorf("checksum is %08x, want %08x: damaged file", got, want)
	}
	return m, nil
}

var errHeader = errors.New("impossible header: damaged file")

// header reads the bytes before the n-grams. It allocates nothing by a number in them
// before all are checked.
func (d *decoder) header(size int64) (Shape, error) {
	var s Shape
	if size < headBytes+orderHeadBytes+checksumBytes {
		return s, fmt.Errorf("%d bytes are too few: not a model file, or truncated", size)
	}
	head := d.buf[:headBytes]
	if err := d.bytes(head); err != nil {
		return s, err
	}
	if string(head[:8]) != fileMagic {
		return s, errors.New("not a model file")
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != fileVersion {
		return s, &durable.VersionError{Have: v, First: fileVersion, Last: fileVersion}
	}
	store := binary.LittleEndian.Uint32(head[12:])
	order := binary.LittleEndian.Uint32(head[16:])
	vocab := binary.LittleEndian.Uint32(head[20:])
	if store > uint32(Quantised) || order < 1 || order > MaxOrder || vocab < 1 || vocab > MaxVocab {
		return s, errHeader
	}
	if least := headBytes + int64(order)*orderHeadBytes + checksumBytes; size < least {
		return s, fmt.Errorf("file has %d bytes, its header alone asks for %d: truncated or damaged", size, least)
	}
	s.Store, s.Vocab = Store(store), int(vocab)
	trie := s.Store == Trie || s.Store == Quantised
	err := d.records(int(order), orderHeadBytes, func(i int, b []byte) error {
		entries := binary.LittleEndian.Uint64(b)
		prob, backoff := codingOf(b[8:]), codingOf(b[20:])
		highest := i+1 == int(order)
		switch {
		case i == 0 && entries != uint64(vocab),
			i > 0 && (entries > MaxEntries || entries > uint64(s.Entries[i-1])*uint64(vocab)):
			return fmt.Errorf("impossible number of n-grams of order %d: damaged file", i+1)
		case !prob.possible() || !backoff.possible(),
			!trie && prob != Coding{}, (!trie || highest) && backoff != Coding{}:
			return errHeader
		}
		s.Entries = append(s.Entries, int(entries))
		if trie {
			s.Probs = append(s.Probs, prob)
		}
		if trie && !highest {
			s.Backoffs = append(s.Backoffs, backoff)
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	want := s.fileBytes()
	if want != size {
		return s, fmt.Errorf("file has %d bytes, its header asks for %d: truncated or damaged", size, want)
	}
	if want > math.MaxInt {
		return s, fmt.Errorf("model of %d bytes is too large for this machine", want)
	}
	return s, nil
}

func codingOf(b []byte) Coding {
	return Coding{
		Width: int(binary.LittleEndian.Uint32(b)),
		Book:  int(binary.LittleEndian.Uint32(b[4:])),
		base:  binary.LittleEndian.Uint32(b[8:]),
	}
}

// possible reports whether no sum of the coding's sizes overflows.
func (c Coding) possible() bool {
	return c.Width >= 0 && c.Width <= 32 && c.Book >= 0 && c.Book <= MaxEntries
}
