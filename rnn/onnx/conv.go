package onnx

import (
	"errors"
	"fmt"
	"strconv"

	"batchrnn/kernels"
)

// A convolution is a product. Its columns are the filters, and a row is the inputs that one
// output sees: K steps of C channels. Its memory has the channels last, [N,L,C]: there such
// a row is a part of the input.

// A filter holds the attributes of a convolution along one axis.
type filter struct {
	n, channels, length int // of the input: N, C, L
	filters, taps       int // O and K
	groups              int
	stride, dilation    int
	before, after       int // zeros on both sides; a negative number leaves out inputs
	steps               int // of the output
	first, size         int // the taps that are used: [first,first+size) of K
}

// newFilter returns the filter of the node's attributes and weights.
func (c *call) newFilter() (f filter, err error) {
	w := c.in[1]
	switch {
	case w.kind != Float || len(w.shape) != 3:
		return f, fmt.Errorf("the weights have type %v and shape %v, and convolutions of one axis are supported: float[O,C,K]", w.kind, w.shape)
	case !w.known:
		return f, errors.New("the weights are computed in the run, and must be in the file")
	case w.count() == 0:
		return f, wrongShape("the weights", w, "no empty axis")
	}
	one := func(name string, other int64) (int, error) {
		v := c.integers(name)
		if v == nil {
			return int(other), nil
		}
		if len(v) != 1 || v[0] < 1 || v[0] > int64(maxElements) {
			return 0, fmt.Errorf("%s is %.200s, want one number from 1 to %d", name, fmt.Sprint(v), maxElements)
		}
		return int(v[0]), nil
	}
	f = filter{filters: w.shape[0], taps: w.shape[2], size: w.shape[2]}
	if f.stride, err = one("strides", 1); err != nil {
		return f, err
	}
	if f.dilation, err = one("dilations", 1); err != nil {
		return f, err
	}
	if k, err := one("kernel_shape", int64(f.taps)); err != nil || k != f.taps {
		return f, fmt.Errorf("kernel_shape is %d, and the weights have shape %v", k, w.shape)
	}
	g := c.integer("group", 1)
	if g < 1 || g > int64(f.filters) || f.filters%int(g) != 0 || w.shape[1] > maxElements/int(g) {
		return f, fmt.Errorf("%d groups of weights of shape %v: they don't fit", g, w.shape)
	}
	f.groups, f.channels = int(g), w.shape[1]*int(g)
	if f.taps > maxElements/f.dilation {
		return f, fmt.Errorf("a filter of %d steps with a dilation of %d is too long", f.taps, f.dilation)
	}
	return f, nil
}

// over fits the filter to the input.
func (f *filter) over(c *call, x *tensor) error {
	if x.kind != Float || len(x.shape) != 3 || x.shape[1] != f.channels {
		return wrongShape("the input", x, fmt.Sprintf("[N,%d,L]: convolutions of one axis are supported", f.channels))
	}
	f.n, f.length = x.shape[0], x.shape[2]
	span := f.dilation*(f.taps-1) + 1
	switch auto := c.text("auto_pad", "NOTSET"); auto {
	case "NOTSET", "":
		if pads := c.integers("pads"); pads != nil {
			if len(pads) != 2 || pads[0] < 0 || pads[1] < 0 || pads[0] > int64(maxElements) || pads[1] > int64(maxElements) {
				return fmt.Errorf("pads are %.200s, want two numbers from 0 to %d", fmt.Sprint(pads), maxElements)
			}
			f.before, f.after = int(pads[0]), int(pads[1])
		}
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		steps := (f.length + f.stride - 1) / f.stride
		total := max(0, (steps-1)*f.stride+span-f.length)
		f.before, f.after = total/2, total-total/2
		if auto == "SAME_LOWER" {
			f.before, f.after = f.after, f.before
		}
	default:
		return fmt.Errorf("auto_pad is %s: give NOTSET, VALID, SAME_UPPER or SAME_LOWER", quote(auto))
	}
	if f.before+f.length+f.after < span {
		return fmt.Errorf("an input of %d steps with %d zeros is shorter than the filter, %d steps", f.length, f.before+f.after, span)
	}
	f.steps = (f.before+f.length+f.after-span)/f.stride + 1
	f.trim()
	return nil
}

// depthwise says whether each channel has one filter of its own.
func (f *filter) depthwise() bool {
	return f.groups > 1 && f.groups == f.channels && f.filters == f.channels
}

