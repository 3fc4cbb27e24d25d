package blas

import (
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"batchrnn/kernels"
)

// guarded maps n elements that end right before a page without access.
func guarded[T kernels.Float](t *testing.T, n int) []T {
	page, elem := unix.Getpagesize(), int(unsafe.Sizeof(T(0)))
	size := (n*elem + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	if err := unix.Mprotect(mem[size:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[0])), size/elem)
}

// TestGuards calls every routine on operands whose last element is the last of a page.
// Behind it nothing may be read.
func TestGuards(t *testing.T) {
	cases := 30
	if raceDetector {
		cases = 2
	}
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		testGuards(t, e, cases, func(b *Implementation) *api[float64] { return api64(b) })
		testGuards(t, e, cases, func(b *Implementation) *api[float32] { return api32(b) })
	})
}

func testGuards[T kernels.Float](t *testing.T, e *kernels.Engine, cases int, of func(*Implementation) *api[T]) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	const most = 80 * 80
	var arenas [3][]T
	for i := range arenas {
		arenas[i] = guarded[T](t, most)
	}
	r := rand.New(rand.NewPCG(10, 10))
	for _, b := range eachTuning(e) {
		f := of(b)
		for _, routines := range levels {
			for _, routine := range routines {
				for range cases {
					c := newCall[T](r, routine, 1+r.IntN(70), 1+r.IntN(70), 1+r.IntN(70))
					var d [][]T
					for i, f := range c.forms() {
						d = append(d, arenas[i][len(arenas[i])-f.length(c.ld[i]):])
					}
					func() {
						defer func() {
							if v := recover(); v != nil {
								t.Fatalf("%T: %v: %v", T(0), c, v)
							}
						}()
						invoke(f, c, d)
					}()
				}
			}
		}
	}
}
