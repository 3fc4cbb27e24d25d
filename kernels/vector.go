package kernels

// Add sets dst to a + b. dst may be a or b.
func (o serial) Add(dst, a, b []float32) {
	checkLen("Add", "a", len(a), len(dst))
	checkLen("Add", "b", len(b), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.Add(dst[lo:hi], a[lo:hi], b[lo:hi])
	}
}

// Mul sets dst to a·b, element by element. dst may be a or b.
func (o serial) Mul(dst, a, b []float32) {
	checkLen("Mul", "a", len(a), len(dst))
	checkLen("Mul", "b", len(b), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.Mul(dst[lo:hi], a[lo:hi], b[lo:hi])
	}
}

// Clear sets x to zeros. Unlike clear(x), it has points at which the runtime can stop
// it.
//
//go:noinline
func (o serial) Clear(x []float32) {
	for lo := 0; lo < len(x); lo += elementsPerCall {
		clear(x[lo:callEnd(lo, len(x))])
	}
}

// Copy sets dst to src, which must have the same length. Unlike copy(dst, src), it has
// points at which the runtime can stop it.
//
//go:noinline
func (o serial) Copy(dst, src []float32) {
	checkLen("Copy", "src", len(src), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		copy(dst[lo:hi], src[lo:hi])
	}
}

// Axpy adds alpha·x to y.
func (o serial) Axpy(alpha float32, x, y []float32) {
	checkLen("Axpy", "x", len(x), len(y))
	for lo := 0; lo < len(y); lo += elementsPerCall {
		hi := callEnd(lo, len(y))
		o.set.Axpy(y[lo:hi], x[lo:hi], alpha)
	}
}

// Scale multiplies x by alpha.
func (o serial) Scale(alpha float32, x []float32) {
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		o.set.Scale(x[lo:hi], alpha)
	}
}

// Dot returns the inner product of x and y. It sums chunks of 16,384 elements in float32,
// each in 64 partial sums, and adds the chunks in float64.
func (o serial) Dot(x, y []float32) float64 {
	checkLen("Dot", "y", len(y), len(x))
	var sum float64
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		sum += float64(o.set.Dot(x[lo:hi], y[lo:hi]))
	}
	return sum
}

// SumSquares returns Dot(x, x).
func (o serial) SumSquares(x []float32) float64 {
	var sum float64
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		sum += float64(o.set.SumSq(x[lo:hi]))
	}
	return sum
}

// ColumnSums adds the m rows of a, row stride lda, to dst, row 0 first. Each row has
// len(dst) columns.
func (o serial) ColumnSums(m int, a []float32, lda int, dst []float32) {
	checkMatrix("ColumnSums", "a", a, m, len(dst), lda)
	if len(dst) == 0 {
		return
	}
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		cols := dst[lo:min(lo+elementsPerCall, len(dst))]
		rows := min(elementsPerCall/len(cols), rowsPerCall)
		for i := 0; i < m; i += rows {
			if lo+i > 0 {
				stopPoint()
			}
			o.set.ColSums(min(rows, m-i), cols, &a[i*lda+lo], lda)
		}
	}
}

// ScatterAdd adds row i of src to row ids[i] of table, row 0 first. Each row has n
// floats.
func (o serial) ScatterAdd(n int, ids []int32, src []float32, lds int, table []float32, ldt int) {
	checkMatrix("ScatterAdd", "src", src, len(ids), n, lds)
	checkRows("ScatterAdd", "table", table, n, ldt, ids)
	if n == 0 {
		return
	}
	for i, id := range ids {
		row := table[int(id)*ldt:][:n]
		o.Add(row, row, src[i*lds:][:n])
	}
}
