package gradients

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/rnn"
)

func TestAddingDrawsTwoMarkedNumbers(t *testing.T) {
	for _, length := range []int{2, 3, 50} {
		const rows = 200
		a := newAdding(length, rows)
		r := rand.New(rand.NewPCG(1, 1))
		a.draw(r)
		a.draw(r) // no mark of the first batch is left
		for b := range rows {
			var sum float32
			marks, early := 0, 0
			for step := range length {
				x := a.x[2*(step*rows+b):][:2]
				if !(0 <= x[0] && x[0] < 1) || x[1] != 0 && x[1] != 1 {
					t.Fatalf("T %d: step %d, row %d reads %v", length, step, b, x)
				}
				if x[1] == 1 {
					marks++
					sum += x[0]
					if step < length/2 {
						early++
					}
				}
			}
			if marks != 2 || early != 1 || sum != a.sums[b] {
				t.Fatalf("T %d, row %d: %d marks, %d in the first half, sum %v, want %v", length, b, marks, early, a.sums[b], sum)
			}
		}
	}
}

// TestBaselineOfAdding says 1 to many sums.
func TestBaselineOfAdding(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 200_000
	var squares, right float64
	for range n {
		d := r.Float64() + r.Float64() - 1
		squares += d * d
		if math.Abs(d) < near {
			right++
		}
	}
	loss, chance := newAdding(2, 1).baseline()
	if !(math.Abs(squares/n-loss) <= 0.002) || !(math.Abs(right/n-chance) <= 0.002) {
		t.Errorf("baseline %v, %v, drawn %v, %v", loss, chance, squares/n, right/n)
	}
}

func TestCopyAsksForWhatItShowed(t *testing.T) {
	const rows, length, remember = 40, 5, 3
	c := newCopying(length, remember, rows)
	c.draw(rand.New(rand.NewPCG(1, 1)))
	seen := map[int32]bool{}
	for b := range rows {
		column := func(of []int32) (all []int32) {
			for step := range c.steps() {
				all = append(all, of[step*rows+b])
			}
			return all
		}
		ids, targets, final := column(c.ids), column(c.targets), column(c.final)
		n := length + 2*remember
		if len(ids) != n {
			t.Fatalf("%d steps, want %d", len(ids), n)
		}
		shown := ids[:remember]
		if !slices.Equal(targets[n-remember:], shown) || final[n-1] != shown[remember-1] {
			t.Fatalf("row %d shows %v, asks for %v, and %v at the last step", b, shown, targets, final)
		}
		for _, s := range shown {
			if s < 0 || s >= symbols {
				t.Fatalf("symbol %d", s)
			}
			seen[s] = true
		}
		for step := remember; step < n; step++ {
			want := int32(rnn.None)
			if step == remember+length {
				want = sign
			}
			if ids[step] != want {
				t.Fatalf("row %d reads %v", b, ids)
			}
		}
		for step := range n - 1 {
			if step < n-remember && targets[step] != rnn.Ignore || final[step] != rnn.Ignore {
				t.Fatalf("row %d: targets %v, at the last step %v", b, targets, final)
			}
		}
	}
	if len(seen) != symbols {
		t.Errorf("%d symbols drawn, want %d", len(seen), symbols)
	}
}
