package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels/ref"
)

// checkLoss holds SoftmaxCrossEntropy to the oracle on rows of n logits.
func checkLoss(e *Engine, n int, logits []float32, ld int, targets []int32, scale float32) error {
	got, losses := slices.Clone(logits), filled(len(targets), nan)
	e.SoftmaxCrossEntropy(n, scale, got, ld, targets, losses)
	for i, target := range targets {
		x := logits[i*ld:][:n]
		p, top, sum := ref.Softmax(x)
		want, _ := ref.SoftmaxCrossEntropy(n, x, n, []int32{target}, float64(scale))
		// The additions in one of 64 lanes and its tree, exp, and in the exponent
		// the rounding of x - max, weighted by the terms it enters.
		relative := float64(n)/64 + 24
		for j, v := range x {
			if p[j] > 0 {
				relative += p[j] * (top - float64(v))
			}
		}
		loss := math.Log(sum) + top - float64(x[target])
		if tolerance := eps * (relative + math.Abs(loss)); !close(float64(losses[i]), loss, tolerance) {
			return fmt.Errorf("loss of row %d is %g, want %g ± %g", i, losses[i], loss, tolerance)
		}
		for j, v := range x {
			tolerance := eps*float64(scale) + slack
			if p[j] > 0 {
				tolerance = eps*float64(scale)*p[j]*(relative+top-float64(v)) + slack
			}
			if j == int(target) {
				tolerance += eps * float64(scale)
			}
			if g := float64(got[i*ld+j]); !close(g, want[j], tolerance) {
				return fmt.Errorf("gradient at row %d, column %d is %g, want %g ± %g", i, j, g, want[j], tolerance)
			}
		}
	}
	for x, v := range got {
		if x%ld >= n && !sameBits(v, logits[x]) {
			return fmt.Errorf("wrote behind row %d, at %d", x/ld, x%ld)
		}
	}
	return nil
}

// close counts NaN as close to NaN, and an infinity to itself.
func close(got, want, tolerance float64) bool {
	return got == want || math.Abs(got-want) <= tolerance || math.IsNaN(got) && math.IsNaN(want)
}

func TestSoftmaxCrossEntropy(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(43, 44))
		for _, n := range []int{1, 2, 15, 16, 17, 65, 257, 10000} {
			const rows = 5
			ld := n + 3
			logits, targets := randoms(r, rows*ld), make([]int32, rows)
			for _, spread := range []float32{1, 10, 1e4} {
				for i := range logits {
					logits[i] = float32(r.NormFloat64()) * spread
				}
				for i := range targets {
					targets[i] = int32(r.IntN(n))
				}
				targets[0], targets[1] = 0, int32(n-1)
				for _, scale := range []float32{1, 1.0 / 3} {
					if err := checkLoss(e, n, logits, ld, targets, scale); err != nil {
						t.Errorf("%d classes, spread %g, scale %g: %v", n, spread, scale, err)
					}
				}
			}
		}
	})
}

// TestLossOfExtremes checks rows whose exponentials overflow or vanish, and
// those that have no answer.
func TestLossOfExtremes(t *testing.T) {
	for _, c := range []struct {
		name     string
		logits   []float32
		target   int32
		loss     float64
		gradient []float64
	}{
		{"one class", []float32{-1e30}, 0, 0, []float64{0}},
		{"sure and right", []float32{1e4, -1e4, -1e4}, 0, 0, []float64{0, 0, 0}},
		{"sure and wrong", []float32{1e4, -1e4, -1e4}, 1, 2e4, []float64{1, -1, 0}},
		{"all alike", []float32{1e4, 1e4}, 1, math.Ln2, []float64{0.5, -0.5}},
		{"a class ruled out", []float32{0, -inf, 0}, 0, math.Ln2, []float64{-0.5, 0, 0.5}},
		{"the target ruled out", []float32{0, -inf}, 1, math.Inf(1), []float64{1, -1}},
		{"all ruled out", []float32{-inf, -inf}, 1, math.NaN(), []float64{math.NaN(), math.NaN()}},
		{"infinite", []float32{0, inf}, 0, math.NaN(), []float64{math.NaN(), math.NaN()}},
		{"NaN first", []float32{nan, 0, 1}, 1, math.NaN(), []float64{math.NaN(), math.NaN(), math.NaN()}},
		{"NaN last", []float32{0, 1, nan}, 1, math.NaN(), []float64{math.NaN(), math.NaN(), math.NaN()}},
	} {
		eachEngine(t, 1, func(t *testing.T, e *Engine) {
			x, losses := slices.Clone(c.logits), []float32{7}
			e.SoftmaxCrossEntropy(len(x), 1, x, len(x), []int32{c.target}, losses)
			if !close(float64(losses[0]), c.loss, 1e-6) {
				t.Errorf("%s: the loss is %g, want %g", c.name, losses[0], c.loss)
			}
			for j, want := range c.gradient {
				if !close(float64(x[j]), want, 1e-7) {
					t.Errorf("%s: the gradient is %g, want %g", c.name, x, c.gradient)
				}
			}
		})
	}
}

