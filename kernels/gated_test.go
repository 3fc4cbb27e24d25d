package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels/ref"
)

// gatedOps are the operations on a GatedStep, by name.
var gatedOps = []struct {
	name string
	call func(serial, GatedStep)
}{{"LSTM", serial.LSTM}, {"LSTMGrad", serial.LSTMGrad}, {"GRU", serial.GRU}, {"GRUGrad", serial.GRUGrad}}

// gatedStep deals a step whose matrices all have another row stride, with canaries in
// their gaps. Its values are between -1 and 1.
func gatedStep(r *rand.Rand, m, n int) GatedStep {
	gate, gap := n+3, 0
	rows := func(groups int) Rows {
		gap++
		cols := (groups-1)*gate + n
		ld := cols + gap
		data := filled(max(0, span(m, cols, ld)), canary)
		for i := range m {
			for k := range groups {
				for j := range n {
					data[i*ld+k*gate+j] = 2*r.Float32() - 1
				}
			}
		}
		return Rows{data, ld}
	}
	return GatedStep{
		M: m, N: n, Gate: gate,
		Z: rows(5), State: rows(1), Next: rows(1), H: rows(1),
		DZ: rows(4), Carry: rows(1), DH: rows(1), DState: rows(1),
	}
}

// matrices lists the matrices of s.
func (s *GatedStep) matrices() []*Rows {
	return []*Rows{&s.Z, &s.State, &s.Next, &s.H, &s.DZ, &s.Carry, &s.DH, &s.DState}
}

// clone returns s with matrices of its own.
func (s GatedStep) clone() GatedStep {
	for _, m := range s.matrices() {
		m.Data = slices.Clone(m.Data)
	}
	return s
}

// same reports the first element in which two steps differ.
func (s GatedStep) same(other GatedStep) error {
	theirs := other.matrices()
	for i, m := range s.matrices() {
		if j := firstDifference(m.Data, theirs[i].Data); j >= 0 {
			return fmt.Errorf("matrix %d, element %d: %x and %x", i, j, m.Data[j], theirs[i].Data[j])
		}
	}
	return nil
}

// gatedSizes are rows and units: none, one, several, rows longer than a call, and more
// rows than a call has units.
var gatedSizes = [][2]int{{0, 5}, {5, 0}, {1, 1}, {3, 33}, {7, 100}, {2, unitsPerCall}, {2, 2*unitsPerCall + 5}, {unitsPerCall + 2, 1}}

// TestGatedSteps holds the operations to the oracle, element by element. Package asm
// counts their roundings; here a bound for all is enough.
func TestGatedSteps(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(73, 74))
		for _, size := range gatedSizes {
			m, n := size[0], size[1]
			for _, op := range gatedOps {
				before := gatedStep(r, m, n)
				got, want := before.clone(), before.clone()
				op.call(e.serial, got)
				for i := range m {
					for j := range n {
						oracle(op.name, &want, i, j)
					}
				}
				theirs := want.matrices()
				for k, x := range got.matrices() {
					for at, v := range x.Data {
						w := theirs[k].Data[at]
						if !(math.Abs(float64(v)-float64(w)) <= 64*eps) && !(sameBits(v, canary) && sameBits(w, canary)) {
							t.Fatalf("%s, %d rows of %d: matrix %d, row %d, column %d is %g, want %g",
								op.name, m, n, k, at/x.LD, at%x.LD, v, w)
						}
					}
				}
			}
		}
	})
}

// oracle does what an operation does, for one unit of a row.
func oracle(op string, s *GatedStep, i, j int) {
	value := func(x Rows, group int) float64 { return float64(x.Data[i*x.LD+group*s.Gate+j]) }
	set := func(x Rows, values ...float64) {
		for group, v := range values {
			x.Data[i*x.LD+group*s.Gate+j] = float32(v)
		}
	}
	z := func(group int) float64 { return value(s.Z, group) }
	state, dh := value(s.State, 0), value(s.Carry, 0)+value(s.DH, 0)
	switch op {
	case "LSTM":
		next, tanhNext, h := ref.LSTM(z(0), z(1), z(2), z(3), state)
		set(s.Next, next)
		set(s.H, h)
		set(s.Z, z(0), z(1), z(2), z(3), tanhNext)
	case "LSTMGrad":
		di, df, dg, do, dc := ref.LSTMGrad(z(0), z(1), z(2), z(3), z(4), state, dh, value(s.DState, 0))
		set(s.DZ, di, df, dg, do)
		set(s.DState, dc)
	case "GRU":
		candidate, next := ref.GRU(z(0), z(1), z(2), z(3), state)
		set(s.Z, z(0), z(1), candidate)
		set(s.Next, next)
	case "GRUGrad":
		dr, du, dx, dq, before := ref.GRUGrad(z(0), z(1), z(2), z(3), state, dh)
		set(s.DZ, dr, du, dx, dq)
		set(s.Carry, before)
	}
}

