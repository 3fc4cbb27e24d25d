package rnn

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"batchrnn/kernels"
)

// A quantised model has int8 weights, and only scores. See [Model.Quantise].

// int8Vectors are vectors in int8, each with a scale: vector j is scales[j]·q[j*k:][:k],
// where k = len(q) / len(scales).
type int8Vectors struct {
	q      []int8
	scales []float32
}

// row sets dst to the row of an id, of a table that ids select from. A row is a vector, or
// one for each gate.
func (t *int8Vectors) row(w *kernels.Worker, dst []float32, id int) {
	k := len(t.q) / len(t.scales)
	for j, n := id*(len(dst)/k), 0; n < len(dst); j, n = j+1, n+k {
		w.Dequantise(dst[n:n+k], t.q[j*k:][:k], t.scales[j])
	}
}

// Quantise returns a model with the weights of m in int8, for scoring, sampling and
// streams. It takes about a quarter of the memory of m after [Model.Compact]. m stays as it
// is. It returns an error if a weight is NaN or infinite, if m is compact or quantised, or if
// means make a bias NaN or infinite.
//
// Each column of a weight, that is each output of its product, has a scale: the largest
// magnitude in the column is 127 times the scale, and values are rounded to the nearest
// multiple. So one large weight costs the others of its column their precision, and no
// other column's. Rows that ids select have a scale for each row and gate. Biases stay
// float32.
//
// Products quantise their other side too, each row by its own largest magnitude. Their
// sums are exact integers. Activations and the cells' steps are float32. So the bits are
// the same for any number of threads, any batch, steps at once or one by one, and for
// every instruction set but "generic", which rounds once more. A row of states that has a
// NaN or an infinity makes all outputs of its product NaN.
//
// The rounding of weights shifts the mean of an output. A cell that keeps its state for
// long adds such shifts up: a GRU lost 0.024 bits a character by them. So biases take them
// back: means are those of what the products read, over typical input. nil leaves the
// biases as they are.
func (m *Model) Quantise(means *Means) (*Model, error) {
	switch {
	case m.Int8:
		return nil, errors.New("rnn: Quantise: the model is quantised already")
	case m.compact():
		return nil, errors.New("rnn: Quantise: the model has been made compact, without its parameters: call Quantise before Compact")
	case means != nil && means.m != m:
		return nil, errors.New("rnn: Quantise: the means are of another model: take NewMeans of this one")
	}
	q := newQuantised(m.engine, m.Config)
	for i := range q.table {
		if w := &q.table[i]; w.bias() {
			m.engine.Copy(*q.view(w), m.values(w))
			if !allFinite(m.values(w)) {
				return nil, notFinite(w)
			}
		}
	}
	for i := range q.table {
		w := &q.table[i]
		if w.bias() {
			continue
		}
		for _, p := range q.int8Parts(w) {
			vectors, ok := p.quantise(m.values(w), means.of(w, p.outputs), q.biasOf(w, p.outputs))
			if !ok {
				return nil, notFinite(w)
			}
			q.setPart(p, vectors)
		}
	}
	for i := range q.table {
		if w := &q.table[i]; w.bias() && !allFinite(*q.view(w)) {
			return nil, fmt.Errorf("rnn: Quantise: the means make weight %q NaN or infinite: take means of passes whose input and states are finite", w.name)
		}
	}
	q.engine.Run(1, q.addBiases)
	return q, nil
}

func notFinite(w *weight) error {
	return fmt.Errorf("rnn: Quantise: weight %q has a value that is NaN or infinite: its training has diverged, train the model again", w.name)
}

// allFinite says whether no value is NaN or infinite.
func allFinite(x []float32) bool {
	for _, v := range x {
		if !finite(float64(v)) {
			return false
		}
	}
	return true
}

// newQuantised returns a quantised model of a valid c without values.
func newQuantised(e *kernels.Engine, c Config) *Model {
	c = c.normal()
	c.Int8 = true
	q := &Model{Config: c, Params: emptyParams(c), engine: e, table: c.weights()}
	for i := range q.table {
		w := &q.table[i]
		var p packedWeight
		switch {
		case w.bias():
			*q.view(w) = make([]float32, w.params())
		case w.packed:
			for _, b := range w.blocks(false) {
				p.plain = append(p.plain, e.NewPackedInt8(w.rows, b.Len()))
			}
		default:
			p.table = int8Vectors{make([]int8, w.rows*w.cols), make([]float32, w.rows*w.groups)}
		}
		q.packed[w.role] = append(q.packed[w.role], p)
	}
	q.newSums()
	return q
}

// An int8Part is a part of a quantised weight: n vectors of k values, each with a scale.
// They are columns of a block that products read, or rows that ids select, in parts for
// each gate.
type int8Part struct {
	n, k   int
	packed *kernels.Packed // the block; nil for a table
	table  *int8Vectors
	// outputs are the outputs of the weight that are in the block.
	outputs kernels.Span
	// Element i of vector j is that with index first + j·step + i·inc of the weight.
	first, step, inc int
}

// int8Parts returns the parts of a weight that is not a bias.
func (m *Model) int8Parts(w *weight) []int8Part {
	p := &m.packed[w.role][w.i]
	if !w.packed {
		k := w.cols / w.groups
		return []int8Part{{n: w.rows * w.groups, k: k, table: &p.table, step: k, inc: 1}}
	}
	var parts []int8Part
	for i, b := range w.blocks(false) {
		part := int8Part{n: b.Len(), k: w.rows, packed: p.plain[i], outputs: b, first: b.Lo, step: 1, inc: w.cols}
		if w.tied { // values are the transpose
			part.first, part.step, part.inc = b.Lo*w.rows, w.rows, 1
		}
		parts = append(parts, part)
	}
	return parts
}

