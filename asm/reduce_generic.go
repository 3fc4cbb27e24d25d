package asm

func dotGeneric(x, y []float32) float32 {
	var lanes [Lanes]float32
	y = y[:len(x)]
	for len(x) >= Lanes {
		x64, y64 := (*[Lanes]float32)(x), (*[Lanes]float32)(y)
		for i := range lanes {
			lanes[i] += float32(x64[i] * y64[i])
		}
		x, y = x[Lanes:], y[Lanes:]
	}
	for i := range x {
		lanes[i] += float32(x[i] * y[i])
	}
	return joinLanes(&lanes)
}

func sumSqGeneric(x []float32) float32 { return dotGeneric(x, x) }

func colSumsGeneric(m int, dst []float32, a *float32, lda int) {
	for i := range m {
		addGeneric(dst, dst, row(a, i*lda, len(dst)))
	}
}

// joinLanes adds the partial sums of a reduction by the tree of [Set.Dot].
func joinLanes(lanes *[Lanes]float32) float32 {
	var v [16]float32
	for i := range v {
		v[i] = (lanes[i] + lanes[16+i]) + (lanes[32+i] + lanes[48+i])
	}
	for half := 8; half > 0; half /= 2 {
		for i := range half {
			v[i] += v[half+i]
		}
	}
	return v[0]
}
