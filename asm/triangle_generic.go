package asm

func trsmGeneric[T Float](rows, k int, a *T, rs, cs int, d *T, p *T, c *T, ldc, n int, divide bool) {
	for i := range rows {
		x, last, negative := row(c, i*ldc, n), row(d, i, 1)[0], row(p, (k+i)*genericNR, n)
		for s := range k + i {
			addTo(x, row(a, i*rs+s*cs, 1)[0], row(p, s*genericNR, n))
		}
		for j, v := range x {
			if divide {
				v /= last
			} else {
				v *= last
			}
			x[j] = v
			negative[j] = -v
		}
	}
}

func trmmGeneric[T Float](rows, k int, a *T, rs, cs int, d *T, p *T, c *T, ldc, n int) {
	for i := range rows {
		x := row(c, i*ldc, n)
		clear(x)
		for s := range k + i {
			addTo(x, row(a, i*rs+s*cs, 1)[0], row(p, s*genericNR, n))
		}
		addTo(x, row(d, i, 1)[0], row(p, (k+i)*genericNR, n))
	}
}

// addTo adds factor·y to x.
func addTo[T Float](x []T, factor T, y []T) {
	for j, v := range y {
		x[j] += T(factor * v)
	}
}