// trim leaves out the taps at both ends that see zeros alone. Short inputs have many.
func (f *filter) trim() {
	sees := func(k int) bool {
		// The first step whose tap k is not before the input.
		s := max(0, (f.before-k*f.dilation+f.stride-1)/f.stride)
		return s < f.steps && s*f.stride-f.before+k*f.dilation < f.length
	}
	last := f.taps - 1
	for f.first < last && !sees(f.first) {
		f.first++
	}
	for last > f.first && !sees(last) {
		last--
	}
	f.size = last + 1 - f.first
	f.before -= f.first * f.dilation
}

func (c *call) conv() ([]*tensor, error) {
	f, err := c.newFilter()
	if err != nil {
		return nil, err
	}
	if err := f.over(c, c.in[0]); err != nil {
		return nil, err
	}
	var bias []float32
	if c.has(2) {
		b := c.in[2]
		if b.kind != Float || len(b.shape) != 1 || b.shape[0] != f.filters {
			return nil, wrongShape("the bias", b, fmt.Sprintf("[%d]", f.filters))
		}
		if b, err = c.flat(b); err != nil {
			return nil, err
		}
		bias = b.floats[:f.filters]
	}
	x := c.in[0].permuted(0, 2, 1) // [N,L,C]
	out, err := c.out(Float, []int{f.n, f.steps, f.filters}, nil)
	if err != nil {
		return nil, err
	}
	result := out.permuted(0, 2, 1)
	result.own = true
	if out.count() == 0 {
		return []*tensor{result}, nil
	}
	if f.depthwise() {
		return []*tensor{result}, c.channelwise(f, x, out, bias)
	}
	for g := range f.groups {
		p, err := c.convGroup(f, g, x, out, bias)
		if err != nil {
			return nil, err
		}
		if f.groups == 1 && !c.known {
			result.product = p
		}
	}
	return []*tensor{result}, nil
}

// packFilters returns all taps of the filters of a group, packed.
func (c *call) packFilters(f filter, g int) (*kernels.Packed, error) {
	w, channels, filters := c.in[1], f.channels/f.groups, f.filters/f.groups
	size := c.packedSize(f.taps*channels, filters) + nodeSize
	return weight(c, "filters "+strconv.Itoa(g), w.fixed, size, func() (*kernels.Packed, error) {
		w, err := c.flat(w)
		if err != nil {
			return nil, err
		}
		// From [O,C,K] to [O,K,C], the order of a row.
		rows := make([]float32, filters*f.taps*channels)
		for o := range filters {
			for ch := range channels {
				for k := range f.taps {
					rows[(o*f.taps+k)*channels+ch] = w.floats[((g*filters+o)*channels+ch)*f.taps+k]
				}
			}
		}
		p := c.m.engine.NewPacked(f.taps*channels, filters)
		c.m.engine.Pack(p, true, rows, f.taps*channels)
		return p, nil
	})
}

// usedFilters returns the taps that are used of the filters of a group, packed.
func (c *call) usedFilters(f filter, g int) (*kernels.Packed, error) {
	all, err := c.packFilters(f, g)
	if err != nil || f.size == f.taps {
		return all, err
	}
	channels := f.channels / f.groups
	if err := c.grow(c.packedSize(f.size*channels, all.N)); err != nil {
		return nil, err
	}
	rows := make([]float32, f.size*channels*all.N)
	for i := range f.size * channels {
		for o := range all.N {
			rows[i*all.N+o] = all.At(f.first*channels+i, o)
		}
	}
	p := c.m.engine.NewPacked(f.size*channels, all.N)
	c.m.engine.Pack(p, false, rows, all.N)
	return p, nil
}

// convGroup adds the steps of one group of filters.
func (c *call) convGroup(f filter, g int, x, out *tensor, bias []float32) (*product, error) {
	channels, filters := f.channels/f.groups, f.filters/f.groups
	packed, err := c.usedFilters(f, g)
	if err != nil {
		return nil, err
	}
	if err := c.grow(nodeSize); err != nil {
		return nil, err
	}
	if err := c.spend(1, f.n*f.steps, f.size*channels, filters); err != nil {
		return nil, err
	}
	x = x.view([]int{f.n, f.length, channels}, x.stride, g*channels*x.stride[2])
	p := new(product)
	p.M, p.B = f.n*f.steps, packed
	p.C, p.LDC = out.floats[g*filters:], f.filters
	if bias != nil {
		p.Bias = bias[g*filters:][:filters]
	}
	if p.A, p.LDA, err = c.windows(f, x); err != nil {
		return nil, err
	}
	return p, c.step(p.run(c.m.engine))
}