// TestGatedInPlace: a step may write its state's successor over it.
func TestGatedInPlace(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(75, 76))
		for _, size := range gatedSizes {
			for _, op := range gatedOps {
				apart := gatedStep(r, size[0], size[1])
				apart.Next = Rows{filled(len(apart.State.Data), canary), apart.State.LD}
				inPlace := apart.clone()
				inPlace.Next = inPlace.State
				op.call(e.serial, apart)
				op.call(e.serial, inPlace)
				if op.name == "LSTM" || op.name == "GRU" {
					apart.State = apart.Next
				} else {
					apart.Next = apart.State
				}
				if err := apart.same(inPlace); err != nil {
					t.Errorf("%s, %d rows of %d: %v in place", op.name, size[0], size[1], err)
				}
			}
		}
	})
}

// TestGatedWithoutDH: a DH without data gives the bits of a DH of zeros.
func TestGatedWithoutDH(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(77, 78))
		for _, size := range gatedSizes {
			for _, op := range gatedOps {
				zeros := gatedStep(r, size[0], size[1])
				clear(zeros.DH.Data)
				without := zeros.clone()
				without.DH = Rows{}
				op.call(e.serial, zeros)
				op.call(e.serial, without)
				without.DH = zeros.DH
				if err := zeros.same(without); err != nil {
					t.Errorf("%s, %d rows of %d: %v without DH", op.name, size[0], size[1], err)
				}
			}
		}
	})
}

// TestGatedPartsAgree cuts a step into rows and columns of any size, and gives it to
// every set that fuses. The bits are those of one call.
func TestGatedPartsAgree(t *testing.T) {
	var first map[string]GatedStep // what the first set that fuses computed
	eachEngine(t, 2, func(t *testing.T, e *Engine) {
		r, results := rand.New(rand.NewPCG(79, 80)), map[string]GatedStep{}
		for _, size := range gatedSizes {
			m, n := size[0], size[1]
			for _, op := range gatedOps {
				name := fmt.Sprintf("%s, %d rows of %d", op.name, m, n)
				before := gatedStep(r, m, n)
				whole := before.clone()
				op.call(e.serial, whole)
				results[name] = whole

				parts := before.clone()
				for i, rows := 0, 0; i < m; i += rows {
					rows = 1 + r.IntN(m-i)
					for j, cols := 0, 0; j < n; j += cols {
						cols = 1 + r.IntN(n-j)
						part := parts
						part.M, part.N = rows, cols
						for _, x := range part.matrices() {
							*x = x.From(i, j)
						}
						op.call(e.serial, part)
					}
				}
				if err := whole.same(parts); err != nil {
					t.Errorf("%s: %v in parts", name, err)
				}

				shared := before.clone()
				e.Run(2, func(w *Worker) {
					rows := w.Share(m)
					if rows.Lo == rows.Hi {
						return
					}
					part := shared
					part.M = rows.Hi - rows.Lo
					for _, x := range part.matrices() {
						*x = x.From(rows.Lo, 0)
					}
					op.call(w.serial, part)
				})
				if err := whole.same(shared); n > 0 && err != nil {
					t.Errorf("%s: %v by two workers", name, err)
				}
			}
		}
		if e.ISA() == "generic" {
			return
		}
		if first == nil {
			first = results
		}
		for name, want := range first {
			if err := want.same(results[name]); err != nil {
				t.Errorf("%s: %v by %s", name, err, e.ISA())
			}
		}
	})
}
