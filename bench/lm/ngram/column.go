package ngram

import (
	"math"
	"math/bits"
	"slices"
)

// Coding is how a trie packs the values of one order, each in Width bits. If Book is
// above 0, they number one of Book values. If Book is 0, they are the bits of the
// float32 minus the least such bits.
type Coding struct {
	Width, Book int
	base        uint32
}

// quantisedValues is the largest size of a quantised book: codes have 8 bits.
const quantisedValues = 256

func (c Coding) bytes(n int) int64 { return packedBytes(n, c.Width) + 4*int64(c.Book) }

// column holds one value for each n-gram of an order.
type column struct {
	codes packed
	book  []float32 // ascending; nil where the codes are float32 bits above base
	base  uint32
}

// newColumn packs values in the smaller of the two codings. Smoothing gives few
// different back-offs, because they depend on a few small counts. The logarithms of
// probabilities share the upper bits of their exponents.
func newColumn(values []float32) column {
	least, most := uint32(math.MaxUint32), uint32(0)
	for _, v := range values {
		least, most = min(least, floatBits(v)), max(most, floatBits(v))
	}
	book := distinct(values)
	c := smallerCoding(len(values), least, most, len(book))
	if c.Book == 0 {
		book = nil
	}
	return fill(values, c, book)
}

// smallerCoding returns the smaller of the two codings of n values. Their [floatBits] are
// from least to most, and a number of them are distinct.
func smallerCoding(n int, least, most uint32, distinct int) Coding {
	c := Coding{base: least}
	if n > 0 {
		c.Width = bits.Len32(most - least)
	}
	listed := bookCoding(distinct)
	if listed.bytes(n) < c.bytes(n) {
		return listed
	}
	return c
}

// bookCoding returns the coding by a book of n values.
func bookCoding(n int) Coding { return Coding{Width: codeWidth(n), Book: n} }

// newQuantisedColumn packs values rounded to at most quantisedValues different ones.
func newQuantisedColumn(values []float32) column {
	book := distinct(values)
	if len(book) > quantisedValues {
		book = bins(values)
	}
	return fill(values, bookCoding(len(book)), book)
}

func fill(values []float32, coding Coding, book []float32) column {
	if len(book) == 0 {
		book = nil // there are no values
	}
	c := column{codes: newPacked(len(values), coding.Width), book: book, base: coding.base}
	for i, v := range values {
		code := floatBits(v) - c.base
		if book != nil {
			code = nearest(book, v)
		}
		c.codes.set(uint32(i), code)
	}
	return c
}

func (c *column) at(i uint32) float32 {
	code := c.codes.at(i)
	if c.book != nil {
		return c.book[code]
	}
	return math.Float32frombits(c.base + code)
}

func (c *column) coding() Coding {
	return Coding{Width: int(c.codes.width), Book: len(c.book), base: c.base}
}

func (c *column) bytes() int64 { return int64(cap(c.codes.bits)) + 4*int64(cap(c.book)) }

// floatBits returns the bits of v. For both zeros it returns those of -0, which are
// next to the bits of the next lower value.
func floatBits(v float32) uint32 {
	if v == 0 {
		return 1 << 31
	}
	return math.Float32bits(v)
}

// codeWidth returns the number of bits that number n values.
func codeWidth(n int) int { return bits.Len(uint(max(n, 1) - 1)) }

// distinct returns the different values in ascending order, nil if there are no values.
func distinct(values []float32) []float32 {
	list := cut(values)
	slices.Sort(list)
	return cut(slices.Compact(list))
}

// cut returns a copy of list without spare capacity. It copies piece by piece, because
// the runtime can't stop a goroutine within a copy. A copy of 3 million values at once
// delayed a stop of the world by 60 ms.
func cut[T any](list []T) []T {
	const piece = 1 << 14
	c := make([]T, len(list))
	for lo := 0; lo < len(list); lo += piece {
		copyPiece(c[lo:], list[lo:min(lo+piece, len(list))])
	}
	return c
}

// copyPiece is a function of its own, not inlined: the runtime can stop a goroutine at
// its entry.
//
//go:noinline
func copyPiece[T any](dst, src []T) { copy(dst, src) }

// bins returns the ascending means of quantisedValues bins, which hold about equally
// many values. 0 keeps a bin of its own: it is the back-off of every n-gram without
// continuation.
func bins(values []float32) []float32 {
	rest := slices.DeleteFunc(cut(values), func(v float32) bool { return v == 0 })
	slices.Sort(rest)
	b := newBinner(len(rest), len(values)-len(rest))
	for _, v := range rest {
		b.add(v)
	}
	return b.finish()
}

// A binner makes the book of [bins] from values that come in ascending order, without
// zeros.
type binner struct {
	values, bins int // of all
	taken, bin   int // before the current value
	from         int // where the bin begins
	sum          float64
	book         []float32
}

// newBinner returns a binner of some values and zeros, of which the values alone come.
func newBinner(values, zeros int) *binner {
	b := &binner{values: values, bins: quantisedValues, book: make([]float32, 0, quantisedValues)}
	if zeros > 0 {
		b.bins--
		b.book = append(b.book, 0)
	}
	return b
}

func (b *binner) add(v float32) {
	b.sum += float64(v)
	b.taken++
	if b.taken == (b.bin+1)*b.values/b.bins {
		b.book = append(b.book, float32(b.sum/float64(b.taken-b.from)))
		b.sum, b.from = 0, b.taken
		b.bin++
	}
}

// finish returns the book.
func (b *binner) finish() []float32 {
	slices.Sort(b.book)
	return cut(slices.Compact(b.book))
}

// nearest returns the place in book of the value nearest to v, the lower one in a tie.
func nearest(book []float32, v float32) uint32 {
	i, found := slices.BinarySearch(book, v)
	if !found && (i == len(book) || i > 0 && v-book[i-1] <= book[i]-v) {
		i--
	}
	return uint32(i)
}
