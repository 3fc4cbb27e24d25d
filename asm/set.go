package asm

// Act selects the function that a GEMM tile applies before it stores. Zero is the
// identity too. The generator reads these numbers.
type Act = int

const (
	Tanh Act = 1 + iota
	ReLU
	Sigmoid
	Identity
)

// A Float is the type of an element.
type Float interface{ float32 | float64 }

// Lanes is the number of partial sums of every reduction over float32: four 512-bit
// registers, eight 256-bit ones. DoubleLanes is that over float64.
const (
	Lanes       = 64
	DoubleLanes = Lanes / 2
)

// MaxRows is the height of the tallest tile in any Set.
const MaxRows = 12

// A Tile computes one register tile of GEMM,
//
//	C = act(S + bias + A·B),
//
// for a fixed number of rows and panels. Strides count elements, and n is the number of
// columns that exist. Strides other than bs may be negative. Tiles of float64 know the
// identity alone: act must be 0 or Identity.
//
// Row i of A at depth p is a[i*rs+p*cs]. B is packed: panel j starts at b[j*bs] and
// holds k rows of [Kernels.NR] elements, zero beyond the matrix's edge. Where a row is a
// multiple of 64 bytes, panels are aligned to 64 bytes. A tile of one panel has no use
// for bs as a stride: it may prefetch k rows from b[bs] on, and they need not exist.
//
// Row i starts from s[ids[i]*ss:][:n] + bias[:n], rounded. S may be C where ids are 0, 1,
// 2, ... Row i of C is c[i*ldc:][:n].
type Tile[T Float] func(k int, a *T, rs, cs int, b *T, bs int, s *T, ss int, ids *int32, bias *T, c *T, ldc int, n int, act Act)

// A PlainTile is a [Tile] for a B that is not packed, of a fixed number of rows and one
// full panel. Row p of B is b[p*ldb:][:NR]. The tile packs the panel into dst, k rows of
// [Kernels.NR] elements, for the tiles below it. It prefetches the NR elements behind
// each row of B; they need not exist.
type PlainTile[T Float] func(k int, a *T, rs, cs int, b *T, ldb int, dst *T, s *T, ss int, ids *int32, bias *T, c *T, ldc int, act Act)

// MaxPanels is the number of panels that the widest tile takes at once.
const MaxPanels = 4

// Tiles are the tiles for one number of rows.
type Tiles[T Float] struct {
	// Half covers the first half of a panel, for n <= NR/2 columns at the edge.
	// It is nil where a Set has none.
	Half Tile[T]
	// Panels holds the tiles by number of panels. The tile for one panel takes any n.
	// Wider tiles want all their columns to exist. They are there for heights at which
	// one panel leaves accumulators free; others are nil.
	Panels [MaxPanels + 1]Tile[T]
	// Plain packs as it computes. It is nil where a Set has none.
	Plain PlainTile[T]
}

// Control is the floating-point mode in which kernels keep their contracts: round to
// nearest, keep subnormals, mask all exceptions. ControlModes are the bits of the mode;
// the others record past exceptions.
const (
	Control      = 0x1f80
	ControlModes = 0xffc0
)

// A Family is the tiles for one format of packed B.
type Family[T Float] struct {
	// MR is the height of the tallest tile.
	MR int
	// TallFirst is set where a tile of MR rows is much faster than lower ones. A product
	// then takes as many tiles of MR rows as it can; else tiles are of equal height.
	TallFirst bool
	// Gemm holds the tiles by number of rows, 1 to MR; Gemm[0] is empty.
	Gemm [MaxRows + 1]Tiles[T]
}

// Int8Header is the number of rows before the weights in a panel of int8.
const Int8Header = 3

// MaxInt8 is the largest magnitude of a quantised value. Without -128 the range is
// symmetric, and sums of two products fit 16 bits.
const MaxInt8 = 127

