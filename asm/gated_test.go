package asm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels/ref"
)

// Operands of the steps of gated cells, by their place in the lists below. A step's next
// comes first, because it may be its state too.
const (
	stepNext = iota
	stepState
	stepZ
	stepH // of an LSTM
)

// Operands of the derivatives.
const (
	gradDZ = iota
	gradZ
	gradCarry
	gradDH
	gradState
	gradDC // of an LSTM
)

// gatedShapes are vectors with every gap of groups, apart and in place.
func gatedShapes(aliases ...int) []shape {
	list := vectors(0, aliases...)
	for i := range list {
		list[i].gap = list[i].n % 3 * 5
	}
	return list
}

// gate is the distance from one group of Z to the next.
func (sh shape) gate() int { return sh.n + sh.gap }

// groups describes Z or dZ.
func (sh shape) groups(n int, a access) operand {
	return operand{rows: n, cols: sh.n, ld: sh.gate(), access: a, fill: signed}
}

// gatedSlots lists the steps of gated cells and their derivatives.
func gatedSlots(s *Set) []slot[float32] {
	return []slot[float32]{
		{
			name: "LSTM", field: "LSTM",
			shapes: gatedShapes(stepState),
			operands: func(sh shape) []operand {
				return []operand{vector(sh.n, out, nil), vector(sh.n, in, normal), sh.groups(5, inOut), vector(sh.n, out, nil)}
			},
			call: func(sh shape, x [][]float32, _ *[2]float32) {
				s.LSTM(sh.n, first(x[stepZ]), sh.gate(), first(x[stepState]), first(x[stepNext]), first(x[stepH]))
			},
			want: wantLSTM,
		},
		{
			name: "LSTMGrad", field: "LSTMGrad",
			shapes: gatedShapes(),
			operands: func(sh shape) []operand {
				return []operand{
					sh.groups(4, out), sh.groups(5, in), vector(sh.n, in, normal), vector(sh.n, in, normal),
					vector(sh.n, in, normal), vector(sh.n, inOut, normal),
				}
			},
			call: func(sh shape, x [][]float32, _ *[2]float32) {
				s.LSTMGrad(sh.n, first(x[gradDZ]), first(x[gradZ]), sh.gate(), first(x[gradCarry]), first(x[gradDH]), first(x[gradState]), first(x[gradDC]))
			},
			want: wantLSTMGrad,
		},
		{
			name: "GRU", field: "GRU",
			shapes: gatedShapes(stepState),
			operands: func(sh shape) []operand {
				return []operand{vector(sh.n, out, nil), vector(sh.n, in, normal), sh.groups(4, inOut)}
			},
			call: func(sh shape, x [][]float32, _ *[2]float32) {
				s.GRU(sh.n, first(x[stepZ]), sh.gate(), first(x[stepState]), first(x[stepNext]))
			},
			want: wantGRU,
		},
		{
			name: "GRUGrad", field: "GRUGrad",
			shapes: gatedShapes(),
			operands: func(sh shape) []operand {
				return []operand{
					sh.groups(4, out), sh.groups(4, in), vector(sh.n, inOut, normal), vector(sh.n, in, normal),
					vector(sh.n, in, normal),
				}
			},
			call: func(sh shape, x [][]float32, _ *[2]float32) {
				s.GRUGrad(sh.n, first(x[gradDZ]), first(x[gradZ]), sh.gate(), first(x[gradCarry]), first(x[gradDH]), first(x[gradState]))
			},
			want: wantGRUGrad,
		},
	}
}

// The tolerances below count roundings, each eps of what is rounded, and follow them
// through the later operations. One more than there are covers terms of second order.

// tanhTolerance is that of y = tanh x within 2 ULP, where x is off by so much.
func tanhTolerance(y, x float64) float64 { return 2*ref.ULP(y) + 1.01*x*ref.TanhGrad(y) }

// slopeTolerance is that of 1 - y², whose terms may cancel.
func slopeTolerance(y float64) float64 { return 1.01 * eps * (y*y + abs(1-y*y)) }

