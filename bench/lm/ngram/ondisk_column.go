package ngram

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"
)

// diskColumn is a column whose values are in a file.
type diskColumn struct {
	values *tempFile // [n] float32
	n      int
	coding Coding
	book   *tempFile // ascending float32; nil without a book
	short  []float32 // the book of a quantised column
}

// newColumn returns the column that newColumn or newQuantisedColumn packs. Each value must
// be legal.
func (e *diskEstimate) newColumn(values *tempFile, n int, quantise bool, legal func(float32) bool) diskColumn {
	c := diskColumn{values: values, n: n}
	least, most, zeros := uint32(math.MaxUint32), uint32(0), 0
	s := e.newSorter(e.second, 1, true)
	values.rewind()
	for i := 0; i < n && e.err == nil; i++ {
		v := values.nextFloat32()
		if !legal(v) {
			e.fail(fmt.Errorf("ngram: n-gram %d has the value %v: must be finite, and at most 0 for a log-probability", i, v))
		}
		least, most = min(least, floatBits(v)), max(most, floatBits(v))
		if v == 0 {
			zeros++
		}
		s.next()[0] = uint64(ascending(v))<<32 | 1
	}
	values.stop()

	sorted := s.merge(e.second)
	c.book = e.newFile()
	distinct := 0
	var bins *binner
	if quantise {
		bins = newBinner(n-zeros, zeros)
	}
	for r := sorted.next(); r != nil; r = sorted.next() {
		v := descending(uint32(r[0] >> 32))
		c.book.float32(v)
		if distinct++; !quantise {
			continue
		}
		if distinct <= quantisedValues {
			c.short = append(c.short, v)
		}
		for count := uint32(r[0]); count > 0 && v != 0; count-- {
			bins.add(v)
		}
	}
	c.book.end()
	s.close()
	if quantise {
		if distinct > quantisedValues {
			c.short = bins.finish()
		}
		c.coding = bookCoding(len(c.short))
	} else {
		c.coding = smallerCoding(n, least, most, distinct)
	}
	if quantise || c.coding.Book == 0 {
		c.book.close()
		c.book = nil
	}
	return c
}

// ascending returns the bits of v in an order that ascends with v.
func ascending(v float32) uint32 {
	b := math.Float32bits(v)
	if b>>31 != 0 {
		return ^b
	}
	return b | 1<<31
}

// descending inverts ascending.
func descending(b uint32) float32 {
	if b>>31 != 0 {
		return math.Float32frombits(b &^ (1 << 31))
	}
	return math.Float32frombits(^b)
}

// writeColumn writes a column, as encoder.column does, and removes its files.
func (e *diskEstimate) writeColumn(out *encoder, c *diskColumn) {
	code := func(v float32) uint32 { return floatBits(v) - c.coding.base }
	switch {
	case c.book != nil:
		if e.ok() {
			c.book.copyTo(out)
		}
		code = e.newBookIndex(c.book, c.coding.Book).code
	case c.short != nil:
		for _, v := range c.short {
			out.float32(v)
		}
		code = func(v float32) uint32 { return nearest(c.short, v) }
	}
	p := packer{e: out, width: uint(c.coding.Width)}
	c.values.rewind()
	for i := 0; i < c.n && e.err == nil; i++ {
		p.add(code(c.values.nextFloat32()))
	}
	p.end()
	c.values.close()
	if c.book != nil {
		c.book.close()
	}
}

// A bookIndex finds values in a book on disk. It has every step-th of them in memory.
type bookIndex struct {
	disk  *disk
	book  *tempFile
	n     int // values
	step  int
	known []uint64 // every step-th value, by ascending

	block []byte // values from known[at] on
	at    int    // -1: none
}

// newBookIndex returns an index of n values. It lies in the first half of the room.
func (e *diskEstimate) newBookIndex(book *tempFile, n int) *bookIndex {
	x := &bookIndex{disk: e.disk, book: book, n: n, step: (n + len(e.first) - 1) / len(e.first), at: -1}
	if most := len(e.in) / 4; x.step > most {
		e.fail(fmt.Errorf("ngram: %d different back-offs or log-probabilities are too many for the memory given: give twice as much", n))
		x.step = most
	}
	x.known = e.first[:0]
	book.rewind()
	for i := 0; i < n && e.err == nil; i++ {
		v := book.nextFloat32()
		if i%x.step == 0 {
			x.known = append(x.known, uint64(ascending(v)))
		}
	}
	book.stop()
	return x
}

// code returns the place of v in the book.
func (x *bookIndex) code(v float32) uint32 {
	key := ascending(v)
	at := sort.Search(len(x.known), func(i int) bool { return x.known[i] > uint64(key) }) - 1
	if x.step == 1 || at < 0 {
		return uint32(max(at, 0))
	}
	if at != x.at {
		x.at, x.block = at, x.disk.in[:4*min(x.step, x.n-at*x.step)]
		if !x.disk.ok() || !x.disk.readAt(x.book.file, x.block, 4*int64(at)*int64(x.step)) {
			x.at = -1
			return 0
		}
	}
	within := sort.Search(len(x.block)/4, func(i int) bool {
		return ascending(math.Float32frombits(binary.LittleEndian.Uint32(x.block[4*i:]))) > key
	}) - 1
	return uint32(at*x.step + max(within, 0))
}
