package speed

import (
	"batchrnn/bench/measure"
	"cmp"
	"context"
	"slices"
	"time"

	"batchrnn/internal/engine"
	"batchrnn/kernels"
)

// KernelOptions say what [Kernels] measures.
type KernelOptions struct {
	ISA     string        // one instruction set; empty: all that the machine has
	Time    time.Duration // of each kernel, and again for the peak beside a tile
	Largest Largest
	// Command repeats the run. It is printed in the result.
	Command string
}

// Validate returns an [option.Error] for the first invalid option.
func (o KernelOptions) Validate() error {
	return cmp.Or(checkTime(o.Time), o.Largest.validate())
}

// A KernelResult is one run of [Kernels]. Its JSON form is stable: fields may be added,
// not renamed. A figure that does not apply to a row is omitted.
type KernelResult struct {
	Format  int             `json:"format"`  // Format
	Machine measure.Machine `json:"machine"` // its instruction set is the one that the dispatch picks
	Command string          `json:"command"`
	Rows    []KernelRow     `json:"rows"`
	// Calls has the longest call of each kernel, the longest first.
	Calls       []LongCall `json:"calls"`
	Interrupted bool       `json:"interrupted"` // before all was measured
}

// The kinds of [KernelRow].
const (
	KindTile       = "tile"
	KindActivation = "activation"
	KindVector     = "vector"
	KindReduction  = "reduction"
	KindSoftmax    = "softmax"
	KindOptimizer  = "optimizer"
	KindPacking    = "packing"
)

// KernelRow is one measured kernel, on one thread.
type KernelRow struct {
	Kind    string `json:"kind"`
	ISA     string `json:"isa"`
	Name    string `json:"name"`
	Rows    int    `json:"rows,omitempty"`    // of a tile
	Columns int    `json:"columns,omitempty"` // of a tile
	K       int    `json:"k,omitempty"`       // depth of a tile
	N       int    `json:"n,omitempty"`       // elements, of all but tiles

	Runs          int     `json:"runs"`
	Seconds       float64 `json:"seconds"` // of one call in the best run
	MedianSeconds float64 `json:"median_seconds"`

	GFLOPS      float64 `json:"gflops,omitempty"`
	PeakGFLOPS  float64 `json:"peak_gflops,omitempty"`
	PercentPeak float64 `json:"percent_peak,omitempty"`
	// PickedFor lists the batches whose product with K×K weights runs this tile.
	PickedFor []int `json:"picked_for_batches,omitempty"`

	GElementsPerSecond float64 `json:"gelements_per_s,omitempty"`
	GBPerSecond        float64 `json:"gb_per_s,omitempty"` // bytes read and written
}

const (
	// tileDepth is K of the tiles. Products with this hidden width show which tiles are
	// picked.
	tileDepth = 512
	// Two vectors of smallVector fit L1. One of largeVector fits no cache of one core.
	smallVector, largeVector = 1 << 12, 1 << 20
)

// pickedBatches are the batches for which the picked tiles are shown.
var pickedBatches = []int{1, 2, 4, 8, 16, 32, 64}

// Kernels measures kernels one by one, on one thread.
type Kernels struct {
	KernelOptions
	chosen  string
	engines []*kernels.Engine // of the Sets to measure
}

// NewKernels checks o and makes the engines. The caller closes the Kernels.
func NewKernels(o KernelOptions) (*Kernels, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	chosen, err := engine.New("", 1)
	if err != nil {
		return nil, err
	}
	k := &Kernels{KernelOptions: o, chosen: chosen.ISA()}
	chosen.Close()
	isas := kernels.FloatISAs()
	if o.ISA != "" {
		isas = []string{o.ISA}
	}
	for _, isa := range isas {
		e, err := engine.New(isa, 1)
		if err != nil {
			k.Close()
			return nil, err
		}
		k.engines = append(k.engines, e)
	}
	return k, nil
}

// Close stops the engines.
func (k *Kernels) Close() {
	for _, e := range k.engines {
		e.Close()
	}
}