func wantLSTM(sh shape, x [][]float32) ([][]expect, []expect) {
	next, h, z := make([]expect, sh.n), make([]expect, sh.n), make([]expect, 5*sh.n)
	for j := range sh.n {
		var gates [4]float64
		for k := range gates {
			z[k*sh.n+j] = exactly(x[stepZ][k*sh.gate()+j])
			gates[k] = z[k*sh.n+j].value
		}
		i, f, g, o, c := gates[0], gates[1], gates[2], gates[3], float64(x[stepState][j])
		n, tc, out := ref.LSTM(i, f, g, o, c)
		next[j] = expect{n, eps*(abs(f*c)+abs(i*g)+1.01*abs(n)) + slack}
		z[4*sh.n+j] = expect{tc, tanhTolerance(tc, next[j].tolerance)}
		h[j] = expect{out, abs(o)*z[4*sh.n+j].tolerance + 2*eps*abs(out) + slack}
	}
	return [][]expect{next, nil, z, h}, nil
}

func wantLSTMGrad(sh shape, x [][]float32) ([][]expect, []expect) {
	dz, before := make([]expect, 4*sh.n), make([]expect, sh.n)
	for j := range sh.n {
		group := func(k int) float64 { return float64(x[gradZ][k*sh.gate()+j]) }
		i, f, g, o, tc := group(0), group(1), group(2), group(3), group(4)
		c, dnext := float64(x[gradState][j]), float64(x[gradDC][j])
		dh := float64(x[gradCarry][j]) + float64(x[gradDH][j])
		di, df, dg, do, dc := ref.LSTMGrad(i, f, g, o, tc, c, dh, dnext)

		later := dh * o * ref.TanhGrad(tc)
		total := dnext + later
		off := abs(dh*o)*slopeTolerance(tc) + 4*eps*abs(later) + 2*eps*abs(total)
		dz[j] = expect{di, off*abs(g*ref.SigmoidGrad(i)) + 5*eps*abs(di) + slack}
		dz[sh.n+j] = expect{df, off*abs(c*ref.SigmoidGrad(f)) + 5*eps*abs(df) + slack}
		dz[2*sh.n+j] = expect{dg, off*abs(i*ref.TanhGrad(g)) + abs(total*i)*slopeTolerance(g) + 3*eps*abs(dg) + slack}
		dz[3*sh.n+j] = expect{do, 6*eps*abs(do) + slack}
		before[j] = expect{dc, off*abs(f) + 2*eps*abs(dc) + slack}
	}
	return [][]expect{dz, nil, nil, nil, nil, before}, nil
}

func wantGRU(sh shape, x [][]float32) ([][]expect, []expect) {
	next, z := make([]expect, sh.n), make([]expect, 4*sh.n)
	for j := range sh.n {
		for k := range 4 {
			z[k*sh.n+j] = exactly(x[stepZ][k*sh.gate()+j])
		}
		r, u, in, q, h := z[j].value, z[sh.n+j].value, z[2*sh.n+j].value, z[3*sh.n+j].value, float64(x[stepState][j])
		y, n := ref.GRU(r, u, in, q, h)
		off := tanhTolerance(y, eps*(abs(r*q)+1.01*abs(in+r*q))+slack)
		z[2*sh.n+j] = expect{y, off}
		next[j] = expect{n, off*abs(1-u) + 3*eps*abs(u*(h-y)) + 2*eps*abs(n) + slack}
	}
	return [][]expect{next, nil, z}, nil
}

func wantGRUGrad(sh shape, x [][]float32) ([][]expect, []expect) {
	dz, carry := make([]expect, 4*sh.n), make([]expect, sh.n)
	for j := range sh.n {
		group := func(k int) float64 { return float64(x[gradZ][k*sh.gate()+j]) }
		r, u, y, q, h := group(0), group(1), group(2), group(3), float64(x[gradState][j])
		dnext := float64(x[gradCarry][j]) + float64(x[gradDH][j])
		dr, du, dx, dq, dh := ref.GRUGrad(r, u, y, q, h, dnext)

		off := abs(dnext*(1-u))*slopeTolerance(y) + 5*eps*abs(dx)
		dz[j] = expect{dr, off*abs(q*ref.SigmoidGrad(r)) + 5*eps*abs(dr) + slack}
		dz[sh.n+j] = expect{du, 7*eps*abs(du) + slack}
		dz[2*sh.n+j] = expect{dx, off + slack}
		dz[3*sh.n+j] = expect{dq, off*abs(r) + 2*eps*abs(dq) + slack}
		carry[j] = expect{dh, 3*eps*abs(dh) + slack}
	}
	return [][]expect{dz, nil, carry, nil, nil}, nil
}