// windows returns the matrix of the rows that the filters see, and its row stride.
func (c *call) windows(f filter, x *tensor) ([]float32, int, error) {
	channels := x.shape[2]
	if adjoin := (x.stride[2] == 1 || channels == 1) && (x.stride[1] == channels || f.length == 1); !adjoin {
		flat, err := c.flat(x)
		if err != nil {
			return nil, 0, err
		}
		x = flat
	}
	// Windows that don't overlap are rows of x, if a sequence goes on where the one before
	// it ends.
	inside := f.before <= 0 && (f.steps-1)*f.stride-f.before+f.size <= f.length
	apart := f.dilation == 1 && f.stride >= f.size
	if inside && apart && (f.n == 1 || f.length == f.steps*f.stride && x.stride[0] == f.length*channels) {
		return x.floats[-f.before*channels:], f.stride * channels, nil
	}
	room, err := c.out(Float, []int{f.n * f.steps, f.size * channels}, nil)
	if err != nil {
		return nil, 0, err
	}
	return room.floats, f.size * channels, c.step(func() error {
		f.gather(room.floats, x, channels)
		return nil
	})
}

// gather copies the windows of x, [N,L,C], to rows of K·C floats. It leaves out the zeros
// around x.
func (f *filter) gather(rows []float32, x *tensor, channels int) {
	for n := range f.n {
		for s := range f.steps {
			row := rows[(n*f.steps+s)*f.size*channels:][:f.size*channels]
			from := s*f.stride - f.before
			if f.dilation == 1 {
				lo, hi := max(0, -from), min(f.size, f.length-from)
				if lo < hi {
					copy(row[lo*channels:hi*channels], x.floats[n*x.stride[0]+(from+lo)*channels:])
				}
				continue
			}
			for k := range f.size {
				if at := from + k*f.dilation; at >= 0 && at < f.length {
					copy(row[k*channels:][:channels], x.floats[n*x.stride[0]+at*channels:])
				}
			}
		}
	}
}

// packChannels returns the filters of a depthwise convolution, [K,C].
func (c *call) packChannels(f filter) ([]float32, error) {
	return weight(c, "filters", c.in[1].fixed, f.taps*f.channels, func() ([]float32, error) {
		w, err := c.flat(c.in[1].permuted(2, 1, 0))
		if err != nil {
			return nil, err
		}
		return w.floats, nil
	})
}

// depthChunk is the number of floats of a chunk of a depthwise convolution. Its sums, its
// inputs and its weights stay in L1.
const depthChunk = 2048

// channelwise adds the steps of a convolution of each channel with a filter of its own.
func (c *call) channelwise(f filter, x, out *tensor, bias []float32) error {
	channels := f.channels
	chunk := 1 // steps at once
	if f.stride == 1 {
		chunk = max(1, min(f.steps, depthChunk/channels))
	}
	one, err := c.packChannels(f)
	if err != nil {
		return err
	}
	weights := one // [K,chunk,C]
	if chunk > 1 {
		if err := c.grow(chunk * len(one)); err != nil {
			return err
		}
		weights = make([]float32, 0, chunk*len(one))
		for k := range f.taps {
			for range chunk {
				weights = append(weights, one[k*channels:][:channels]...)
			}
		}
	}
	chunks := (f.steps + chunk - 1) / chunk
	if err := c.spend(1, f.n*chunks, f.size, chunk*channels+callWork); err != nil {
		return err
	}
	if x, err = c.flat(x); err != nil {
		return err
	}
	room := make([]float32, chunk*channels)
	e := c.m.engine
	return c.step(func() error {
		for n := range f.n {
			for first := 0; first < f.steps; first += chunk {
				end := min(first+chunk, f.steps)
				sums := out.floats[n*f.steps*channels:][:f.steps*channels]
				for s := first; s < end; s++ {
					if bias != nil {
						copy(sums[s*channels:][:channels], bias)
					} else {
						clear(sums[s*channels:][:channels])
					}
				}
				for k := range f.size {
					shift := k*f.dilation - f.before
					lo, hi := first, end // the steps whose tap k is within the input
					for lo < hi && lo*f.stride+shift < 0 {
						lo++
					}
					for hi > lo && (hi-1)*f.stride+shift >= f.length {
						hi--
					}
					if lo == hi {
						continue
					}
					size := (hi - lo) * channels
					to, from := sums[lo*channels:][:size], x.floats[(n*f.length+lo*f.stride+shift)*channels:][:size]
					e.Mul(room[:size], from, weights[(f.first+k)*chunk*channels:][:size])
					e.Add(to, to, room[:size])
				}
			}
		}
		return nil
	})
}
