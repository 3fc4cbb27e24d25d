package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
)

// file returns a file with that header and so many bytes of data.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range data {
		b = append(b, byte(i))
	}
	return b
}

func open(b []byte) (*File, error) { return Open(bytes.NewReader(b), int64(len(b))) }

func TestRoundTrip(t *testing.T) {
	nan := math.Float32frombits(0x7fc12345)
	long := make([]float32, 40_000) // more than one chunk
	for i := range long {
		long[i] = float32(i)
	}
	want := []Floats{
		{"b", []int{2, 3}, []float32{1, -2, 3.5, nan, float32(math.Inf(1)), float32(math.Copysign(0, -1))}},
		{"a \"quoted\" näme", nil, []float32{7}},
		{"none", []int{0, 4}, nil},
		{"long", []int{40_000}, long},
	}
	var b, again bytes.Buffer
	for _, w := range []io.Writer{&b, &again} {
		if n, err := Write(w, map[string]string{"y": "1", "x": "2"}, want); err != nil || n != int64(b.Len()) {
			t.Fatalf("wrote %d bytes of %d, error %v", n, b.Len(), err)
		}
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("writing it again gives another file")
	}
	if n := binary.LittleEndian.Uint64(b.Bytes()); n%8 != 0 {
		t.Errorf("the data starts after a header of %d bytes", n)
	}
	f, err := open(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Metadata, map[string]string{"x": "2", "y": "1"}) || len(f.Tensors) != len(want) {
		t.Errorf("metadata %v, tensors %v", f.Metadata, f.Tensors)
	}
	for _, w := range want {
		tensor, ok := f.Tensor(w.Name)
		got := make([]float32, len(w.Values))
		if err := f.Floats(got, tensor); !ok || err != nil || fmt.Sprint(tensor.Shape) != fmt.Sprint(w.Shape) {
			t.Fatalf("%s: %+v, error %v", w.Name, tensor, err)
		}
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(w.Values[i]) {
				t.Errorf("%s: element %d is %v, want %v", w.Name, i, got[i], w.Values[i])
			}
		}
	}
	if _, ok := f.Tensor("c"); ok {
		t.Error("a tensor that is not there was found")
	}
}

// TestEmptyFile: no tensors are a file as well.
func TestEmptyFile(t *testing.T) {
	var b bytes.Buffer
	if _, err := Write(&b, nil, nil); err != nil {
		t.Fatal(err)
	}
	if f, err := open(b.Bytes()); err != nil || len(f.Tensors) != 0 {
		t.Errorf("%+v, error %v", f, err)
	}
}

