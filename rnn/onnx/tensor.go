package onnx

import (
	"cmp"
	"fmt"
	"slices"
)

// A Tensor is an input or an output of a run. Elements are row-major. A tensor of no
// dimensions has one element.
type Tensor struct {
	Shape  []int
	Floats []float32 // the elements of type Float
	Ints   []int64   // the elements of types Int64, Int32 and Bool, which is 0 or 1
}

// A tensor is a value in a plan. Its elements may be part of another tensor's memory:
// element [i,j,…] is at i·stride[0] + j·stride[1] + …. A stride of 0 repeats elements.
type tensor struct {
	kind   Type // Float, Int64, Int32 or Bool
	shape  []int
	stride []int
	floats []float32 // of Float
	ints   []int64   // of the others

	known bool // its elements are known when the plan is made
	fixed bool // known, and the same in every plan of the model

	// from lists the inputs that decide the elements of an integer tensor, if these are not
	// known. dynamic says that floats of the run decide them too.
	from    []int
	dynamic bool

	product *product // the product that makes the tensor, as long as it may be changed
	// own says that the tensor has its memory alone, and that each run writes all of it. A
	// node that alone reads the tensor may then write its result there.
	own    bool
	shared bool // the tensor has more than one name
}

// maxRank is the maximum number of dimensions of a tensor.
const maxRank = 32

// extent returns the number of elements of a shape, with 1 for sizes of 0. It returns an
// error if that is more than maxElements. So no product of sizes overflows, and loops over
// some axes of an empty tensor end.
func extent(shape []int) (int, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("a tensor of %d dimensions, at most %d are supported", len(shape), maxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > maxElements/d {
			return 0, fmt.Errorf("shape %.200s is impossible, or has more than the %d elements that are supported", fmt.Sprint(shape), maxElements)
		}
		n *= max(d, 1)
	}
	return n, nil
}

// count returns the number of elements of a shape.
func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func (t *tensor) count() int { return count(t.shape) }

// rowMajor returns the strides of a shape whose elements follow each other.
func rowMajor(shape []int) []int {
	stride := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		stride[i] = n
		n *= shape[i]
	}
	return stride
}

// flat says whether the elements follow each other in row-major order.
func (t *tensor) flat() bool {
	n := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] != 1 && t.stride[i] != n {
			return n == 0
		}
		n *= t.shape[i]
	}
	return true
}

// dense says whether the elements fill their memory without gaps or repetition, in any
// order of the axes.
func (t *tensor) dense() bool {
	n := 1
	for _, i := range byStride(t.shape, t.stride) {
		if t.shape[i] == 1 {
			continue
		}
		if t.stride[i] != n {
			return false
		}
		n *= t.shape[i]
	}
	return true
}

// byStride returns the axes in the order of rising strides.
func byStride(shape, stride []int) []int {
	axes := make([]int, len(shape))
	for i := range axes {
		axes[i] = len(axes) - 1 - i
	}
	slices.SortStableFunc(axes, func(a, b int) int { return cmp.Compare(stride[a], stride[b]) })
	return axes
}

// view returns another view of t's elements, from element offset on.
func (t *tensor) view(shape, stride []int, offset int) *tensor {
	v := *t
	v.shape, v.stride, v.product, v.shared, v.own = shape, stride, nil, false, false
	if t.kind == Float {
		v.floats = t.floats[min(offset, len(t.floats)):]
	} else {
		v.ints = t.ints[min(offset, len(t.ints)):]
	}
	return &v
}

// maxOperands is the maximum number of tensors that one nest of loops walks.
const maxOperands = 4

// A nest is a nest of loops over the elements of up to maxOperands tensors of one shape.
// The innermost loop has size steps, with the given steps from element to element.
type nest struct {
	size  int
	step  [maxOperands]int
	outer []loop
	at    [maxOperands]int // here, because a call of inner moves it to the heap
}

type loop struct {
	size, at int
	step     [maxOperands]int
}

// newNest returns the loops over a shape. The first operand's strides decide their order.
func newNest(shape []int, strides ...[]int) *nest {
	n := &nest{size: 1}
	var loops []loop
	axes := byStride(shape, strides[0])
	slices.Reverse(axes)
	for _, axis := range axes {
		if shape[axis] == 1 {
			continue
		}
		l := loop{size: shape[axis]}
		for i, s := range strides {
			l.step[i] = s[axis]
		}
		if k := len(loops) - 1; k >= 0 && loops[k].step == scaled(l.step, l.size) {
			loops[k].size, loops[k].step = loops[k].size*l.size, l.step
			continue
		}
		loops = append(loops, l)
	}
	if k := len(loops) - 1; k >= 0 {
		n.size, n.step, n.outer = loops[k].size, loops[k].step, loops[:k]
	}
	return n
}

func scaled(step [maxOperands]int, by int) [maxOperands]int {
	for i := range step {
		step[i] *= by
	}
	return step
}

// each calls inner with the operands' offsets at the start of each innermost loop.
func (n *nest) each(inner func(at *[maxOperands]int)) {
	n.at = [maxOperands]int{}
	at := &n.at
	if n.size == 0 {
		return
	}
	for i := range n.outer {
		if n.outer[i].at = 0; n.outer[i].size == 0 {
			return
		}
	}
	for {
		inner(at)
		k := len(n.outer) - 1
		for ; k >= 0; k-- {
			l := &n.outer[k]
			l.at++
			for i := range at {
				at[i] += l.step[i]
			}
			if l.at < l.size {
				break
			}
			for i := range at {
				at[i] -= l.step[i] * l.size
			}
			l.at = 0
		}
		if k < 0 {
			return
		}
	}
}

// newCopy returns a step that copies elements of src to dst, which has the same shape.
func newCopy(dst, src *tensor) func() error {
	n := newNest(dst.shape, dst.stride, src.stride)
	if dst.kind == Float {
		inner := copyRun(n, dst.floats, src.floats)
		return func() error { n.each(inner); return nil }
	}
	inner := copyRun(n, dst.ints, src.ints)
	return func() error { n.each(inner); return nil }
}

func copyRun[E float32 | int64](n *nest, dst, src []E) func(at *[maxOperands]int) {
	size, to, from := n.size, n.step[0], n.step[1]
	if to == 1 && from == 1 || size == 1 {
		return func(at *[maxOperands]int) { copy(dst[at[0]:][:size], src[at[1]:][:size]) }
	}
	return func(at *[maxOperands]int) {
		i, j := at[0], at[1]
		for range size {
			dst[i] = src[j]
			i, j = i+to, j+from
		}
	}
}
