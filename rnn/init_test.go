package rnn

import (
	"math"
	"slices"
	"testing"
)

// TestInitOrthogonalIsUniform: over all orthogonal matrices, each element has a mean of
// 0 and a mean square of 1/H, the trace a mean square of 1, and half of the determinants
// are -1. Without the right signs the determinants are all alike.
func TestInitOrthogonalIsUniform(t *testing.T) {
	const n = 3
	const draws = 2000
	m := newModel(t, newEngine(t, "", 1), Config{Input: 1, Layers: 1, Hidden: n}, 1)
	var sums, squares [n * n]float64
	var trace, traces, determinants float64
	for seed := range uint64(draws) {
		m.InitOrthogonal(1, seed)
		q := m.Cells[0].Wh
		for i, v := range q {
			sums[i] += float64(v)
			squares[i] += float64(v * v)
		}
		tr := float64(q[0] + q[4] + q[8])
		trace += tr
		traces += tr * tr
		determinants += float64(q[0]*(q[4]*q[8]-q[5]*q[7]) - q[1]*(q[3]*q[8]-q[5]*q[6]) + q[2]*(q[3]*q[7]-q[4]*q[6]))
	}
	// Five standard deviations; of the square of a trace, whose fourth moment is 3, √2.
	off := 5 / math.Sqrt(draws)
	for i := range sums {
		if !within(sums[i]/draws, 0, off/math.Sqrt(n)) || !within(squares[i]/draws, 1.0/n, off*0.3) {
			t.Errorf("element %d has the mean %.3f and the mean square %.3f, want 0 and %.3f", i, sums[i]/draws, squares[i]/draws, 1.0/n)
		}
	}
	if !within(trace/draws, 0, off) || !within(traces/draws, 1, off*math.Sqrt2) {
		t.Errorf("traces have the mean %.3f and the mean square %.3f, want 0 and 1", trace/draws, traces/draws)
	}
	if !within(determinants/draws, 0, off) {
		t.Errorf("determinants have the mean %.3f, want 0", determinants/draws)
	}
}

// TestInit holds the initial weights to what they are named for.
func TestInit(t *testing.T) {
	c := Config{Input: 3, Layers: 2, Bidirectional: true, Hidden: 33, Output: 4}
	m := newModel(t, newEngine(t, "", 1), c, 1)
	wx := slices.Clone(m.Cells[0].Wx)
	m.InitOrthogonal(2, 5)
	for _, cell := range m.Cells {
		for i := range c.Hidden {
			for j := range i + 1 {
				var sum float64
				for k := range c.Hidden {
					sum += float64(cell.Wh[i*c.Hidden+k]) * float64(cell.Wh[j*c.Hidden+k])
				}
				want := 0.0
				if i == j {
					want = 4
				}
				if !within(sum, want, 1e-5) {
					t.Fatalf("rows %d and %d have the product %v, want %v", i, j, sum, want)
				}
			}
		}
	}
	if firstDifference(m.Cells[0].Wh, m.Cells[1].Wh) < 0 {
		t.Error("two cells begin alike")
	}
	wh := slices.Clone(m.Cells[3].Wh)
	m.InitOrthogonal(2, 5)
	sameBits(t, "a seed's Wh", m.Cells[3].Wh, wh)
	m.InitIdentity(0.5)
	for i, v := range m.Cells[2].Wh {
		want := float32(0)
		if i%(c.Hidden+1) == 0 {
			want = 0.5
		}
		if v != want {
			t.Fatalf("Wh[%d] is %v", i, v)
		}
	}
	if maxAbs(m.Cells[1].Bh) != 0 {
		t.Error("InitIdentity leaves biases")
	}
	sameBits(t, "Wx", m.Cells[0].Wx, wx)
	fresh, err := New(m.engine, c, 9)
	if err != nil {
		t.Fatal(err)
	}
	m.InitUniform(9)
	sameBits(t, "InitUniform", m.Slab, fresh.Slab)
	mustPanic(t, func() { m.InitIdentity(float32(math.NaN())) }, "rnn: InitIdentity", "NaN")
	mustPanic(t, func() { m.InitOrthogonal(float32(math.Inf(1)), 1) }, "rnn: InitOrthogonal", "Inf")
}