// Heading returns the result before any measurement.
func (k *Kernels) Heading() KernelResult {
	return KernelResult{
		Format:  Format,
		Machine: measure.ThisMachine(k.chosen, 1),
		Command: k.Command,
		Rows:    []KernelRow{},
		Calls:   []LongCall{},
	}
}

// Run measures everything and calls on with the progress. If ctx ends, Run returns soon
// with the measurements so far and Interrupted set.
func (k *Kernels) Run(ctx context.Context, on func(nth, of int, name string)) KernelResult {
	r := k.Heading()
	parts := []struct {
		name string
		run  func(ctx context.Context, r *KernelResult, e *kernels.Engine) error
	}{{"tiles", k.tiles}, {"vectors", k.vectors}, {"longest call", k.calls}}
	for i, e := range k.engines {
		for j, part := range parts {
			on(i*len(parts)+j+1, len(parts)*len(k.engines), e.ISA()+", "+part.name)
			if err := part.run(ctx, &r, e); err != nil { // always that of ctx
				r.Interrupted = true
				return r
			}
		}
	}
	return r
}

// tiles measures every tile.
func (k *Kernels) tiles(ctx context.Context, r *KernelResult, e *kernels.Engine) error {
	picked := picks(e.ISA())
	for _, p := range kernels.Probes(e, tileDepth) {
		if p.Flops == 0 {
			continue
		}
		x, err := timeFlops(ctx, k.Time, e, p.Flops, p.Run)
		if err != nil {
			return err
		}
		r.Rows = append(r.Rows, KernelRow{
			Kind: KindTile, ISA: e.ISA(), Name: p.Name, Rows: p.Rows, Columns: p.Columns, K: tileDepth,
			Runs: x.runs, Seconds: x.best, MedianSeconds: x.median,
			GFLOPS: x.gflops(), PeakGFLOPS: x.peak / 1e9, PercentPeak: x.percent(), PickedFor: picked[p.Name],
		})
	}
	return nil
}

// picks returns, by tile, the batches whose products with square weights run it. It
// runs the products on a traced engine and records which tiles are called.
func picks(isa string) map[string][]int {
	picked := map[string][]int{}
	b := 0 // 0 during preparation, which calls kernels too
	e, err := kernels.Trace(isa, func(c kernels.Call) {
		if b > 0 && !slices.Contains(picked[c.Kernel], b) {
			picked[c.Kernel] = append(picked[c.Kernel], b)
		}
	})
	if err != nil {
		panic(err) // there is an engine of this name
	}
	defer e.Close()
	for _, batch := range pickedBatches {
		p := newProduct(e, tileDepth, batch)
		b = batch
		e.Gemm(p.Product)
		b = 0
	}
	return picked
}

// vectors measures all other kernels, on data in L1 and on data in no core's cache.
func (k *Kernels) vectors(ctx context.Context, r *KernelResult, e *kernels.Engine) error {
	measure := func(kind, name string, n int, bytes float64, f func()) error {
		t, err := timeTogether(ctx, k.Time, f)
		if err != nil {
			return err
		}
		r.Rows = append(r.Rows, KernelRow{
			Kind: kind, ISA: e.ISA(), Name: name, N: n,
			Runs: t[0].runs, Seconds: t[0].best, MedianSeconds: t[0].median,
			GElementsPerSecond: float64(n) / t[0].best / 1e9, GBPerSecond: bytes / t[0].best / 1e9,
		})
		return nil
	}
	for _, n := range []int{smallVector, largeVector} {
		for _, op := range operations(e, n) {
			if err := measure(op.kind, op.name, n, float64(n*op.bytes), op.run); err != nil {
				return err
			}
		}
	}
	for _, p := range kernels.Probes(e, tileDepth) {
		if p.Flops != 0 {
			continue
		}
		if err := measure(KindPacking, p.Name, int(p.Bytes)/8, p.Bytes, p.Run); err != nil {
			return err
		}
	}
	return nil
}
