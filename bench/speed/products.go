package speed

import (
	"context"
	"math"

	"batchrnn/kernels"
)

// A product is B rows of activations times packed H×H weights, as in one step of a
// network.
type product struct {
	kernels.Product
	flops float64
}

func newProduct(e *kernels.Engine, h, b int) product {
	w := e.NewPacked(h, h)
	e.Pack(w, false, randoms(h*h, float32(1/math.Sqrt(float64(h)))), h)
	return product{
		Product: kernels.Product{
			M: b, A: randoms(b*h, 1), LDA: h, B: w, Bias: randoms(h, 1),
			C: kernels.Floats(b * h), LDC: h, Act: kernels.Tanh,
		},
		flops: 2 * float64(b) * float64(h) * float64(h),
	}
}

// gemmISAs returns the instruction sets whose products are measured: those in assembly,
// or all if there are none.
func gemmISAs() []string {
	isas := kernels.FloatISAs()
	return isas[min(1, len(isas)-1):]
}

// gemms measures products on one thread.
func (s *Speed) gemms(ctx context.Context, isa string) (rows []Row, err error) {
	e, err := kernels.New(isa, 1)
	if err != nil {
		panic(err) // the machine reported this Set as available
	}
	defer e.Close()
	for _, h := range []int{256, 512, 1760} {
		for _, b := range []int{16, 32, 64} {
			p := newProduct(e, h, b)
			r, err := timeFlops(ctx, s.Time, e, p.flops, func() { e.Gemm(p.Product) })
			if err != nil {
				return rows, err
			}
			rows = append(rows, Row{Kind: KindGemm, ISA: isa, H: h, B: b, Threads: 1}.rated(r))
		}
	}
	return rows, nil
}

// singles measures products of one row, each the input of the next as in a network.
// They take turns with a plain read of the same packed weights.
func (s *Speed) singles(ctx context.Context) (rows []Row, err error) {
	const steps = 100 // so many that entering the region takes a negligible part
	e := s.engines[1]
	for _, h := range []int{64, 128, 256, 512, 1024, 1760} {
		there := newProduct(e, h, 1)
		back := there.Product
		back.A, back.C = there.C, there.A
		chain := func(w *kernels.Worker) {
			for range steps / 2 {
				w.Gemm(there.Product, there.B.All())
				w.Gemm(back, there.B.All())
			}
		}
		var sum float64
		t, err := timeTogether(ctx, s.Time,
			func() { e.Run(1, chain) },
			func() {
				for range steps {
					sum += kernels.ReadPacked(e, there.B)
				}
			})
		if err != nil {
			return rows, err
		}
		gigabytes := steps * float64(e.PackedBytes(h, h)) / 1e9
		row := Row{Kind: KindSingle, ISA: e.ISA(), H: h, B: 1, T: steps, Threads: 1}.timed(t[0])
		row.SecondsPerStep = t[0].best / steps
		row.GFLOPS = steps * there.flops / t[0].best / 1e9
		row.GBPerSecond, row.ReadGBPerSecond = gigabytes/t[0].best, gigabytes/t[1].best
		row.PercentRead = 100 * row.GBPerSecond / row.ReadGBPerSecond
		rows = append(rows, row)
	}
	return rows, nil
}

const (
	maxBatch    = 130 // of the table of every batch
	batchHidden = 512
)

// batches measures products of every number of rows on one thread. Each gets a quarter
// of the time of other rows, because there are many.
func (s *Speed) batches(ctx context.Context) (rows []Row, err error) {
	e := s.engines[1]
	for b := 1; b <= maxBatch; b++ {
		p := newProduct(e, batchHidden, b)
		r, err := timeFlops(ctx, s.Time/4, e, p.flops, func() { e.Gemm(p.Product) })
		if err != nil {
			return rows, err
		}
		rows = append(rows, Row{Kind: KindBatch, ISA: e.ISA(), H: batchHidden, B: b, Threads: 1}.rated(r))
	}
	return rows, nil
}
