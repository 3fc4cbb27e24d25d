package kernels

import (
	"fmt"
	"math"
)

// Rows are the rows of a matrix whose size the context says: row i begins at
// Data[i·LD].
type Rows struct {
	Data []float32
	LD   int
}

// From returns the rows from row i and column j on.
func (r Rows) From(i, j int) Rows { return Rows{r.Data[i*r.LD+j:], r.LD} }

// A GatedStep is the step of a gated cell for M rows of N units, or its derivative. In a
// row of Z or DZ, group k of N values begins k·Gate floats in. Apart from Next, which may
// be State, no two of its matrices may overlap.
type GatedStep struct {
	M, N, Gate int

	Z     Rows
	State Rows // before the step: c of an LSTM, h of a GRU
	Next  Rows // after it
	H     Rows // an LSTM's output

	// The derivative reads Z as the step left it, and State. dJ of the output is Carry +
	// DH, where a DH without Data stands for zeros.
	DZ     Rows
	Carry  Rows
	DH     Rows
	DState Rows // of an LSTM: dJ/dc
}

// unitsPerCall bounds the time of one call to about 15 µs.
const unitsPerCall = 4096

// LSTM is the step of an LSTM cell (Gers, Schmidhuber & Cummins 2000), from the gates i,
// f, g, o after their activations in groups 0 to 3 of Z:
//
//	Next = f·State + i·g    H = o·tanh(Next)
//
// It leaves tanh(Next) in group 4.
func (o serial) LSTM(s GatedStep) {
	s.check("LSTM", 5)
	checkMatrix("LSTM", "Next", s.Next.Data, s.M, s.N, s.Next.LD)
	checkMatrix("LSTM", "H", s.H.Data, s.M, s.N, s.H.LD)
	for i := range s.M {
		for j := 0; j < s.N; j += unitsPerCall {
			stopPoint()
			o.set.LSTM(min(unitsPerCall, s.N-j), s.Z.at(i, j), s.Gate, s.State.at(i, j), s.Next.at(i, j), s.H.at(i, j))
		}
	}
}

// LSTMGrad is the derivative of LSTM. It sets groups 0 to 3 of DZ to dJ of the
// pre-activations of i, f, g, o. DState comes in as dJ/dNext by later steps, and becomes
// dJ/dState.
func (o serial) LSTMGrad(s GatedStep) {
	s.check("LSTMGrad", 5)
	s.checkGrad("LSTMGrad", 4)
	checkMatrix("LSTMGrad", "DState", s.DState.Data, s.M, s.N, s.DState.LD)
	dh, ld := s.gradients()
	for i := range s.M {
		for j := 0; j < s.N; j += unitsPerCall {
			stopPoint()
			o.set.LSTMGrad(min(unitsPerCall, s.N-j), s.DZ.at(i, j), s.Z.at(i, j), s.Gate,
				s.Carry.at(i, j), &dh[i*ld+min(j, ld)], s.State.at(i, j), s.DState.at(i, j))
		}
	}
}

// GRU is the step of a GRU whose reset gate r acts after the product (cuDNN, PyTorch),
// from r and z after their activations in groups 0 and 1 of Z, the input's part x of the
// candidate in group 2, and the state's part q in group 3:
//
//	ñ = tanh(x + r·q)    Next = ñ + z·(State - ñ)
//
// It leaves ñ in group 2.
func (o serial) GRU(s GatedStep) {
	s.check("GRU", 4)
	checkMatrix("GRU", "Next", s.Next.Data, s.M, s.N, s.Next.LD)
	for i := range s.M {
		for j := 0; j < s.N; j += unitsPerCall {
			stopPoint()
			o.set.GRU(min(unitsPerCall, s.N-j), s.Z.at(i, j), s.Gate, s.State.at(i, j), s.Next.at(i, j))
		}
	}
}

// GRUGrad is the derivative of GRU. It sets groups 0 to 3 of DZ to dJ of the
// pre-activations of r and z, of x, and of q, and Carry to dJ/dState by z alone.
func (o serial) GRUGrad(s GatedStep) {
	s.check("GRUGrad", 4)
	s.checkGrad("GRUGrad", 4)
	dh, ld := s.gradients()
	for i := range s.M {
		for j := 0; j < s.N; j += unitsPerCall {
			stopPoint()
			o.set.GRUGrad(min(unitsPerCall, s.N-j), s.DZ.at(i, j), s.Z.at(i, j), s.Gate,
				s.Carry.at(i, j), &dh[i*ld+min(j, ld)], s.State.at(i, j))
		}
	}
}

func (r *Rows) at(i, j int) *float32 { return &r.Data[i*r.LD+j] }

// noGradient stands for a DH of zeros, of one call.
var noGradient = Floats(unitsPerCall)

// gradients returns DH and its row stride, 0 where it stands for zeros.
func (s *GatedStep) gradients() (dh []float32, ld int) {
	if s.DH.Data == nil {
		return noGradient, 0
	}
	return s.DH.Data, s.DH.LD
}

func (s *GatedStep) check(op string, groups int) {
	checkGroups(op, "Z", s.Z, s, groups)
	checkMatrix(op, "State", s.State.Data, s.M, s.N, s.State.LD)
}

func (s *GatedStep) checkGrad(op string, groups int) {
	checkGroups(op, "DZ", s.DZ, s, groups)
	checkMatrix(op, "Carry", s.Carry.Data, s.M, s.N, s.Carry.LD)
	if s.DH.Data != nil {
		checkMatrix(op, "DH", s.DH.Data, s.M, s.N, s.DH.LD)
	}
}

// checkGroups wants M rows of groups in z.
func checkGroups(op, name string, z Rows, s *GatedStep, groups int) {
	if s.N > s.Gate {
		panic(fmt.Sprintf("kernels: %s: groups of %d units begin every %d floats: Gate must be at least N", op, s.N, s.Gate))
	}
	if most := math.MaxInt / groups; s.Gate > most { // or the columns overflow
		panic(fmt.Sprintf("kernels: %s: Gate is %d, want at most %d for %d groups of %s", op, s.Gate, most, groups, name))
	}
	checkMatrix(op, name, z.Data, s.M, (groups-1)*s.Gate+s.N, z.LD)
}
