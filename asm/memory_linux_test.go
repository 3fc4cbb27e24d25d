package asm

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guarded maps at least n elements between two pages without access.
func guarded[T Float](t testing.TB, n int) []T {
	page := unix.Getpagesize()
	elem := int(unsafe.Sizeof(*new(T)))
	size := (n*elem + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, page+size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	for _, guard := range [][]byte{mem[:page], mem[page+size:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[page])), size/elem)
}

// TestGuards shows that the other tests would notice a kernel that reads or
// writes one float too many.
func TestGuards(t *testing.T) {
	arena := newArenas[float32](t, 10)[0]
	before := func(x []float32) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(first(x)), -4)) }
	behind := func(x []float32) *float32 {
		return (*float32)(unsafe.Add(unsafe.Pointer(first(x)), 4*len(x)))
	}
	for _, p := range placements {
		x := arena.place(10, p, false)
		for _, neighbour := range []*float32{before(x), behind(x)} {
			if err := catchFault(func() { nowhere += *neighbour }); err != nil {
				continue
			}
			if !sameBits(*neighbour, canary[float32]()) {
				t.Errorf("%v: neither a fault nor a canary", p)
			}
			*neighbour = 0
			if arena.intact() {
				t.Errorf("%v: the canary did not notice", p)
			}
			*neighbour = canary[float32]()
		}
	}
	x := arena.place(10, placement{end: true}, false)
	if catchFault(func() { nowhere += *behind(x) }) == nil {
		t.Error("no fault behind a slice at the end")
	}
	x = arena.place(10, placement{}, false)
	if catchFault(func() { nowhere += *before(x) }) == nil {
		t.Error("no fault before a slice at the start")
	}
}

var nowhere float32
