package parallel

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// together runs f for each rank and returns their errors.
func together(reducers []Reducer, f func(Reducer) error) []error {
	errs := make([]error, len(reducers))
	var wg sync.WaitGroup
	for i, r := range reducers {
		wg.Go(func() {
			if errs[i] = f(r); errs[i] != nil {
				r.Close() // the others must not wait
			}
		})
	}
	wg.Wait()
	return errs
}

// tree is the sum by its definition: neighbours first.
func tree(xs [][]float32) []float32 {
	for len(xs) > 1 {
		var up [][]float32
		for i := 0; i < len(xs); i += 2 {
			s := slices.Clone(xs[i])
			if i+1 < len(xs) {
				for j, v := range xs[i+1] {
					s[j] += v
				}
			}
			up = append(up, s)
		}
		xs = up
	}
	return xs[0]
}

// sums are what treeOf has returned.
var sums sync.Map

// treeOf returns the sum of what of returns for each of n ranks. Ranks in one process share
// the work: the name tells the sum from others.
func treeOf(n int, name string, of func(rank int) []float32) []float32 {
	once, _ := sums.LoadOrStore(fmt.Sprint(n, name), sync.OnceValue(func() []float32 {
		var all [][]float32
		for rank := range n {
			all = append(all, of(rank))
		}
		return tree(all)
	}))
	return once.(func() []float32)()
}

