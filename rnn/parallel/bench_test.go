package parallel

import (
	"fmt"
	"testing"
)

// sumSizes are the floats of the sums that benchmarks make: those of small nets, of a
// layer of 512 units, and of a large word table.
var sumSizes = []int{1 << 12, 1 << 20, 1 << 22}

// loopSums makes n sums of x.
func loopSums(r Reducer, x []float32, n int) error {
	for range n {
		r.Sum(x)
		if err := r.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLocal is Sum between two ranks of one process.
func BenchmarkLocal(b *testing.B) {
	for _, size := range sumSizes {
		b.Run(fmt.Sprintf("%d_KB", size*4>>10), func(b *testing.B) {
			b.SetBytes(4 * int64(size))
			for _, err := range together(Local(2), func(r Reducer) error { return loopSums(r, make([]float32, size), b.N) }) {
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
}