// TestInitGates: the forget bias of an LSTM begins at 1 and every other bias at 0; Wh of
// each gate is orthogonal by itself; a projection takes rows of it.
func TestInitGates(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, c := range eachCell(Config{Input: 3, Layers: 2, Bidirectional: true, Hidden: 16}) {
		m, err := New(e, c, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, cell := range m.Cells {
			for j, b := range cell.Bh {
				want := float32(0)
				if c.Cell == LSTM && j/c.Hidden == 1 {
					want = 1
				}
				if b != want {
					t.Errorf("%v: bias %d of cell %d is %v, want %v", c.Cell, j, i, b, want)
				}
			}
			if maxAbs(cell.Br) != 0 {
				t.Errorf("%v: cell %d has a second bias", c.Cell, i)
			}
		}

		m.InitOrthogonal(3, 1)
		gates, p := c.Cell.gates(), c.stateWidth()
		for i, cell := range m.Cells {
			for g := range gates {
				for a := range p {
					for b := range a + 1 {
						x, y := cell.Wh[(a*gates+g)*c.Hidden:][:c.Hidden], cell.Wh[(b*gates+g)*c.Hidden:][:c.Hidden]
						want := 0.0
						if a == b {
							want = 9
						}
						if got := dot(widen(x), widen(y), 1); !within(got, want, 1e-5) {
							t.Fatalf("%v: rows %d and %d of gate %d of cell %d have the product %v, want %v", c.Cell, a, b, g, i, got, want)
						}
					}
				}
			}
			if gates > 1 && firstDifference(cell.Wh[:c.Hidden], cell.Wh[c.Hidden:][:c.Hidden]) < 0 {
				t.Errorf("%v: two gates begin alike", c.Cell)
			}
		}
	}
}

// TestInitForget: the forget gates alone get the bias, and the passes see it.
func TestInitForget(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, c := range eachCell(Config{Input: 3, Layers: 2, Hidden: 5})[1:] {
		m := newModel(t, e, c, 1)
		if m.Cells[0].Br != nil {
			fillUniform(newRand(3), m.Cells[0].Br, 1)
		}
		want := slices.Clone(m.Slab)
		m.InitForget(-2.5)
		got := slices.Clone(m.Slab)
		a, ids := m.NewWorkspace(3, 2), newBatch(c, 3, 2, 1)
		ids.forward(a)
		for i, cell := range m.Cells {
			for j := range 5 {
				if b := cell.Bh[5+j]; b != -2.5 {
					t.Errorf("%v: forget bias %d of cell %d is %v", c.Cell, j, i, b)
				}
				if cell.Br != nil && cell.Br[5+j] != 0 {
					t.Errorf("%v: second forget bias %d of cell %d is %v", c.Cell, j, i, cell.Br[5+j])
				}
			}
		}
		for _, cell := range m.Cells { // all else stays
			fillUniform(newRand(1), cell.Bh[5:10], 1)
			if cell.Br != nil {
				fillUniform(newRand(1), cell.Br[5:10], 1)
			}
		}
		other := newModel(t, e, c, 1)
		copy(other.Slab, want)
		for _, cell := range other.Cells {
			fillUniform(newRand(1), cell.Bh[5:10], 1)
			if cell.Br != nil {
				fillUniform(newRand(1), cell.Br[5:10], 1)
			}
		}
		sameBits(t, c.Cell.String()+": other parameters", m.Slab, other.Slab)

		copy(other.Slab, got)
		other.Update()
		b := other.NewWorkspace(3, 2)
		ids.forward(b)
		sameBits(t, c.Cell.String()+": States", a.States(), b.States())
	}
}

// TestInitChrono: exp of a forget bias is uniform from 1 to one less than the longest
// range, and the bias of an LSTM's input gate is its negative.
func TestInitChrono(t *testing.T) {
	const longest, hidden = 101, 2000
	e := newEngine(t, "", 1)
	for _, kind := range []CellKind{LSTM, GRU, GRUResetBefore} {
		m := newModel(t, e, Config{Input: 1, Cell: kind, Layers: 1, Hidden: hidden, TwoBiases: true}, 1)
		cell := m.Cells[0]
		fillUniform(newRand(3), cell.Br, 1)
		before, second := slices.Clone(cell.Bh), slices.Clone(cell.Br)
		m.InitChrono(longest, 7)
		least, most, sum, squares := math.Inf(1), 0.0, 0.0, 0.0
		for _, b := range cell.Bh[hidden:][:hidden] {
			u := math.Exp(float64(b))
			least, most = min(least, u), max(most, u)
			sum += u
			squares += u * u
		}
		mean := sum / hidden
		variance := squares/hidden - mean*mean
		// Of a uniform distribution from 1 to 100: five standard deviations of the means.
		if !(least >= 1-1e-4 && least < 2 && most <= 100+1e-2 && most > 99) ||
			!within(mean, 50.5, 5*28.6/math.Sqrt(hidden)) || !within(variance, 99*99/12.0, 5*99*99*0.075/math.Sqrt(hidden)) {
			t.Errorf("%v: from %.2f to %.2f, mean %.2f, variance %.1f; want from 1 to 100, mean 50.5, variance 816.8", kind, least, most, mean, variance)
		}
		lo := hidden // the first bias that may have changed
		if kind == LSTM {
			lo = 0
			for j := range hidden {
				if cell.Bh[j] != -cell.Bh[hidden+j] {
					t.Fatalf("unit %d: input bias %v, forget bias %v", j, cell.Bh[j], cell.Bh[hidden+j])
				}
			}
		}
		if maxAbs(cell.Br[lo:2*hidden]) != 0 {
			t.Errorf("%v: second biases stay beside the first", kind)
		}
		for _, s := range []span{{0, lo}, {2 * hidden, len(before)}} {
			sameBits(t, kind.String()+": other biases", cell.Bh[s.lo:s.hi], before[s.lo:s.hi])
			sameBits(t, kind.String()+": other second biases", cell.Br[s.lo:s.hi], second[s.lo:s.hi])
		}
		drawn := slices.Clone(cell.Bh)
		m.InitChrono(longest, 7)
		sameBits(t, "a seed's biases", cell.Bh, drawn)
		if m.InitChrono(longest, 8); firstDifference(cell.Bh, drawn) < 0 {
			t.Error("two seeds draw alike")
		}
		m.InitChrono(3, 1) // the shortest
		for _, b := range cell.Bh[hidden:][:hidden] {
			if !(b >= 0 && float64(b) <= math.Ln2+1e-6) {
				t.Fatalf("%v: forget bias %v, want from 0 to log 2", kind, b)
			}
		}
	}
}
