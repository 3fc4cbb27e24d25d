package kernels

import (
	"fmt"
	"math"
	"unsafe"

	"batchrnn/asm"
)

// A product with a Packed of int8 quantises its A too, row by row, as [Quantise] does. The
// integer sums are exact, so an element depends on its row and its column alone: see
// asm.Set.Int8. The work of the driver stays the same. Four depths of int8 take the place
// of one of float32.

// quad is the number of depths of int8 that take the place of a float32.
const quad = 4

// int8Depth is the number of rows of a Packed of int8 that have one sum of integers. Beyond
// it the driver stores C and starts again from it, and A has another scale.
const int8Depth = 4096

// NewPackedInt8 returns a packed matrix of int8 with k rows and n columns. All elements
// and all scales are 0.
func (e *Engine) NewPackedInt8(k, n int) *Packed {
	if k < 1 || n < 1 {
		panic(fmt.Sprintf("kernels: NewPackedInt8 of %d×%d: both must be at least 1", k, n))
	}
	p := &Packed{K: k, N: n, nr: e.set.NR, int8: true}
	p.data = Floats(p.Panels() * p.depth() * p.nr)
	return p
}

// PackedInt8Bytes returns the size of a packed k×n matrix of int8 in bytes.
func (e *Engine) PackedInt8Bytes(k, n int) int64 {
	p := Packed{K: k, N: n, nr: e.set.NR, int8: true}
	return int64(p.Panels()) * int64(p.depth()) * int64(p.nr) * 4
}

// depth returns the number of rows of a panel in data.
func (p *Packed) depth() int {
	if !p.int8 {
		return p.K
	}
	return asm.Int8Header*p.blocks() + (p.K+quad-1)/quad
}

// blocks returns the number of blocks of rows of int8.
func (p *Packed) blocks() int { return (p.K + int8Depth - 1) / int8Depth }

// block returns block i of int8: its panels, [Panels][header+k][nr], and the quadruples of
// rows that it has.
func (p *Packed) block(i int) (data []float32, quads Span) {
	n, all := p.blocks(), (p.K+quad-1)/quad
	quads = Span{all * i / n, all * (i + 1) / n}
	at := p.Panels() * p.nr * (asm.Int8Header*i + quads.Lo)
	return p.data[at:][:p.Panels()*p.nr*(asm.Int8Header+quads.Len())], quads
}

// panel returns panel j of a block of int8: the scales of its columns, what asm.Set.Int8
// wants of their sums, [2][nr], and the quadruples of int8, [k][nr][quad].
func (p *Packed) panel(data []float32, quads Span, j int) (scales []float32, sums []int32, q []int8) {
	size := p.nr * (asm.Int8Header + quads.Len())
	data = data[j*size:][:size]
	sums = unsafe.Slice((*int32)(unsafe.Pointer(&data[p.nr])), 2*p.nr)
	return data[:p.nr], sums, unsafe.Slice((*int8)(unsafe.Pointer(&data[asm.Int8Header*p.nr])), quad*p.nr*quads.Len())
}

// checkFloat panics if p is of int8.
func (p *Packed) checkFloat(op string) {
	if p.int8 {
		panic(fmt.Sprintf("kernels: %s: the packed matrix is of int8: make it with NewPacked", op))
	}
}

// checkInt8 panics unless p is of int8, and q and scales hold its elements.
func (p *Packed) checkInt8(op string, q []int8, scales []float32) {
	if !p.int8 {
		panic(fmt.Sprintf("kernels: %s: the packed matrix is of float32: make it with NewPackedInt8", op))
	}
	checkLen(op, "q", len(q), p.K*p.N)
	checkLen(op, "scales", len(scales), p.N)
}