// TestGatedOrder holds each element of gated steps to one sequence of roundings, with
// the Set's own tanh, bit for bit.
func TestGatedOrder(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		for _, sl := range gatedSlots(s) {
			t.Run(sl.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(17, 18))
				for i, sh := range sl.shapes {
					fill := normal
					if i/2%2 == 0 {
						fill = rough
					}
					if err := checkGatedOrder(s, sl, sh, laid[float32](sl.operands(sh), r, fill)); err != nil {
						t.Fatalf("%v: %v", sh, err)
					}
				}
			})
		}
	})
}

// checkGatedOrder runs a kernel on x and compares all of x with gatedInOrder.
func checkGatedOrder(s *Set, sl slot[float32], sh shape, x [][]float32) error {
	if sh.alias != 0 {
		x[0] = x[sh.alias]
	}
	want := cloneAll(x)
	gatedInOrder(s, sl.field, sh, want)
	if sh.alias != 0 {
		want[sh.alias] = want[0]
	}
	sl.call(sh, x, nil)
	for i := range x {
		for j := range x[i] {
			if !sameValue(x[i][j], want[i][j]) {
				return fmt.Errorf("element %d of operand %d is %x, in order %x", j, i, x[i][j], want[i][j])
			}
		}
	}
	return nil
}

// gatedInOrder does what the kernel of a slot does, rounding by rounding.
func gatedInOrder(s *Set, field string, sh shape, x [][]float32) {
	tanh := func(v float32) float32 {
		y := []float32{v}
		s.Tanh(y, y)
		return y[0]
	}
	sigmoidSlope := func(y float32) float32 { return float32(y * float32(1-y)) }
	tanhSlope := func(y float32) float32 { return multiplyAdd(s, -y, y, 1) }
	for j := range sh.n {
		group := func(x []float32, k int) *float32 { return &x[k*sh.gate()+j] }
		switch field {
		case "LSTM":
			z := x[stepZ]
			i, f, g, o := *group(z, 0), *group(z, 1), *group(z, 2), *group(z, 3)
			next := multiplyAdd(s, f, x[stepState][j], float32(i*g))
			x[stepNext][j] = next
			*group(z, 4) = tanh(next)
			x[stepH][j] = o * *group(z, 4)
		case "LSTMGrad":
			z, dz := x[gradZ], x[gradDZ]
			i, f, g, o, tc := *group(z, 0), *group(z, 1), *group(z, 2), *group(z, 3), *group(z, 4)
			d := x[gradCarry][j] + x[gradDH][j]
			dnext := multiplyAdd(s, float32(d*o), tanhSlope(tc), x[gradDC][j])
			*group(dz, 0) = float32(dnext*g) * sigmoidSlope(i)
			*group(dz, 1) = float32(dnext*x[gradState][j]) * sigmoidSlope(f)
			*group(dz, 2) = float32(dnext*i) * tanhSlope(g)
			*group(dz, 3) = float32(d*tc) * sigmoidSlope(o)
			x[gradDC][j] = dnext * f
		case "GRU":
			z, h := x[stepZ], x[stepState][j]
			y := tanh(multiplyAdd(s, *group(z, 0), *group(z, 3), *group(z, 2)))
			*group(z, 2) = y
			x[stepNext][j] = multiplyAdd(s, *group(z, 1), float32(h-y), y)
		case "GRUGrad":
			z, dz := x[gradZ], x[gradDZ]
			r, u, y, q := *group(z, 0), *group(z, 1), *group(z, 2), *group(z, 3)
			d := x[gradCarry][j] + x[gradDH][j]
			dy := float32(d*float32(1-u)) * tanhSlope(y)
			*group(dz, 0) = float32(dy*q) * sigmoidSlope(r)
			*group(dz, 1) = float32(d*float32(x[gradState][j]-y)) * sigmoidSlope(u)
			*group(dz, 2) = dy
			*group(dz, 3) = dy * r
			x[gradCarry][j] = d * u
		}
	}
}

