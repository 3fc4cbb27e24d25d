package kernels

import (
	"fmt"
	"math/bits"
)

// The checks are not inlined, so that callers stay small. Each message names the
// operation, the argument, the wanted and the given size.

// checkMatrix panics unless data holds a rows×cols matrix with row stride ld.
func checkMatrix(op, name string, data []float32, rows, cols, ld int) {
	if rows == 0 && cols >= 0 {
		return
	}
	// An int product might overflow, and a wild size would pass.
	over, last := bits.Mul(uint(rows-1), uint(ld))
	if rows < 0 || cols < 0 || ld < cols || over != 0 || len(data) < cols || last > uint(len(data)-cols) {
		badMatrix(op, name, len(data), rows, cols, ld)
	}
}

func badMatrix(op, name string, have, rows, cols, ld int) {
	if rows < 0 || cols < 0 {
		panic(fmt.Sprintf("kernels: %s: %s can't have %d rows of %d columns", op, name, rows, cols))
	}
	if ld < cols {
		panic(fmt.Sprintf("kernels: %s: ld%s is %d, less than the %d columns of %s", op, name, ld, cols, name))
	}
	panic(fmt.Sprintf("kernels: %s: %s holds %d floats, want %d for %d rows of %d with stride %d",
		op, name, have, (rows-1)*ld+cols, rows, cols, ld))
}

// checkLen panics unless have is want.
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

// checkRows panics unless the table holds every row that ids name. Rows have n floats
// and row stride ld.
func checkRows(op, name string, table []float32, n, ld int, ids []int32) {
	if len(ids) == 0 {
		return
	}
	if n < 0 || ld < n {
		badMatrix(op, name, len(table), 1, n, ld)
	}
	if n == 0 {
		return
	}
	rows := (len(table) - n + ld) / ld
	for i, id := range ids {
		if id < 0 || int(id) >= rows {
			panic(fmt.Sprintf("kernels: %s: id %d of row %d is outside %s, which has %d rows", op, id, i, name, rows))
		}
	}
}

func (o serial) checkPacked(op, name string, p *Packed) {
	if p == nil {
		panic(fmt.Sprintf("kernels: %s: %s is nil", op, name))
	}
	if p.nr != o.set.NR {
		panic(fmt.Sprintf("kernels: %s: %s is packed in panels of %d; an engine for %s wants panels of %d",
			op, name, p.nr, o.set.Name, o.set.NR))
	}
	if p.K < 1 || p.N < 1 || len(p.data) != p.Panels()*p.depth()*p.nr {
		panic(fmt.Sprintf("kernels: %s: %s says %d×%d, which is not what it was made for: K and N are for reading", op, name, p.K, p.N))
	}
}