// PackInt8 sets p to int8 from -127 to 127, and the scales of its columns. q is N×K, the
// transpose of p: column j of p is scales[j]·q[j*K:][:K]. It panics if an element is -128.
func (o serial) PackInt8(p *Packed, q []int8, scales []float32) {
	o.checkPacked("PackInt8", "p", p)
	p.checkInt8("PackInt8", q, scales)
	for i := range p.blocks() {
		data, quads := p.block(i)
		first := quad * quads.Lo
		n := min(quad*quads.Len(), p.K-first)
		for j, scale := range scales {
			to, sums, values := p.panel(data, quads, j/p.nr)
			col, sum, negative := j%p.nr, int32(0), int32(0)
			for k, v := range q[j*p.K+first:][:n] {
				if v == math.MinInt8 { // sums of its products don't fit 16 bits
					panic(fmt.Sprintf("kernels: PackInt8: q[%d] is -128: values are from -127 to 127, as Quantise gives them", j*p.K+first+k))
				}
				values[p.at(k, col)] = v
				sum += int32(v)
				negative -= min(int32(v), 0)
			}
			to[col], sums[col], sums[p.nr+col] = scale, 128*sum, negative
		}
	}
}

// Int8 sets q, N×K, and scales to the elements of p: see PackInt8.
func (p *Packed) Int8(q []int8, scales []float32) {
	p.checkInt8("Int8", q, scales)
	for i := range p.blocks() {
		data, quads := p.block(i)
		first := quad * quads.Lo
		n := min(quad*quads.Len(), p.K-first)
		for j := range scales {
			from, _, values := p.panel(data, quads, j/p.nr)
			scales[j] = from[j%p.nr]
			for k := range n {
				q[j*p.K+first+k] = values[p.at(k, j%p.nr)]
			}
		}
	}
}

// at returns the index of an element in a panel of int8.
func (p *Packed) at(row, col int) int { return (row/quad*p.nr+col)*quad + row%quad }

// int8At returns an element of int8, and the scale of its column.
func (p *Packed) int8At(row, col int) (value int8, scale float32) {
	for i := range p.blocks() {
		if data, quads := p.block(i); row < quad*quads.Hi {
			scales, _, values := p.panel(data, quads, col/p.nr)
			return values[p.at(row-quad*quads.Lo, col%p.nr)], scales[col%p.nr]
		}
	}
	panic("kernels: a row beyond the last block")
}

// Quantise rounds a vector to int8. With m the largest magnitude in x, each element is
// multiplied by 127/m and rounded to the nearest integer, ties to even. It returns the
// scale m/127, by which q is to be multiplied. If m is below 2^-100, all of q and the
// scale are 0. It returns false if an element is NaN or infinite.
func Quantise(q []int8, x []float32) (scale float32, ok bool) {
	checkLen("Quantise", "q", len(q), len(x))
	m := float32(0)
	for _, v := range x {
		if v-v != 0 {
			return 0, false
		}
		m = max(m, v, -v)
	}
	if m < 0x1p-100 {
		clear(q)
		return 0, true
	}
	factor := asm.MaxInt8 / m
	for i, v := range x {
		q[i] = int8(math.RoundToEven(float64(float32(v * factor))))
	}
	return m / asm.MaxInt8, true
}

// Dequantise sets dst to scale·q.
func (o serial) Dequantise(dst []float32, q []int8, scale float32) {
	checkLen("Dequantise", "q", len(q), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.Dequantise(dst[lo:hi], &q[lo], scale)
	}
}

// gemmInt8 is gemm for a B of int8.
func (w *Worker) gemmInt8(p *Product, panels Span) {
	var b block[float32]
	b.operands, b.family = p.operands(), &w.set.Int8
	b.n, b.gather = p.B.N, true
	blocks := p.B.blocks()
	for i := range blocks {
		data, quads := p.B.block(i)
		b.b, b.depth = data[asm.Int8Header*w.set.NR:], asm.Int8Header+quads.Len()
		b.a, b.quantise = p.A[quad*quads.Lo:], p.B.K-quad*quads.Lo
		b.k, b.act = quads.Len(), Identity
		b.noLow = b.k*panels.Len()*w.set.NR > nearPanels
		if i > 0 {
			b.add, b.ldadd, b.addRows, b.bias = p.C, p.LDC, nil, nil
		}
		if i == blocks-1 {
			b.act = p.Act
		}
		w.single.layRows(&b)
		w.single.block(&b, panels)
	}
}