// A place is a group of an operand of a gated step, or a vector as its only group.
type place struct{ operand, group int }

// reach says which places a value spreads to through the kernel of a slot.
var reach = map[string]map[place][]place{
	"LSTM": {
		{stepState, 0}: {{stepNext, 0}, {stepZ, 4}, {stepH, 0}},
		{stepZ, 0}:     {{stepNext, 0}, {stepZ, 4}, {stepH, 0}},
		{stepZ, 1}:     {{stepNext, 0}, {stepZ, 4}, {stepH, 0}},
		{stepZ, 2}:     {{stepNext, 0}, {stepZ, 4}, {stepH, 0}},
		{stepZ, 3}:     {{stepH, 0}},
	},
	"LSTMGrad": {
		{gradCarry, 0}: {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDZ, 3}, {gradDC, 0}},
		{gradDH, 0}:    {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDZ, 3}, {gradDC, 0}},
		{gradDC, 0}:    {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDC, 0}},
		{gradState, 0}: {{gradDZ, 1}},
		{gradZ, 0}:     {{gradDZ, 0}, {gradDZ, 2}},
		{gradZ, 1}:     {{gradDZ, 1}, {gradDC, 0}},
		{gradZ, 2}:     {{gradDZ, 0}, {gradDZ, 2}},
		{gradZ, 3}:     {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDZ, 3}, {gradDC, 0}},
		{gradZ, 4}:     {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDZ, 3}, {gradDC, 0}},
	},
	"GRU": {
		{stepState, 0}: {{stepNext, 0}},
		{stepZ, 0}:     {{stepNext, 0}, {stepZ, 2}},
		{stepZ, 1}:     {{stepNext, 0}},
		{stepZ, 2}:     {{stepNext, 0}, {stepZ, 2}},
		{stepZ, 3}:     {{stepNext, 0}, {stepZ, 2}},
	},
	"GRUGrad": {
		{gradCarry, 0}: {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDZ, 3}, {gradCarry, 0}},
		{gradDH, 0}:    {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDZ, 3}, {gradCarry, 0}},
		{gradState, 0}: {{gradDZ, 1}},
		{gradZ, 0}:     {{gradDZ, 0}, {gradDZ, 3}},
		{gradZ, 1}:     {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDZ, 3}, {gradCarry, 0}},
		{gradZ, 2}:     {{gradDZ, 0}, {gradDZ, 1}, {gradDZ, 2}, {gradDZ, 3}},
		{gradZ, 3}:     {{gradDZ, 0}},
	},
}

// TestGatedNaN puts a NaN into each place that a gated step reads, at every element of
// vectors with a tail. It has to reach exactly the results that depend on it.
func TestGatedNaN(t *testing.T) {
	sh := shape{n: 2*Lanes + 16 + 5, gap: 3}
	eachSet(t, func(t *testing.T, s *Set) {
		for _, sl := range gatedSlots(s) {
			ops := sl.operands(sh)
			for from, to := range reach[sl.field] {
				for at := range sh.n {
					x := laid[float32](ops, nil, func(*rand.Rand) float64 { return 0.5 })
					x[from.operand][from.group*sh.gate()+at] = nan
					sl.call(sh, x, nil)
					for i, op := range ops {
						for j, v := range x[i] {
							p := place{i, j / op.ld}
							want := j%op.ld == at && (p == from || slices.Contains(to, p))
							if isNaN := v != v; isNaN != want {
								t.Fatalf("%s: NaN in group %d of operand %d, unit %d: group %d of operand %d, unit %d is %g",
									sl.name, from.group, from.operand, at, p.group, i, j%op.ld, v)
							}
						}
					}
				}
			}
		}
	})
}