// Kernels are the kernels of a [Set] that exist for both types of element.
type Kernels[T Float] struct {
	// NR is the width of a panel of packed B.
	NR int
	// KC is the depth of a block of K where rows of A are gathered before use. The
	// driver stores C and starts again from it every KC steps at most. That changes no
	// bits and keeps the rows of some tiles in L2.
	KC int
	// Family is the tiles for a B of elements of type T.
	Family[T]

	// Pack copies the first n columns of src, k rows with stride ld, as one panel:
	// dst[p*NR+j] = src[p*ld+j], zero for n <= j < NR. ld may be negative.
	Pack func(k, n int, dst *T, src *T, ld int)

	// PackT writes the transpose of src, rows [0,n) of k elements with stride ld,
	// as one panel: dst[p*NR+j] = src[j*ld+p], zero for n <= j < NR.
	PackT func(k, n int, dst *T, src *T, ld int)

	// Strip copies n columns, 1 to MR, of a matrix of k rows close together:
	// dst[p*n+j] = src[p*ld+j].
	Strip func(k, n int, dst *T, src *T, ld int)

	// Transpose copies alpha times the transpose of src, m rows of n elements with stride
	// lds: dst[j*ldd+i] = alpha·src[i*lds+j]. Strides may be negative. The cache line behind
	// an element of dst may be prefetched; it need not exist.
	Transpose func(m, n int, alpha T, dst *T, ldd int, src *T, lds int)

	// Trsm solves rows of a lower triangle, at most MR, for n columns, 1 to NR, of C. Row i,
	// column s < k+i of the triangle is a[i*rs+s*cs]; its diagonal is d. The panel p, rows of
	// [Kernels.NR] elements, begins with the negative of the k rows solved before. Row i
	// starts from c[i*ldc:][:n] and takes its products with them and with the rows before it,
	// in one chain of multiply-adds with s ascending. Then it is multiplied by d[i], or
	// divided by it if divide is set. The result replaces C. Its negative goes to p. Columns
	// of p beyond n hold any numbers. C may be the rows of p from k on: the negative is left
	// there. Strides may be negative. Columns behind those of C may be prefetched; they need
	// not exist.
	Trsm func(rows, k int, a *T, rs, cs int, d *T, p *T, c *T, ldc, n int, divide bool)
	// Trmm multiplies rows of a lower triangle, as Trsm takes them, by a panel p of k+rows
	// rows. Element c[i*ldc+j] becomes the sum of a[i*rs+s*cs]·p[s*NR+j] for s < k+i, and
	// d[i]·p[(k+i)*NR+j]: one chain of multiply-adds from 0 with s ascending.
	Trmm func(rows, k int, a *T, rs, cs int, d *T, p *T, c *T, ldc, n int)

	Axpy  func(y, x []T, alpha T) // y += alpha·x
	Scale func(x []T, alpha T)    // x *= alpha
	// Dot is Σ x·y in Lanes or DoubleLanes partial sums from +0. They are joined as
	// (v0+v1) + (v2+v3), where vq is the q-th quarter of the lanes. Then the upper half is
	// added to the lower, until one lane is left. At last +0 is added, so that no sum is -0.
	Dot    func(x, y []T) T
	SumSq  func(x []T) T // Dot(x, x)
	AbsSum func(x []T) T // Σ |x|, in the lanes of Dot
	MaxAbs func(x []T) T // max |x| of what is not NaN; 0 if there is nothing

	// Gemv multiplies A, m rows of len(x) elements with stride lda, by x:
	// y[i] = alpha·s + beta·y[i], where s is Dot of row i and x, to the bit. The two products
	// and their sum are rounded. If beta is 0, y is not read, and nothing is added. y has m
	// elements.
	Gemv func(m int, y *T, a *T, lda int, x []T, alpha, beta T)
	// GemvT multiplies the transpose of A, m rows of len(dst) elements with stride lda, by
	// alpha·x, whose m elements are rounded: dst[j] += z[0]·a[0*lda+j] + z[1]·a[1*lda+j] + …
	// for z = alpha·x, each a chain of multiply-adds that begins at dst[j].
	GemvT func(m int, dst []T, a *T, lda int, x *T, alpha T)
	// Ger adds alpha·x·yᵀ to A, m rows of len(y) elements with stride lda. Each element takes
	// one multiply-add: a[i*lda+j] += z[i]·y[j] for z = alpha·x, rounded. Element i of x is
	// x[i*incx].
	Ger func(m int, a *T, lda int, x *T, incx int, y []T, alpha T)

	// FMAPeak runs n rounds of FMAPeakFlops floating-point operations each, in enough
	// independent chains to fill every multiplier.
	FMAPeak      func(n int)
	FMAPeakFlops int
}

