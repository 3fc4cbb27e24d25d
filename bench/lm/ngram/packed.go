package ngram

import "encoding/binary"

// packed holds numbers of up to 32 bits, each in width bits. The first is in the lowest
// bits of the first byte.
type packed struct {
	width uint
	bits  []byte // [packedBytes]
}

// guardBytes follow the numbers, so that each number can be read with an 8-byte load.
const guardBytes = 8

// packedBytes returns the bytes of n numbers.
func packedBytes(n, width int) int64 {
	return (int64(n)*int64(width)+7)/8 + guardBytes
}

func newPacked(n, width int) packed {
	return packed{width: uint(width), bits: make([]byte, packedBytes(n, width))}
}

func (p *packed) at(i uint32) uint32 {
	bit := uint64(i) * uint64(p.width)
	v := binary.LittleEndian.Uint64(p.bits[bit>>3:]) >> (bit & 7)
	return uint32(v & (1<<p.width - 1))
}

// set stores v, of at most width bits, at i, which must still be 0.
func (p *packed) set(i, v uint32) {
	bit := uint64(i) * uint64(p.width)
	b := p.bits[bit>>3:]
	binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)|uint64(v)<<(bit&7))
}
