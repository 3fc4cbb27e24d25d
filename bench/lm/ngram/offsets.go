package ngram

import (
	"encoding/binary"
	"math/bits"
)

// offsets stores where the children of each n-gram begin in the order above. These are
// n+1 non-decreasing numbers, from 0 to the number of children. They are in Elias-Fano
// coding (Elias 1974, "Efficient storage and retrieval by content and address of static
// files"). The low bits of number i are packed. The high bits, v, are a one at bit i+v.
// It takes about 2 bits for each n-gram and 1 for each doubling of the children per
// n-gram. A plain number takes 20.
type offsets struct {
	low  packed
	high []byte // numbers of highBytes, little-endian
	// samples holds the bit position of every 64th one, from the 0th on.
	samples []uint32
}

const (
	sampleStep = 64
	highBytes  = 8
)

// offsetsShape returns the size of each part of the offsets of n n-grams with the given
// number of children.
func offsetsShape(n, children int) (lowWidth, highWords, samples int) {
	lowWidth = max(0, bits.Len(uint(children/(n+1)))-1)
	return lowWidth, (n+1+children>>lowWidth)/64 + 1, n/sampleStep + 1
}

// offsetsBytes returns the bytes of the offsets of n n-grams.
func offsetsBytes(n, children int) int64 {
	lowWidth, highWords, samples := offsetsShape(n, children)
	return packedBytes(n+1, lowWidth) + highBytes*int64(highWords) + 4*int64(samples)
}

// newOffsets codes the offsets of n n-grams from the parents of their children, which
// ascend.
func newOffsets(n int, parents []uint32) offsets {
	lowWidth, highWords, _ := offsetsShape(n, len(parents))
	o := offsets{low: newPacked(n+1, lowWidth), high: make([]byte, highBytes*highWords)}
	child := 0
	for i := range n + 1 {
		for child < len(parents) && int(parents[child]) < i {
			child++
		}
		o.low.set(uint32(i), uint32(child)&(1<<lowWidth-1))
		bit := i + child>>lowWidth
		o.high[bit/8] |= 1 << (bit % 8)
	}
	o.sample(n)
	return o
}

// sample makes the samples of n+1 offsets. It reports whether high has exactly n+1
// ones.
func (o *offsets) sample(n int) bool {
	o.samples = make([]uint32, n/sampleStep+1)
	ones := 0
	for i := range uint32(len(o.high) / highBytes) {
		for word := o.word(i); word != 0; word &= word - 1 {
			if ones%sampleStep == 0 && ones <= n {
				o.samples[ones/sampleStep] = 64*i + uint32(bits.TrailingZeros64(word))
			}
			ones++
		}
	}
	return ones == n+1
}

// word returns a number of the high bits.
func (o *offsets) word(i uint32) uint64 {
	return binary.LittleEndian.Uint64(o.high[highBytes*int(i):])
}

// span returns where the children of n-gram i begin and end.
func (o *offsets) span(i uint32) (begin, end uint32) {
	bit := o.samples[i/sampleStep]
	word := o.word(bit/64) &^ (1<<(bit%64) - 1)
	at := bit / 64
	skip := int(i % sampleStep) // ones to skip after the sample
	for {
		ones := bits.OnesCount64(word)
		if ones > skip {
			break
		}
		skip -= ones
		at++
		word = o.word(at)
	}
	for ; skip > 0; skip-- {
		word &= word - 1
	}
	begin = (64*at+uint32(bits.TrailingZeros64(word))-i)<<o.low.width | o.low.at(i)
	for word &= word - 1; word == 0; word = o.word(at) {
		at++
	}
	end = (64*at+uint32(bits.TrailingZeros64(word))-i-1)<<o.low.width | o.low.at(i+1)
	return begin, end
}
