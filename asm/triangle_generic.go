package asm

// The triangles of the generic Set have as many rows as its tiles.
const genericMR = 2

func trsmGeneric[T Float](rows int, t *T, p *T, c *T, ldc, n int, divide bool) {
	for i := range rows {
		x, factors := row(c, i*ldc, n), row(t, i*genericMR, i+1)
		for s, f := range factors[:i] {
			for j, v := range row(c, s*ldc, n) {
				x[j] -= T(f * v)
			}
		}
		for j, v := range x {
			if divide {
				x[j] = v / factors[i]
			} else {
				x[j] = v * factors[i]
			}
		}
		negative := row(p, i*genericNR, genericNR)
		clear(negative)
		for j, v := range x {
			negative[j] = -v
		}
	}
}

func trmmGeneric[T Float](rows int, t *T, p *T, c *T, ldc, n int) {
	for i := range rows {
		x := row(c, i*ldc, n)
		for s, f := range row(t, i*genericMR, i+1) {
			for j, v := range row(p, s*genericNR, n) {
				x[j] += T(f * v)
			}
		}
	}
}
