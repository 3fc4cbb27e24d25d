package kernels

import (
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"

	"batchrnn/asm"
)

// This file is for tests and measurements. It shows the kernels of an engine one by
// one, and can replace its policy.

// ForceTeams makes size decide how many workers a region has in each phase. size is
// called before each region and at each of its barriers, with the maximum number of
// workers. The region then waits for as many workers as size returns, even on a busy
// machine. A nil size restores the policy. No region may run during the call.
func ForceTeams(e *Engine, size func(most int) int) { e.pool.force = size }

// A Probe is one kernel, with arguments on which it can run again and again.
type Probe struct {
	Name          string // the raw symbol, such as "sgemmAVX512_12x32"
	Rows, Columns int    // of a tile; 0 for other kernels
	Flops         float64
	Bytes         float64 // read and written by a kernel that is not a tile
	Run           func()
}

// Probes returns the kernels of e that no operation of this package runs alone. These
// are every packed tile, on a depth of k, and the kernels that pack operands. They run
// on the calling goroutine and share their arguments.
func Probes(e *Engine, k int) []Probe {
	s := e.set
	lda := k + gatherPad // rows at multiples of 4 KB would measure conflicts in L1
	ldc := asm.MaxPanels * s.NR
	a, b := varied(s.MR*lda), varied(ldc*k)
	c, layout := Floats(s.MR*ldc), Floats(max(s.MR, s.NR)*k)
	m := newMultiplier(&s.Kernels) // for its stand-ins

	var probes []Probe
	tile := func(f asm.Tile[float32], rows, cols int) {
		if f == nil {
			return
		}
		bs := k * s.NR
		if cols <= s.NR {
			bs = 0 // nothing to prefetch
		}
		probes = append(probes, Probe{Name: symbol(f), Rows: rows, Columns: cols, Flops: 2 * float64(rows*cols*k), Run: func() {
			f(k, &a[0], lda, 1, &b[0], bs, m.zeros, 0, rowsInOrder, m.zeroBias, &c[0], ldc, cols, asm.Identity)
		}})
	}
	for rows := 1; rows <= s.MR; rows++ {
		tile(s.Gemm[rows].Half, rows, s.NR/2)
		for panels, f := range s.Gemm[rows].Panels {
			tile(f, rows, panels*s.NR)
		}
	}
	return append(probes,
		Probe{Name: symbol(s.Pack), Bytes: 8 * float64(k*s.NR), Run: func() { s.Pack(k, s.NR, &layout[0], &b[0], ldc) }},
		Probe{Name: symbol(s.PackT), Bytes: 8 * float64(k*s.NR), Run: func() { s.PackT(k, s.NR, &layout[0], &b[0], k) }},
		Probe{Name: symbol(s.Strip), Bytes: 8 * float64(k*s.MR), Run: func() { s.Strip(k, s.MR, &layout[0], &b[0], ldc) }},
	)
}

// varied returns n numbers between -1 and 1.
func varied(n int) []float32 {
	x := Floats(n)
	for i := range x {
		x[i] = float32(i*7919%2003)/1001 - 1
	}
	return x
}

// symbol returns the name of f without its package and its types.
func symbol(f any) string {
	name := strings.TrimSuffix(runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name(), "[...]")
	return name[strings.LastIndexByte(name, '.')+1:]
}

// ReadPacked reads all of p once and returns the sum of its squares. A product of one
// row also reads all of p, so this plain read is its measure.
func ReadPacked(e *Engine, p *Packed) float64 { return e.SumSquares(p.data) }

// A Call is one call of a kernel, recorded by [Trace].
type Call struct {
	Kernel string // the raw symbol
	// Size holds the leading integer arguments, and then the length of the first
	// vector, as far as they exist. For a tile that is its depth.
	Size [2]int
	Took time.Duration
}

// Trace returns an engine of one thread for the named instruction set. It times every
// call of a kernel and passes it to tell. That makes a call about 1 µs longer. A trace
// shows which kernels the loops call, and how long each call takes.
func Trace(isa string, tell func(Call)) (*Engine, error) {
	set, err := find(isa)
	if err != nil {
		return nil, err
	}
	traced := *set
	trace(reflect.ValueOf(&traced).Elem(), tell)
	return newEngine(&traced, 1), nil
}

// readControl is the type of a kernel that every region calls. Trace leaves it out.
var readControl = reflect.TypeFor[func(*uint32)]()

// trace replaces every function within v, a Set or part of one, by one that calls and
// times it. Because it uses reflection, it covers new kernels too.
func trace(v reflect.Value, tell func(Call)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			trace(v.Field(i), tell)
		}
	case reflect.Array:
		for i := range v.Len() {
			trace(v.Index(i), tell)
		}
	case reflect.Func:
		if v.IsNil() || v.Type() == readControl {
			return
		}
		kernel := reflect.ValueOf(v.Interface()) // a copy, because the field is about to change
		name := symbol(v.Interface())
		v.Set(reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
			start := time.Now()
			results := kernel.Call(args)
			tell(Call{name, callSize(args), time.Since(start)})
			return results
		}))
	}
}

func callSize(args []reflect.Value) (size [2]int) {
	for i := range min(len(size), len(args)) {
		switch args[i].Kind() {
		case reflect.Int:
			size[i] = int(args[i].Int())
			continue
		case reflect.Slice:
			size[i] = args[i].Len()
		}
		break
	}
	return size
}

// SizeString formats the sizes: "4096" or "6×2560".
func (c Call) SizeString() string {
	if c.Size[1] == 0 {
		return strconv.Itoa(c.Size[0])
	}
	return fmt.Sprintf("%d×%d", c.Size[0], c.Size[1])
}