// sameBits returns an error if got and want differ in a bit. All NaNs are alike.
func sameBits(what string, got, want []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("%s: %d floats, want %d", what, len(got), len(want))
	}
	for i, g := range got {
		if w := want[i]; math.Float32bits(g) != math.Float32bits(w) && (g == g || w == w) {
			return fmt.Errorf("%s: element %d is %g (%#x), want %g (%#x)", what, i, g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
	return nil
}

// values are n floats whose sums depend on the order of additions, and special ones.
func values(rank, n int) []float32 {
	rng := rand.New(rand.NewPCG(uint64(rank), uint64(n)))
	x := make([]float32, n)
	for i := range x {
		switch rng.IntN(20) {
		case 0:
			x[i] = float32(math.Copysign(0, -1))
		case 1:
			x[i] = float32(math.Ldexp(rng.Float64(), 20))
		default:
			x[i] = float32(rng.NormFloat64())
		}
	}
	if n > 40 {
		x[7] = float32(math.Copysign(0, -1))
		if rank == 1 {
			x[11] = float32(math.NaN())
		}
		x[12] = float32(math.Inf(1 - 2*(rank%2)))
		x[13] = math.MaxFloat32
		x[14] = math.SmallestNonzeroFloat32
	}
	return x
}

// tableOf is a table of a rank and the rows that may differ from zero. Every row has -0.
func tableOf(rank, height, width int, share float64) ([]float32, []int32) {
	rng := rand.New(rand.NewPCG(uint64(rank), uint64(height)))
	table := make([]float32, height*width)
	var rows []int32
	for i := range height {
		if rng.Float64() < share || i == height/2 {
			rows = append(rows, int32(i))
			copy(table[i*width:], values(rank*height+i, width))
			table[i*width] = float32(math.Copysign(0, -1))
		}
	}
	return table, rows
}

// exercise makes all calls and compares what they give with their definitions.
func exercise(r Reducer) error {
	n := r.Ranks()
	for _, size := range []int{0, 1, 15, 16, 17, 100, 16*n - 1, 5000, 40001} {
		x := values(r.Rank(), size)
		r.Sum(x)
		if err := r.Wait(); err != nil {
			return err
		}
		what := fmt.Sprintf("sum of %d", size)
		if err := sameBits(what, x, treeOf(n, what, func(rank int) []float32 { return values(rank, size) })); err != nil {
			return err
		}
	}

	// Several sums at once.
	type result struct {
		what   string
		x, sum []float32
	}
	var results []result
	for i, size := range []int{40000, 3, 20000, 0, 30000} {
		what := fmt.Sprintf("sum %d of several", i)
		x := values(100*i+r.Rank(), size)
		r.Sum(x)
		results = append(results, result{what, x, treeOf(n, what, func(rank int) []float32 { return values(100*i+rank, size) })})

		for _, share := range []float64{0, 0.05, 0.3, 1} {
			height, width := 200+i, 1+30*i
			of := func(rank int) ([]float32, []int32) {
				table, rows := tableOf(rank, height, width, share)
				if share == 0 && rank == n-1 { // it has no rows
					clear(table)
					rows = nil
				}
				return table, rows
			}
			what := fmt.Sprintf("rows, %g of %dx%d", share, height, width)
			table, rows := of(r.Rank())
			r.SumRows(table, width, rows)
			results = append(results, result{what, table, treeOf(n, what, func(rank int) []float32 { table, _ := of(rank); return table })})
		}
	}
	if err := r.Wait(); err != nil {
		return err
	}
	for _, s := range results {
		if err := sameBits(s.what, s.x, s.sum); err != nil {
			return err
		}
	}

	for round := range 3 {
		piece := func(rank int) []byte {
			return bytes.Repeat([]byte{byte(rank), byte(round)}, (rank+round)%4*10000)
		}
		own := piece(r.Rank())
		all, err := r.Gather(own)
		if err != nil {
			return err
		}
		if len(all) != n {
			return fmt.Errorf("gather of %d parts, want %d", len(all), n)
		}
		for rank, b := range all {
			if !bytes.Equal(b, piece(rank)) {
				return fmt.Errorf("gather: part %d has %d bytes, or other ones than %d", rank, len(b), len(piece(rank)))
			}
		}
		if len(own) > 0 {
			if own[0]++; all[r.Rank()][0] == own[0] {
				return fmt.Errorf("gather returns the memory of its argument")
			}
		}
	}
	return nil
}

func TestLocal(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 16} {
		for _, pieces := range []int{maxMessage, 1000}[:1+n%2] {
			ranks := Local(n)
			for i, r := range ranks {
				r.(*local).pieces = pieces
				if pieces == 1000 {
					r.(*local).block = 16001
				}
				if r.Rank() != i || r.Ranks() != n {
					t.Fatalf("rank %d of %d, want %d of %d", r.Rank(), r.Ranks(), i, n)
				}
			}
			for rank, err := range together(ranks, exercise) {
				if err != nil {
					t.Errorf("%d ranks, pieces of %d bytes: rank %d: %v", n, pieces, rank, err)
				}
			}
			for _, r := range ranks {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// steady makes the calls of a step of a training, and returns an error if steps allocate.
func steady(r Reducer) error {
	small, middle, large := make([]float32, 100), make([]float32, 20000), make([]float32, 50000)
	table, rows := tableOf(r.Rank(), 500, 30, 0.05)
	step := func() error {
		r.Sum(large)
		r.SumRows(table, 30, rows)
		r.Sum(small)
		r.Sum(middle)
		return r.Wait()
	}
	// A collection empties pools of the runtime and of the way to the library. So the least
	// of several windows counts. All ranks make the same calls.
	const window = 40
	least := uint64(math.MaxUint64)
	for range 6 { // the first fills the buffers
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range window {
			clear(large) // no overflow
			clear(middle)
			if err := step(); err != nil {
				return err
			}
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	if least > window/4 && !raceDetector {
		return fmt.Errorf("rank %d: %d steps allocate %d times", r.Rank(), window, least)
	}
	return nil
}

func TestLocalSteady(t *testing.T) {
	for _, err := range together(Local(3), steady) {
		if err != nil {
			t.Error(err)
		}
	}
}

// A rank that does something else ends the calls of all with an error.
func TestLocalMistakes(t *testing.T) {
	sum := func(n int) func(Reducer) error {
		return func(r Reducer) error { r.Sum(make([]float32, n)); return r.Wait() }
	}
	rows := func(height, width int, rows ...int32) func(Reducer) error {
		return func(r Reducer) error { r.SumRows(make([]float32, height*width), width, rows); return r.Wait() }
	}
	gather := func(n int) func(Reducer) error {
		return func(r Reducer) error { _, err := r.Gather(make([]byte, n)); return err }
	}
	leave := func(r Reducer) error { return r.Close() }
	for _, c := range []struct {
		what  string
		odd   func(Reducer) error // what rank 1 does
		rest  func(Reducer) error
		error string
	}{
		{"close, sum", leave, sum(100000), "rank 1 has closed"},
		{"close, small sum", leave, sum(1), "rank 1 has closed"},
		{"close, gather", leave, gather(5), "rank 1 has closed"},
		{"close after sums", func(r Reducer) error { r.Sum(make([]float32, 5)); return r.Close() }, func(r Reducer) error {
			r.Sum(make([]float32, 5))
			r.Sum(make([]float32, 5))
			return r.Wait()
		}, "rank 1 has closed"},
		{"sums of other lengths", sum(100001), sum(300), "same calls"},
		{"empty sum", sum(0), sum(300), "same calls"},
		{"gather, sum", gather(300), sum(300), "same calls"},
		{"gather, small sum", gather(3), sum(3), "same calls"},
		{"rows, sum", rows(300, 3, 4), sum(3), "same calls"},
		{"rows, sum of 1", rows(300, 3, 4), sum(1), "same calls"},
		{"rows, gather", rows(300, 3, 4), gather(3), "same calls"},
		{"rows of a smaller table", rows(4, 3, 1, 2, 3), rows(300, 3, 200, 202, 203), "more rows|table|same calls"},
		{"rows that don't ascend", rows(300, 3, 4, 4), rows(300, 3, 4), "must ascend"},
		{"rows beyond the table", rows(300, 3, 300), rows(300, 3, 4), "must ascend"},
		{"a table of broken rows", func(r Reducer) error { r.SumRows(make([]float32, 10), 3, nil); return r.Wait() }, rows(300, 3, 4), "can't have rows"},
	} {
		for _, n := range []int{2, 3, 5, 8} {
			ranks := Local(n)
			for rank, err := range together(ranks, func(r Reducer) error {
				if r.Rank() != 1 {
					return c.rest(r)
				}
				return c.odd(r)
			}) {
				ok := false
				for want := range strings.SplitSeq(c.error, "|") {
					ok = ok || err != nil && strings.Contains(err.Error(), want)
				}
				if !ok && (rank != 1 || strings.Contains(c.error, "same calls")) {
					t.Errorf("%s, %d ranks: rank %d has error %v, want %q", c.what, n, rank, err, c.error)
				}
				// It stays.
				if err != nil {
					if sum(1)(ranks[rank]) == nil || gather(1)(ranks[rank]) == nil {
						t.Errorf("%s, %d ranks: rank %d goes on", c.what, n, rank)
					}
				}
			}
		}
	}
}

// Rows go by themselves where the table takes more bytes.
func TestRowsChoice(t *testing.T) {
	const height, width = 1000, 10
	for _, share := range []float64{0.1, 1} {
		ranks := Local(3)
		for _, err := range together(ranks, func(r Reducer) error {
			table, rows := tableOf(r.Rank(), height, width, share)
			r.SumRows(table, width, rows)
			return r.Wait()
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		for _, r := range ranks {
			buffers := r.(*local).buffers
			if dense := len(buffers) == 1; dense != (share == 1) {
				t.Errorf("rows %g: %d buffers", share, len(buffers))
			}
		}
	}
}

// A sum that takes more blocks than calls may be under way takes longer ones.
func TestLocalLongSum(t *testing.T) {
	const n, size = 2, 40 * maxCalls
	for rank, err := range together(Local(n), func(r Reducer) error {
		r.(*local).block = 16
		x := values(r.Rank(), size)
		r.Sum(x)
		if err := r.Wait(); err != nil {
			return err
		}
		return sameBits("sum", x, treeOf(n, "long", func(rank int) []float32 { return values(rank, size) }))
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

func TestLocalTooManyCalls(t *testing.T) {
	for _, err := range together(Local(2), func(r Reducer) error {
		for range maxCalls + 1 {
			r.Sum(nil)
		}
		return r.Wait()
	}) {
		if err == nil || !strings.Contains(err.Error(), "calls are under way") {
			t.Errorf("error %v", err)
		}
	}
}
