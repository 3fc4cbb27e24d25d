package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// data holds observations and what they were made from.
type data struct {
	x     *mat.Dense    // a row for each observation
	y     *mat.VecDense // x times the true weights, with noise
	truth result
}

// The tasks that are timed.
const (
	components = iota
	ridge
	tasks
)

// A result holds the leading principal components, a row for each, and the weights of the
// regression.
type result struct {
	components *mat.Dense
	weights    *mat.VecDense
	took       [tasks]time.Duration
}

const (
	factors = 3   // that the variables share
	noise   = 0.1 // standard deviation of what no factor explains
)

// makeData draws observations. The factors are orthogonal, with standard deviations of
// 3, 2 and 1.
func makeData(o *options) *data {
	rng := rand.New(rand.NewPCG(o.seed, 1))
	normal := func(rows, columns int) *mat.Dense {
		m := mat.NewDense(rows, columns, nil)
		m.Apply(func(_, _ int, _ float64) float64 { return rng.NormFloat64() }, m)
		return m
	}
	var qr mat.QR
	var q mat.Dense
	qr.Factorize(normal(o.columns, factors))
	qr.QTo(&q)

	d := &data{x: normal(o.rows, o.columns), y: mat.NewVecDense(o.rows, nil)}
	d.truth.components = mat.DenseCopyOf(q.Slice(0, o.columns, 0, factors).T())
	scores := normal(o.rows, factors)
	scores.Apply(func(_, k int, v float64) float64 { return v * float64(factors-k) }, scores)
	var shared mat.Dense
	shared.Mul(scores, d.truth.components)
	d.x.Scale(noise, d.x)
	d.x.Add(d.x, &shared)

	d.truth.weights = mat.VecDenseCopyOf(normal(o.columns, 1).ColView(0))
	d.y.MulVec(d.x, d.truth.weights)
	for i := range o.rows {
		d.y.SetVec(i, d.y.AtVec(i)+noise*noise*rng.NormFloat64())
	}
	return d
}

// analyse is what a gonum program would do with the data.
func analyse(d *data) (*result, error) {
	r := &result{weights: &mat.VecDense{}}
	_, columns := d.x.Dims()
	start := time.Now()
	var pc stat.PC
	if !pc.PrincipalComponents(d.x, nil) {
		return nil, errors.New("the singular values did not converge")
	}
	var vectors mat.Dense
	pc.VectorsTo(&vectors)
	r.components = mat.DenseCopyOf(vectors.Slice(0, columns, 0, factors).T())
	r.took[components] = time.Since(start)

	// (XᵀX + λI)·w = Xᵀy
	const lambda = 1e-3
	start = time.Now()
	var normal mat.SymDense
	normal.SymOuterK(1, d.x.T())
	for i := range columns {
		normal.SetSym(i, i, normal.At(i, i)+lambda)
	}
	var xy mat.VecDense
	xy.MulVec(d.x.T(), d.y)
	var chol mat.Cholesky
	if !chol.Factorize(&normal) {
		return nil, errors.New("the normal equations are not positive definite")
	}
	if err := chol.SolveVecTo(r.weights, &xy); err != nil {
		return nil, err
	}
	r.took[ridge] = time.Since(start)
	return r, nil
}

// differences are the largest ones between two results.
type differences struct {
	component float64 // of an element of a component, whose sign is free
	weight    float64
}

func (d differences) String() string {
	return fmt.Sprintf("%.1e in components, %.1e in weights", d.component, d.weight)
}

// from returns how far r is from s.
func (r *result) from(s *result) (d differences) {
	_, columns := r.components.Dims()
	for k := range factors {
		a, b := r.components.RowView(k), s.components.RowView(k)
		sign := math.Copysign(1, mat.Dot(a, b))
		for i := range columns {
			d.component = max(d.component, math.Abs(a.AtVec(i)-sign*b.AtVec(i)))
		}
	}
	for i := range columns {
		d.weight = max(d.weight, math.Abs(r.weights.AtVec(i)-s.weights.AtVec(i)))
	}
	return d
}

// bits returns the bits of all values.
func (r *result) bits() (bits []uint64) {
	for _, v := range slices.Concat(r.components.RawMatrix().Data, r.weights.RawVector().Data) {
		bits = append(bits, math.Float64bits(v))
	}
	return bits
}
