package kernels

import "fmt"

// The checks are kept out of line so that callers stay small; each names the
// operation, the argument, the wanted and the given size.

// checkMatrix wants a rows×cols matrix with row stride ld in data.
func checkMatrix(op, name string, data []float32, rows, cols, ld int) {
	if rows == 0 {
		return
	}
	if ld < cols || len(data) < (rows-1)*ld+cols {
		badMatrix(op, name, len(data), rows, cols, ld)
	}
}

func badMatrix(op, name string, have, rows, cols, ld int) {
	if ld < cols {
		panic(fmt.Sprintf("kernels: %s: ld%s is %d, less than the %d columns of %s", op, name, ld, cols, name))
	}
	panic(fmt.Sprintf("kernels: %s: %s holds %d floats, want %d for %d rows of %d with stride %d",
		op, name, have, (rows-1)*ld+cols, rows, cols, ld))
}

// checkLen wants exactly n elements.
func checkLen(op, name string, have, want int) {
	if have != want {
		panic(fmt.Sprintf("kernels: %s: %s has length %d, want %d", op, name, have, want))
	}
}

func checkSpan(op string, s Span, n int) {
	if s.Lo < 0 || s.Hi > n || s.Lo > s.Hi {
		panic(fmt.Sprintf("kernels: %s: span [%d,%d) is not within [0,%d)", op, s.Lo, s.Hi, n))
	}
}

func (e *Engine) checkPacked(p *Packed) {
	if p.nr != e.set.NR {
		panic(fmt.Sprintf("kernels: a matrix packed in panels of %d can't be used by an engine for %s, whose panels hold %d",
			p.nr, e.set.Name, e.set.NR))
	}
}
