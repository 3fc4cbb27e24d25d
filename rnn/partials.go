package rnn

import "batchrnn/kernels"

// The head's gradients are sums over rows. A workspace of several shards makes the sum of
// each shard by itself, with the bits of a workspace that has the shard alone. It adds
// them in the order of [level]. The rows that count stand shard by shard. A block
// is cut into segments at the ends of shards. A workspace without shards is one shard.

// A segment is the rows of a block that belong to one shard. A shard without rows has one
// empty segment: its sum is +0.
type segment struct {
	shard       int // in the workspace
	rows        kernels.Span
	first, last bool // the shard begins here, or ends here
	// The right-hand sides of the products over these rows.
	right [2]kernels.Packed
}

// cutBlock returns a block of rows from lo on, up to hi at most. If it has the end of a
// shard, it ends at the last one: fewer segments cost less than fewer blocks.
func cutBlock(lo, hi int, ends []int) kernels.Span {
	last := hi
	for _, end := range ends {
		if lo < end && end <= hi {
			last = end
		}
	}
	return kernels.Span{Lo: lo, Hi: last}
}

// appendSegments cuts a block out of all rows at the ends of the shards. packs hold the
// right-hand sides of the block.
func appendSegments(segments []segment, rows, all kernels.Span, ends []int, packs ...*kernels.Packed) []segment {
	from := all.Lo
	for i, end := range ends {
		shard := kernels.Span{Lo: from, Hi: end}
		from = end
		s := segment{shard: i, first: shard.Lo >= rows.Lo, last: shard.Hi <= rows.Hi}
		lo, hi := max(shard.Lo, rows.Lo), min(shard.Hi, rows.Hi)
		switch {
		case lo < hi:
			s.rows = kernels.Span{Lo: lo - rows.Lo, Hi: hi - rows.Lo}
			for j, p := range packs {
				p.Part(&s.right[j], s.rows)
			}
		case shard.Len() > 0, lo > hi, lo == rows.Hi && lo < all.Hi: // it is in other blocks
			continue
		}
		segments = append(segments, s)
	}
	return segments
}

// packSegments copies some rows of a block, own, into the first right-hand sides of its
// segments. a begins with the first of these rows.
func packSegments(w *kernels.Worker, segments []segment, own kernels.Span, a []float32, lda int) {
	for i := range segments {
		s := &segments[i]
		lo, hi := max(own.Lo, s.rows.Lo), min(own.Hi, s.rows.Hi)
		if lo < hi {
			w.PackRows(&s.right[0], kernels.Span{Lo: lo - s.rows.Lo, Hi: hi - s.rows.Lo}, a[(lo-own.Lo)*lda:], lda)
		}
	}
}

// partials are the sums of one gradient at each level. That of level 0 is in Grads.
type partials [][]float32

// makeLevels allocates the levels for count shards.
func (p *partials) makeLevels(count int) {
	for len(*p) < levels(count) {
		*p = append(*p, kernels.Floats(len((*p)[0])))
	}
}

// partialBytes is the size of the part of a gradient that all segments of a block pass
// together. L2 has room for it at several levels.
const partialBytes = 128 << 10

// addProducts adds aᵀ·B over the rows of each segment. a is the block's, with row stride
// lda. B is a right-hand side of the segments, out of pack. The worker has some rows of
// the gradient, which are columns of a, and some panels of B.
func (p partials) addProducts(w *kernels.Worker, segments []segment, right int, a []float32, lda int, rows kernels.Span, pack *kernels.Packed, panels kernels.Span) {
	n, cols := pack.N, pack.Columns(panels)
	part := rows.Len()
	if len(segments) > 1 {
		part = max(partialBytes/(4*n)/partialRows, 1) * partialRows
	}
	for lo := rows.Lo; lo < rows.Hi; lo += part {
		own := kernels.Span{Lo: lo, Hi: min(lo+part, rows.Hi)}
		for i := range segments {
			s := &segments[i]
			l, additions := level(s.shard)
			if s.rows.Len() > 0 {
				x := kernels.Product{
					M: own.Len(),
					A: a[s.rows.Lo*lda+own.Lo:], LDA: lda, TransA: true,
					B: &s.right[right],
					C: p[l][own.Lo*n:], LDC: n,
				}
				if !s.first {
					x.Add, x.LDAdd = x.C, n
				}
				w.Gemm(x, panels)
			} else {
				for row := own.Lo; row < own.Hi; row++ {
					w.Clear(p[l][row*n:][cols.Lo:cols.Hi])
				}
			}
			if !s.last {
				continue
			}
			for ; additions > 0; additions-- {
				l--
				p.join(w, l, n, own, cols)
			}
		}
	}
}

// join adds some elements of level l+1 to level l.
func (p partials) join(w *kernels.Worker, l, n int, rows, cols kernels.Span) {
	if cols.Len() == n { // one piece
		cols = kernels.Span{Lo: rows.Lo * n, Hi: rows.Hi * n}
		rows = kernels.Span{Hi: 1}
	}
	for row := rows.Lo; row < rows.Hi; row++ {
		to := p[l][row*n:][cols.Lo:cols.Hi]
		w.Add(to, to, p[l+1][row*n:][cols.Lo:cols.Hi])
	}
}

// partialRows is a multiple of the number of rows of a tile in most Sets.
const partialRows = 24

// addColumns adds the rows of each segment. a is the block's, with row stride lda. The
// worker has some columns.
func (p partials) addColumns(w *kernels.Worker, segments []segment, a []float32, lda int, cols kernels.Span) {
	for i := range segments {
		s := &segments[i]
		l, additions := level(s.shard)
		to := p[l][cols.Lo:cols.Hi]
		if s.first {
			w.Clear(to)
		}
		if s.rows.Len() > 0 {
			w.ColumnSums(s.rows.Len(), a[s.rows.Lo*lda+cols.Lo:], lda, to)
		}
		if !s.last {
			continue
		}
		for ; additions > 0; additions-- {
			l--
			p.join(w, l, 0, kernels.Span{Hi: 1}, cols)
		}
	}
}
