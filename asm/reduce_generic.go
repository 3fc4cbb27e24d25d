package asm

import (
	"math"
	"unsafe"
)

// laneCount is the number of partial sums of a reduction.
func laneCount[T Float]() int { return Lanes * 4 / int(unsafe.Sizeof(*new(T))) }

// DoubleLanes elements at a time go into lanes that lie side by side: all of float64's,
// every second time the upper half of float32's.

func dotGeneric[T Float](x, y []T) T {
	var lanes [Lanes]T
	y = y[:len(x)]
	at := 0
	for len(x) >= DoubleLanes {
		sums, x32, y32 := (*[DoubleLanes]T)(lanes[at:]), (*[DoubleLanes]T)(x), (*[DoubleLanes]T)(y)
		for i := range sums {
			sums[i] += T(x32[i] * y32[i])
		}
		x, y = x[DoubleLanes:], y[DoubleLanes:]
		at = (at + DoubleLanes) % laneCount[T]()
	}
	sums := lanes[at:]
	for i := range x {
		sums[i] += T(x[i] * y[i])
	}
	return joinLanes(&lanes)
}

func sumSqGeneric[T Float](x []T) T { return dotGeneric(x, x) }

func absSumGeneric[T Float](x []T) T {
	var lanes [Lanes]T
	at := 0
	for len(x) >= DoubleLanes {
		sums, x32 := (*[DoubleLanes]T)(lanes[at:]), (*[DoubleLanes]T)(x)
		for i := range sums {
			sums[i] += abs(x32[i])
		}
		x = x[DoubleLanes:]
		at = (at + DoubleLanes) % laneCount[T]()
	}
	sums := lanes[at:]
	for i := range x {
		sums[i] += abs(x[i])
	}
	return joinLanes(&lanes)
}

func maxAbsGeneric[T Float](x []T) (largest T) {
	for _, v := range x {
		if v = abs(v); v > largest {
			largest = v
		}
	}
	return largest
}

func abs[T Float](x T) T { return T(math.Abs(float64(x))) }

func gemvGeneric[T Float](m int, y *T, a *T, lda int, x []T, alpha, beta T) {
	dst := row(y, 0, m)
	for i := range dst {
		s := T(alpha * dotGeneric(row(a, i*lda, len(x)), x))
		if beta != 0 {
			s += T(beta * dst[i])
		}
		dst[i] = s
	}
}

func gemvTGeneric[T Float](m int, dst []T, a *T, lda int, x *T, alpha T) {
	for i, v := range row(x, 0, m) {
		axpyGeneric(dst, row(a, i*lda, len(dst)), alpha*v)
	}
}

func gerGeneric[T Float](m int, a *T, lda int, x *T, incx int, y []T, alpha T) {
	for i := range m {
		axpyGeneric(row(a, i*lda, len(y)), y, alpha*row(x, i*incx, 1)[0])
	}
}

func colSumsGeneric(m int, dst []float32, a *float32, lda int) {
	for i := range m {
		addGeneric(dst, dst, row(a, i*lda, len(dst)))
	}
}

// joinLanes adds the partial sums of a reduction by the tree of [Kernels.Dot].
func joinLanes[T Float](lanes *[Lanes]T) T {
	quarter := laneCount[T]() / 4
	var v [Lanes / 4]T
	for i := range quarter {
		v[i] = (lanes[i] + lanes[quarter+i]) + (lanes[2*quarter+i] + lanes[3*quarter+i])
	}
	for half := quarter / 2; half > 0; half /= 2 {
		for i := range half {
			v[i] += v[half+i]
		}
	}
	return v[0]
}
