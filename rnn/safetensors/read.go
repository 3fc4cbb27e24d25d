package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxHeader is the size of a header with about ten thousand tensors.
const maxHeader = 1 << 20

// A Tensor describes one tensor of a file.
type Tensor struct {
	Name   string
	DType  string // such as "F32"
	Shape  []int  // empty for a scalar
	lo, hi int64  // byte range in the data
}

// Len returns the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// CheckFloats returns an error unless [File.Floats] reads tensors of this dtype.
func (t Tensor) CheckFloats() error {
	if _, ok := converters[t.DType]; !ok {
		return fmt.Errorf("tensor %s: dtype %s has no floats: store it as F32, F16, BF16 or F64", quote(t.Name), t.DType)
	}
	return nil
}

// Size returns the number of bytes of the data.
func (t Tensor) Size() int64 { return t.hi - t.lo }

// A File is a file with a valid header.
type File struct {
	Metadata map[string]string
	Tensors  []Tensor // in the order of their data

	r    io.ReaderAt
	data int64 // offset of the data in the file
}

// Open reads and checks the header of a file. size is the number of bytes in r.
func Open(r io.ReaderAt, size int64) (*File, error) {
	var b [8]byte
	if size < int64(len(b)) {
		return nil, fmt.Errorf("safetensors: %d bytes are no file: truncated", size)
	}
	f := &File{r: r}
	if err := f.readAt(b[:], 0); err != nil {
		return nil, err
	}
	n, rest := binary.LittleEndian.Uint64(b[:]), size-int64(len(b))
	switch {
	case n > uint64(rest):
		return nil, fmt.Errorf("safetensors: a header of %d bytes, where %d are left: truncated, or not a safetensors file", n, rest)
	case n > maxHeader:
		return nil, fmt.Errorf("safetensors: a header of %d bytes, at most %d are read: not the parameters of a network", n, maxHeader)
	}
	raw := make([]byte, n)
	if err := f.readAt(raw, int64(len(b))); err != nil {
		return nil, err
	}
	f.data = int64(len(b)) + int64(n)
	if err := f.parse(raw); err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", err)
	}
	if err := f.place(rest - int64(n)); err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return f, nil
}

// place sorts the tensors by the order of their data. It returns an error unless each
// has the size of its shape, and together they fill the data.
func (f *File) place(size int64) error {
	for _, t := range f.Tensors {
		if t.lo > t.hi || t.hi > size {
			return fmt.Errorf("tensor %s: data_offsets [%d,%d] in %d bytes of data: truncated or damaged", quote(t.Name), t.lo, t.hi, size)
		}
		width, ok := widths[t.DType]
		if !ok {
			return fmt.Errorf("tensor %s: dtype %s is not known here", quote(t.Name), quote(t.DType))
		}
		want := width
		for _, d := range t.Shape {
			if d > 0 && want > math.MaxInt64/int64(d) {
				return fmt.Errorf("tensor %s: shape %s is more than any file holds", quote(t.Name), shape(t.Shape))
			}
			want *= int64(d)
		}
		if t.hi-t.lo != want {
			return fmt.Errorf("tensor %s: %d bytes of data, and %s of shape %s takes %d: damaged", quote(t.Name), t.hi-t.lo, t.DType, shape(t.Shape), want)
		}
	}
	slices.SortFunc(f.Tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi), cmp.Compare(a.Name, b.Name))
	})
	end := int64(0)
	for i, t := range f.Tensors {
		switch {
		case t.lo < end:
			return fmt.Errorf("tensor %s: its data starts at %d, inside of that of tensor %s: damaged", quote(t.Name), t.lo, quote(f.Tensors[i-1].Name))
		case t.lo > end:
			return fmt.Errorf("tensor %s: its data starts at %d, and bytes %d to %d belong to none: damaged", quote(t.Name), t.lo, end, t.lo)
		}
		end = t.hi
	}
	if end != size {
		return fmt.Errorf("%d bytes of data belong to no tensor: damaged", size-end)
	}
	return nil
}

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (t Tensor, ok bool) {
	i := slices.IndexFunc(f.Tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return t, false
	}
	return f.Tensors[i], true
}

// Behind returns the file of the tensors whose names begin with prefix, named by the rest.
// Wrappers of modules write such names: "module.rnn.weight_hh_l0". It returns an error if
// there are none.
func (f *File) Behind(prefix string) (*File, error) {
	if prefix == "" {
		return f, nil
	}
	behind := *f
	behind.Tensors = nil
	for _, t := range f.Tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix); ok {
			t.Name = name
			behind.Tensors = append(behind.Tensors, t)
		}
	}
	if len(behind.Tensors) == 0 {
		first := "there are none"
		if len(f.Tensors) > 0 {
			first = "the first is " + quote(f.Tensors[0].Name)
		}
		return nil, fmt.Errorf("safetensors: no tensor has a name that begins with %s: %s", quote(prefix), first)
	}
	return &behind, nil
}

// Bytes returns the data of one of the file's tensors.
func (f *File) Bytes(t Tensor) ([]byte, error) {
	b := make([]byte, t.hi-t.lo)
	return b, f.readAt(b, f.data+t.lo)
}

// Floats sets dst to the elements of one of the file's tensors, and must have the same
// number. F32, F16 and BF16 are converted exactly. F64 is rounded to the nearest
// float32, or to infinity beyond the largest. Other dtypes are an error.
func (f *File) Floats(dst []float32, t Tensor) error {
	if err := t.CheckFloats(); err != nil {
		return err
	}
	if len(dst) != t.Len() {
		return fmt.Errorf("tensor %s: %d elements of shape %s, want %d", quote(t.Name), t.Len(), shape(t.Shape), len(dst))
	}
	convert, width := converters[t.DType], int(widths[t.DType])
	buf := make([]byte, min(len(dst)*width, 64<<10))
	for at := f.data + t.lo; len(dst) > 0; {
		n := min(len(dst), len(buf)/width)
		raw := buf[:n*width]
		if err := f.readAt(raw, at); err != nil {
			return err
		}
		for i := range n {
			dst[i] = convert(raw[i*width:])
		}
		dst, at = dst[n:], at+int64(len(raw))
	}
	return nil
}

// Same says whether two of the file's tensors have the same dtype, shape and bytes.
func (f *File) Same(a, b Tensor) (bool, error) {
	if a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) {
		return false, nil
	}
	if a.lo == b.lo {
		return true, nil
	}
	var x, y [32 << 10]byte
	for at := int64(0); at < a.hi-a.lo; at += int64(len(x)) {
		n := min(a.hi-a.lo-at, int64(len(x)))
		if err := errors.Join(f.readAt(x[:n], f.data+a.lo+at), f.readAt(y[:n], f.data+b.lo+at)); err != nil {
			return false, err
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// readAt fills b from offset at of the file.
func (f *File) readAt(b []byte, at int64) error {
	n, err := f.r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil // a full read at the end of the file may come with io.EOF
	case errors.Is(err, io.EOF):
		return errors.New("safetensors: the file is shorter than it was said to be: truncated")
	}
	return err
}

// quote quotes a name for an error message. Of a long name it shows only the start.
func quote(name string) string {
	const most = 100
	if len(name) > most {
		return strconv.Quote(name[:most]) + "..."
	}
	return strconv.Quote(name)
}

// shape formats a shape for an error message.
func shape(dims []int) string {
	const most = 8
	if len(dims) > most {
		return fmt.Sprintf("[%d and so on, %d in all]", dims[:most], len(dims))
	}
	return fmt.Sprint(dims)
}