// quantise rounds the vectors of a part. It adds to bias what the outputs lose in the mean,
// unless mean or bias is nil. It returns false if a value is not finite.
func (p *int8Part) quantise(values []float32, mean []float64, bias []float32) (vectors int8Vectors, ok bool) {
	vectors = int8Vectors{make([]int8, p.n*p.k), make([]float32, p.n)}
	vector := make([]float32, p.k)
	for j := range p.n {
		for i := range vector {
			vector[i] = values[p.first+j*p.step+i*p.inc]
		}
		if vectors.scales[j], ok = kernels.Quantise(vectors.q[j*p.k:][:p.k], vector); !ok {
			return vectors, false
		}
		if mean == nil || bias == nil {
			continue
		}
		lost := 0.0
		for i, q := range vectors.q[j*p.k:][:p.k] {
			lost += (float64(vector[i]) - float64(vectors.scales[j])*float64(q)) * mean[i]
		}
		bias[j] += float32(lost)
	}
	return vectors, true
}

// setPart sets the values of a part.
func (m *Model) setPart(p int8Part, vectors int8Vectors) {
	if p.packed != nil {
		m.engine.PackInt8(p.packed, vectors.q, vectors.scales)
	} else {
		*p.table = vectors
	}
}

// values returns the values of a part.
func (p *int8Part) values() int8Vectors {
	if p.packed == nil {
		return *p.table
	}
	vectors := int8Vectors{make([]int8, p.n*p.k), make([]float32, p.n)}
	p.packed.Int8(vectors.q, vectors.scales)
	return vectors
}

// Int8Bytes returns the number of bytes that [Model.WriteInt8] writes for a model of this
// Config.
func (c Config) Int8Bytes() (n int64) {
	for _, w := range c.weights() {
		switch {
		case w.bias():
			n += 4 * int64(w.cols)
		case w.packed:
			n += int64(w.cols) * (int64(w.rows) + 4)
		default:
			n += int64(w.rows) * (int64(w.cols) + 4*int64(w.groups))
		}
	}
	return n
}

// WriteInt8 writes the weights of a quantised model to w and returns the number of bytes
// written. They are those of [Config.Int8Bytes], little-endian, in the order of the slab
// and without a header: biases as float32; of each other weight, for each block of its
// outputs, float32 scales and then int8 vectors. Write the Config and a checksum beside
// them.
func (m *Model) WriteInt8(w io.Writer) (n int64, err error) {
	if !m.Int8 {
		return 0, errors.New("rnn: WriteInt8: the weights are float32: call Quantise")
	}
	out := bufio.NewWriterSize(w, chunk) // keeps the first error
	floats := func(x []float32) {
		for _, v := range x {
			out.Write(binary.LittleEndian.AppendUint32(out.AvailableBuffer(), math.Float32bits(v)))
		}
		n += 4 * int64(len(x))
	}
	for i := range m.table {
		x := &m.table[i]
		if x.bias() {
			floats(*m.view(x))
			continue
		}
		for _, p := range m.int8Parts(x) {
			vectors := p.values()
			floats(vectors.scales)
			for _, v := range vectors.q {
				out.WriteByte(byte(v))
			}
			n += int64(len(vectors.q))
		}
	}
	err = out.Flush()
	return n - int64(out.Buffered()), err
}

// ReadInt8 returns the quantised model of a Config that [Model.WriteInt8] has written. It
// reads [Config.Int8Bytes] bytes, and allocates as much: check the Config before. It
// returns an error if r ends before, or if the values can't be those of a quantised model.
func ReadInt8(e *kernels.Engine, c Config, r io.Reader) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := newQuantised(e, c)
	for i := range m.table {
		w := &m.table[i]
		if w.bias() {
			if err := readFloats(r, *m.view(w)); err != nil {
				return nil, err
			}
			if !allFinite(*m.view(w)) {
				return nil, fmt.Errorf("rnn: weight %q: a value is NaN or infinite: damaged", w.name)
			}
			continue
		}
		for _, p := range m.int8Parts(w) {
			vectors := int8Vectors{make([]int8, p.n*p.k), make([]float32, p.n)}
			if err := readFloats(r, vectors.scales); err != nil {
				return nil, err
			}
			if err := readInt8(r, vectors.q); err != nil {
				return nil, err
			}
			if err := vectors.check(); err != nil {
				return nil, fmt.Errorf("rnn: weight %q: %w", w.name, err)
			}
			m.setPart(p, vectors)
		}
	}
	e.Run(1, m.addBiases)
	return m, nil
}

// check returns an error for values that quantise does not give.
func (t *int8Vectors) check() error {
	const most = float32(math.MaxFloat32) / math.MaxInt8
	for _, s := range t.scales {
		if !(s >= 0 && s <= most) {
			return fmt.Errorf("a scale is %v: damaged", s)
		}
	}
	for _, v := range t.q {
		if v == math.MinInt8 {
			return errors.New("a value is -128: damaged")
		}
	}
	return nil
}

// chunk is the size of the buffers between values and a file.
const chunk = 64 << 10

func readFloats(r io.Reader, x []float32) error {
	buf := make([]byte, min(4*len(x), chunk))
	for len(x) > 0 {
		n := min(len(x), chunk/4)
		if _, err := io.ReadFull(r, buf[:4*n]); err != nil {
			return err
		}
		for i := range n {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf[4*i:]))
		}
		x = x[n:]
	}
	return nil
}

func readInt8(r io.Reader, q []int8) error {
	buf := make([]byte, min(len(q), chunk))
	for len(q) > 0 {
		n := min(len(q), chunk)
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return err
		}
		for i, b := range buf[:n] {
			q[i] = int8(b)
		}
		q = q[n:]
	}
	return nil
}