// TestSoftmax compares rows with the oracle, one of them NaN.
func TestSoftmax(t *testing.T) {
	const m = 4
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(45, 46))
		for _, n := range []int{1, 17, 64, 130} {
			ld := n + 2
			x := randoms(r, span(m, n, ld))
			x[2*ld] = nan
			got := slices.Clone(x)
			e.Softmax(m, n, got, ld)
			for i := range m {
				p, top, _ := ref.Softmax(x[i*ld:][:n])
				for j, want := range p {
					if i == 2 {
						want = math.NaN()
					}
					tolerance := eps * want * (float64(n)/64 + 32 + 2*(top-float64(x[i*ld+j])))
					if g := float64(got[i*ld+j]); !close(g, want, tolerance) {
						t.Errorf("%d classes: row %d, column %d is %g, want %g", n, i, j, g, want)
					}
				}
			}
			for k := range got {
				if k%ld >= n && !sameBits(got[k], x[k]) {
					t.Errorf("%d classes: wrote behind row %d", n, k/ld)
				}
			}
		}
		e.Softmax(0, 5, nil, 5)
	})
}

// TestLogSoftmax compares rows with the oracle; one has a class ruled out, one
// is NaN, and probabilities too small for a float32 have their logarithms.
func TestLogSoftmax(t *testing.T) {
	const m = 4
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(47, 48))
		for _, n := range []int{2, 17, 64, 130} {
			ld := n + 2
			x := randoms(r, span(m, n, ld))
			x[0], x[ld], x[2*ld] = 1e4, -inf, nan
			got := slices.Clone(x)
			e.LogSoftmax(m, n, got, ld, make([]float32, n))
			for i := range m {
				_, top, sum := ref.Softmax(x[i*ld:][:n])
				for j := range n {
					want := float64(x[i*ld+j]) - top - math.Log(sum)
					if i == 2 {
						want = math.NaN()
					}
					tolerance := eps * (float64(n)/64 + 32 + math.Abs(want))
					if g := float64(got[i*ld+j]); !close(g, want, tolerance) {
						t.Errorf("%d classes: row %d, column %d is %g, want %g", n, i, j, g, want)
					}
				}
			}
			for k := range got {
				if k%ld >= n && !sameBits(got[k], x[k]) {
					t.Errorf("%d classes: wrote behind row %d", n, k/ld)
				}
			}
		}
		e.LogSoftmax(0, 5, nil, 5, make([]float32, 5))
	})
}

// TestLogSum: the logarithm of the sum gives the bits of SoftmaxCrossEntropy for every
// target, and the row becomes its softmax.
func TestLogSum(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(53, 54))
		for _, n := range []int{1, 17, 130, 70_000} {
			x := randoms(r, n)
			row, soft := slices.Clone(x), slices.Clone(x)
			logSum := e.LogSum(row)
			e.Softmax(1, n, soft, n)
			if !slices.EqualFunc(row, soft, sameBits) {
				t.Errorf("%d classes: the row is not its softmax", n)
			}
			for _, target := range []int{0, n / 3, n - 1} {
				var loss [1]float32
				e.SoftmaxCrossEntropy(n, 0.37, slices.Clone(x), n, []int32{int32(target)}, loss[:])
				if got := float32(logSum - float64(x[target])); !sameBits(got, loss[0]) {
					t.Errorf("%d classes, target %d: %v, want %v", n, target, got, loss[0])
				}
			}
		}
	})
}

// TestSoftmaxLong takes rows that are done in chunks, one of which may have no
// probability at all.
func TestSoftmaxLong(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		for _, n := range []int{elementsPerCall + 1, 3*elementsPerCall + 77} {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			row := make([]float32, n)
			var sum float64
			for i := range row {
				row[i] = float32(r.NormFloat64()*5 + float64(i/elementsPerCall))
			}
			for i := range elementsPerCall {
				row[i] = float32(math.Inf(-1))
			}
			for _, v := range row {
				sum += math.Exp(float64(v))
			}
			target := int32(n - 1)
			wantLoss := math.Log(sum) - float64(row[target])
			want := make([]float64, n)
			for i, v := range row {
				want[i] = math.Exp(float64(v)) / sum
			}
			want[target]--
			losses := make([]float32, 1)
			e.SoftmaxCrossEntropy(n, 1, row, n, []int32{target}, losses)
			if !(math.Abs(float64(losses[0])-wantLoss) <= 1e-5*wantLoss) {
				t.Errorf("n=%d: loss %v, want %v", n, losses[0], wantLoss)
			}
			for i, v := range row {
				if !(math.Abs(float64(v)-want[i]) <= 1e-5*math.Abs(want[i])+1e-9) {
					t.Fatalf("n=%d: gradient %d is %v, want %v", n, i, v, want[i])
				}
			}
			row[2] = float32(math.NaN())
			e.Softmax(1, n, row, n)
			if row[n-1] == row[n-1] || row[0] == row[0] {
				t.Errorf("n=%d: NaN does not reach the whole row", n)
			}
		}
	})
}
