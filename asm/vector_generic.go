package asm

func addGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func mulGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func axpyGeneric[T Float](y, x []T, alpha T) {
	x = x[:len(y)]
	for i := range y {
		y[i] += T(alpha * x[i])
	}
}

func scaleGeneric[T Float](x []T, alpha T) {
	for i := range x {
		x[i] *= alpha
	}
}