// TestMetadata: null is no metadata.
func TestMetadata(t *testing.T) {
	for metadata, want := range map[string]map[string]string{
		"null":      nil,
		"{}":        {},
		`{"a":"b"}`: {"a": "b"},
	} {
		f, err := open(file(`{"__metadata__": `+metadata+`,"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4))
		if err != nil || !reflect.DeepEqual(f.Metadata, want) || len(f.Tensors) != 1 {
			t.Errorf("%s: error %v, file %+v", metadata, err, f)
		}
	}
}

func TestBehind(t *testing.T) {
	var b bytes.Buffer
	if _, err := Write(&b, map[string]string{"x": "1"}, []Floats{
		{"m.a", nil, []float32{1}}, {"a", nil, []float32{2}}, {"m.b", nil, []float32{3}},
	}); err != nil {
		t.Fatal(err)
	}
	whole, err := open(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if f, err := whole.Behind(""); err != nil || f != whole {
		t.Errorf("no prefix: %+v, error %v", f, err)
	}
	f, err := whole.Behind("m.")
	if err != nil || len(f.Tensors) != 2 || f.Metadata["x"] != "1" || len(whole.Tensors) != 3 {
		t.Fatalf("%+v, error %v", f, err)
	}
	for name, want := range map[string]float32{"a": 1, "b": 3} {
		var got [1]float32
		tensor, ok := f.Tensor(name)
		if err := f.Floats(got[:], tensor); !ok || err != nil || got[0] != want {
			t.Errorf("%s is %v, want %v, error %v", name, got[0], want, err)
		}
	}
	if _, err := whole.Behind("n."); err == nil || !strings.Contains(err.Error(), `no tensor has a name that begins with "n.": the first is "m.a"`) {
		t.Errorf("error %v", err)
	}
	empty, err := open(file("{}", 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := empty.Behind("n."); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("error %v", err)
	}
}

// TestSame: tensors are the same if all of their bytes are, of which a chunk is compared
// at a time.
func TestSame(t *testing.T) {
	const n = 20000
	tensors := []Floats{{"a", []int{n}, make([]float32, n)}, {"b", []int{n}, make([]float32, n)}, {"c", []int{1, n}, make([]float32, n)}}
	for _, i := range []int{-1, 0, n / 2, n - 1} {
		if i >= 0 {
			tensors[1].Values[i] = 1
		}
		var b bytes.Buffer
		if _, err := Write(&b, nil, tensors); err != nil {
			t.Fatal(err)
		}
		f, err := open(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for j, want := range []bool{true, i < 0, false} {
			for _, pair := range [][2]Tensor{{f.Tensors[0], f.Tensors[j]}, {f.Tensors[j], f.Tensors[0]}} {
				if same, err := f.Same(pair[0], pair[1]); err != nil || same != want {
					t.Errorf("another element %d: %s is the same as %s: %v, error %v", i, pair[0].Name, pair[1].Name, same, err)
				}
			}
		}
		if i >= 0 {
			tensors[1].Values[i] = 0
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for want, tensors := range map[string][]Floats{
		"of shape [2 2]": {{"a", []int{2, 2}, make([]float32, 3)}},
		"is there twice": {{"a", nil, make([]float32, 1)}, {"a", nil, make([]float32, 1)}},
		"not free":       {{metadataKey, nil, make([]float32, 1)}},
		"at most":        {{strings.Repeat("a", maxHeader), nil, make([]float32, 1)}},
	} {
		if n, err := Write(io.Discard, nil, tensors); n != 0 || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("wrote %d bytes, error %v, want one with %q", n, err, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	const a, b = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`, `"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}`
	if f, err := open(file("{"+b+","+a+"}  ", 12)); err != nil || f.Tensors[0].Name != "a" {
		t.Fatalf("%+v, error %v", f, err)
	}
	huge := binary.LittleEndian.AppendUint64(nil, 1<<30)
	for _, test := range []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "truncated", nil},
		{"half of a length", "truncated", make([]byte, 7)},
		{"a header of a gigabyte", "1073741824 bytes, where 4 are left", append(huge, "{}  "...)},
		{"a header of all numbers", "18446744073709551615 bytes", bytes.Repeat([]byte{0xff}, 20)},
		{"a header of 2 MiB", "at most", file("{"+strings.Repeat(" ", 2<<20)+"}", 0)},
		{"no header", "does not begin", file("", 0)},
		{"spaces before it", "does not begin", file(" {}", 0)},
		{"text", "safetensors", []byte(strings.Repeat("Call me Ishmael. ", 100))},
		{"not UTF-8", "UTF-8", file("{\"\xff\":1}", 0)},
		{"not JSON", "not JSON", file(`{"a" 1}`, 0)},
		{"half of it", "not JSON", file(`{`+a, 8)},
		{"more than it", "follows", file(`{}{}`, 0)},
		{"an array", "does not begin", file(`[]`, 0)},
		{"a number", `"1" instead of {`, file(`{"a":1}`, 0)},
		{"two of a name", `key "a" is there twice`, file("{"+a+","+a+"}", 8)},
		{"two of a name, escaped", `key "a" is there twice`, file("{"+a+","+strings.Replace(a, `"a"`, `"\u0061"`, 1)+"}", 8)},
		{"two of a key", `key "dtype" is there twice`, file(`{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4)},
		{"two of a key of the metadata", `key "x" is there twice`, file(`{"__metadata__":{"x":"1","x":"2"}}`, 0)},
		{"metadata of a list", `"[" instead of {`, file(`{"__metadata__":[]}`, 0)},
		{"no metadata", `"false" instead of {`, file(`{"__metadata__":false}`, 0)},
		{"metadata that is cut off", "not JSON", file(`{"__metadata__":`, 0)},
		{"two metadata", `key "__metadata__" is there twice`, file(`{"__metadata__":null,"__metadata__":{}}`, 0)},
		{"null for a tensor", `"<nil>" instead of {`, file(`{"a":null}`, 0)},
		{"metadata of numbers", "instead of a string", file(`{"__metadata__":{"x":1}}`, 0)},
		{"a missing key", "wants all of", file(`{"a":{"dtype":"F32","shape":[]}}`, 0)},
		{"a key in capitals", "not one of", file(strings.Replace("{"+a+"}", "dtype", "DTYPE", 1), 8)},
		{"a key more", "not one of", file(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":0}}`, 4)},
		{"an unknown dtype", `"F31" is not known`, file(strings.Replace("{"+a+"}", "F32", "F31", 1), 8)},
		{"half a dimension", "no whole number", file(strings.Replace("{"+a+"}", "[2]", "[2.0]", 1), 8)},
		{"a dimension below 0", "no whole number", file(strings.Replace("{"+a+"}", "[2]", "[-2]", 1), 8)},
		{"a word for a dimension", "instead of a number", file(strings.Replace("{"+a+"}", "[2]", `["2"]`, 1), 8)},
		{"a shape beyond all files", "more than any file", file(strings.Replace("{"+a+"}", "[2]", "[4294967296,4294967296,0]", 1), 8)},
		{"another shape", "8 bytes of data, and F32 of shape [3] takes 12", file(strings.Replace("{"+a+"}", "[2]", "[3]", 1), 8)},
		{"three offsets", "3 numbers", file(strings.Replace("{"+a+"}", "[0,8]", "[0,8,9]", 1), 8)},
		{"offsets backwards", "data_offsets [8,0]", file(strings.Replace("{"+a+"}", "[0,8]", "[8,0]", 1), 8)},
		{"offsets beyond", `tensor "b": data_offsets [8,12] in 10`, file("{"+a+","+b+"}", 10)},
		{"overlapping", `inside of that of tensor "a"`, file("{"+a+","+strings.Replace(b, "[8,12]", "[4,8]", 1)+"}", 8)},
		{"a hole", "bytes 8 to 9 belong to none", file("{"+a+","+strings.Replace(b, "[8,12]", "[9,13]", 1)+"}", 13)},
		{"a byte more", "1 bytes of data belong to no tensor", file("{"+a+"}", 9)},
		{"a long name", "...", file(`{"`+strings.Repeat("n", 1<<19)+`":{}}`, 0)},
	} {
		_, err := open(test.file)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
	// A reader that holds less than was said.
	whole := file("{"+a+"}", 8)
	f, err := Open(bytes.NewReader(whole[:len(whole)-1]), int64(len(whole)))
	if err == nil {
		err = f.Floats(make([]float32, 2), f.Tensors[0])
	}
	if err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("a short reader: error %v", err)
	}
}

func TestConversions(t *testing.T) {
	for _, test := range []struct {
		dtype string
		data  []byte
		want  float32
	}{
		{"BF16", []byte{0xc0, 0x3f}, 1.5},
		{"F16", []byte{0x00, 0x3e}, 1.5},
		{"F16", []byte{0x01, 0x80}, -1.0 / (1 << 24)},
		{"F16", []byte{0xff, 0x03}, 1023.0 / (1 << 24)},
		{"F16", []byte{0xff, 0x7b}, 65504},
		{"F16", []byte{0x00, 0xfc}, float32(math.Inf(-1))},
		{"F16", []byte{0x00, 0x7e}, float32(math.NaN())},
		{"F64", binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)), 0.1},
		{"F64", binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e300)), float32(math.Inf(1))},
	} {
		f, err := open(append(file(fmt.Sprintf(`{"a":{"dtype":"%s","shape":[],"data_offsets":[0,%d]}}`, test.dtype, len(test.data)), 0), test.data...))
		if err != nil {
			t.Fatal(err)
		}
		var got [1]float32
		if err := f.Floats(got[:], f.Tensors[0]); err != nil || got[0] != test.want && (got[0] == got[0] || test.want == test.want) {
			t.Errorf("%s %x is %v (error %v), want %v", test.dtype, test.data, got[0], err, test.want)
		}
		if b, err := f.Bytes(f.Tensors[0]); err != nil || !bytes.Equal(b, test.data) {
			t.Errorf("bytes %x, error %v", b, err)
		}
		if err := f.Floats(make([]float32, 2), f.Tensors[0]); err == nil || !strings.Contains(err.Error(), "want 2") {
			t.Errorf("another length: error %v", err)
		}
	}
	f, err := open(file(`{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Floats(make([]float32, 1), f.Tensors[0]); err == nil || !strings.Contains(err.Error(), "I64") {
		t.Errorf("integers: error %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(file(`{"__metadata__":{"x":"1"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}}`, 10))
	f.Add(file(`{}`, 0))
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		f, err := open(b)
		if err != nil {
			return
		}
		for _, tensor := range f.Tensors {
			if _, err := f.Bytes(tensor); err != nil {
				t.Error(err)
			}
			if _, ok := converters[tensor.DType]; ok {
				if err := f.Floats(make([]float32, tensor.Len()), tensor); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// TestWriteRefusesWhatReadingWould: what could not be read again is not written.
func TestWriteRefusesWhatReadingWould(t *testing.T) {
	for _, c := range []struct {
		metadata map[string]string
		tensor   Floats
	}{
		{nil, Floats{Name: "\xff"}},
		{nil, Floats{Name: "a", Shape: []int{-1, -1}, Values: []float32{1}}},
		{map[string]string{"\xff": ""}, Floats{Name: "a", Values: []float32{1}}},
		{map[string]string{"a": "\xff"}, Floats{Name: "a", Values: []float32{1}}},
	} {
		var b bytes.Buffer
		if _, err := Write(&b, c.metadata, []Floats{c.tensor}); err == nil || b.Len() > 0 {
			t.Errorf("%+v: error %v, %d bytes", c, err, b.Len())
		}
	}
}