// A Set is the kernels of one instruction set. No function in it is nil, except some of
// the [Tiles]. Sets differ only in speed and in what doc.go allows.
//
// Vectors are slices whose lengths agree: the kernels read the length of the
// first and trust the others.
type Set struct {
	Name string // "generic", "avx2", "avx512", "avx512vnni"

	Kernels[float32]
	Double Kernels[float64] // the same on float64

	// Int8 is the tiles for a B of int8, quantised by column, and an A of int8, quantised
	// by row. Four int8 take the place of a float32 in the arguments of a [Tile], so k is
	// the number of such quadruples:
	//
	//   - Row i of A is what Quantise wrote at a[i*rs]: its scale is a[i*rs+k]. cs is 1.
	//   - Row p of a panel of B holds depths 4p to 4p+3 of each column, as int8 from -127
	//     to 127. Three rows stand before it: b[-3*NR:] are the scales of the columns, as
	//     float32; b[-2*NR:] are 128 times the sums of their weights, as int32; b[-NR:]
	//     are the sums of the magnitudes of their negative weights.
	//
	// An element of C is act(Σ·t + (S + bias)), where Σ is the exact sum of the integer
	// products, converted to float32, and t is the scale of the row times that of the
	// column, rounded. The multiply-add is rounded once. In the generic Set it is rounded
	// twice. Plain tiles don't exist.
	Int8 Family[float32]
	// Quantise rounds src to int8 for the tiles of Int8. With m the largest magnitude in
	// src, each element is multiplied by 127/m and rounded to the nearest integer, ties to
	// even. dst gets ⌈len(src)/4⌉ quadruples, zero beyond src, and then the scale m/127.
	// Each Set has an encoding of its own. If m is below 2^-100, the scale is 0. If an
	// element is NaN or infinite, the scale is NaN.
	Quantise func(dst *float32, src []float32)
	// Dequantise converts int8 to float32: dst[j] = scale·q[j].
	Dequantise func(dst []float32, q *int8, scale float32)

	// In these dst may be src.
	Tanh    func(dst, src []float32) // within 2 ULP
	Sigmoid func(dst, src []float32) // within 2 ULP
	Exp     func(dst, src []float32) // within 2 ULP
	Log     func(dst, src []float32) // within 2 ULP; x < 0 gives NaN, ±0 gives -Inf
	Sqrt    func(dst, src []float32) // correctly rounded; x < 0 gives NaN, -0 stays
	ReLU    func(dst, src []float32) // x < 0 gives +0; -0 and NaN stay

	// The derivative kernels scale an m×n matrix D in place by g'(z), which they
	// take from y = g(z): D[i][j] = d[i*ldd+j], Y[i][j] = y[i*ldy+j].
	TanhGrad    func(m, n int, d *float32, ldd int, y *float32, ldy int) // d · (1 - y²)
	SigmoidGrad func(m, n int, d *float32, ldd int, y *float32, ldy int) // d · y(1 - y)
	ReLUGrad    func(m, n int, d *float32, ldd int, y *float32, ldy int) // y <= 0 gives 0, else d

	// The steps of gated cells work on n units of one row. Z holds groups of n values,
	// group k at z[k*gate:]; dZ is laid out alike. Other vectors hold n floats each.
	// Vectors do not overlap, except that next may be the state before the step: c of
	// an LSTM, h of a GRU.

	// LSTM takes the gates i, f, g, o after their activations from groups 0 to 3:
	//
	//	next = f·c + i·g    h = o·tanh(next)
	//
	// It leaves tanh(next) in group 4.
	LSTM func(n int, z *float32, gate int, c, next, h *float32)
	// LSTMGrad takes dJ/dh = carry + dh, and dJ/dnext from dc. Z is what LSTM left. dZ
	// becomes the gradient of the four pre-activations, dc that of c.
	LSTMGrad func(n int, dz, z *float32, gate int, carry, dh, c, dc *float32)
	// GRU takes r and z after their activations from groups 0 and 1, x from group 2
	// and q from group 3:
	//
	//	ñ = tanh(x + r·q)    next = ñ + z·(h - ñ)
	//
	// It leaves ñ in group 2.
	GRU func(n int, z *float32, gate int, h, next *float32)
	// GRUGrad takes dJ/dnext = carry + dh. Z is what GRU left. dZ becomes the gradient
	// of the pre-activations of r and z, of x, and of q; carry that of h by z alone.
	GRUGrad func(n int, dz, z *float32, gate int, carry, dh, h *float32)

	// Softmax replaces x by scale·softmax(x). It returns max x and Σ exp(x - max), from
	// which the loss follows. len(x) >= 1. Where an element is NaN or +Inf, or all are
	// -Inf, all of x and the sum become NaN; max is then undefined.
	Softmax func(x []float32, scale float32) (max, sum float32)

	Add func(dst, a, b []float32) // dst = a + b; dst may be a or b
	Mul func(dst, a, b []float32) // dst = a·b; dst may be a or b
	// ColSums adds the m rows of A to dst in ascending order:
	// dst[j] += a[0*lda+j] + a[1*lda+j] + …, each a chain that begins at dst[j].
	ColSums func(m int, dst []float32, a *float32, lda int)

	// The optimisers read the gradient as scale·g: clipping needs no pass of its own.
	SGD     func(p, g []float32, scale, lr float32)         // p -= lr·(scale·g)
	Adagrad func(p, g, s []float32, scale, lr, eps float32) // s += g²; p -= lr·g/(√s + eps)
	Adam    func(p, g, m, v []float32, a *AdamArgs)

	// ReadControl returns the calling thread's floating-point mode, MXCSR; WriteControl
	// sets it. Its usual value is [Control]. A library built for fast mathematics may
	// leave a thread in a mode that takes subnormals for zeros. A Set without assembly
	// has no mode: it reads Control.
	ReadControl  func() uint32
	WriteControl func(mode uint32)
}

// AdamArgs are the scalars of one Adam update (Kingma & Ba 2015, algorithm 1):
//
//	g' = Scale·g
//	m  = Beta1·m + (1-Beta1)·g'
//	v  = Beta2·v + (1-Beta2)·g'²
//	p -= Step·m / (√v·RootScale + Eps)
//
// where Step = lr/(1-Beta1^t) and RootScale = 1/√(1-Beta2^t) correct the bias.
type AdamArgs struct {
	Scale, Beta1, OneMinusBeta1, Beta2, OneMinusBeta2, Step, RootScale, Eps float32
}
