package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// A Floats is a tensor to write.
type Floats struct {
	Name   string
	Shape  []int
	Values []float32 // row-major
}

// Write writes a file of F32 tensors in the given order, and returns the number of
// bytes written. The same tensors give the same bytes.
func Write(w io.Writer, metadata map[string]string, tensors []Floats) (n int64, err error) {
	head, err := newHeader(metadata, tensors)
	if err != nil {
		return 0, fmt.Errorf("safetensors: %w", err)
	}
	k, err := w.Write(head)
	n = int64(k)
	buf := make([]byte, 0, 64<<10)
	for _, t := range tensors {
		for rest := t.Values; len(rest) > 0 && err == nil; {
			chunk := rest[:min(len(rest), cap(buf)/4)]
			rest = rest[len(chunk):]
			buf = buf[:0]
			for _, v := range chunk {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			k, err = w.Write(buf)
			n += int64(k)
		}
	}
	return n, err
}

// newHeader returns all bytes before the data. The data then starts at a multiple of 8
// bytes.
func newHeader(metadata map[string]string, tensors []Floats) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	put := func(key string, value any) error {
		b.WriteByte(separator(b.Len()))
		name, err := json.Marshal(key)
		if err != nil {
			return err
		}
		v, err := json.Marshal(value)
		b.Write(name)
		b.WriteByte(':')
		b.Write(v)
		return err
	}
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, fmt.Errorf("metadata %s: it is not UTF-8", quote(key))
		}
	}
	if len(metadata) > 0 {
		if err := put(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{metadataKey: true}
	at := 0
	for _, t := range tensors {
		count := 1
		for _, d := range t.Shape {
			if d < 0 {
				return nil, fmt.Errorf("tensor %s: shape %s has a negative size", quote(t.Name), shape(t.Shape))
			}
			count *= d
		}
		if !utf8.ValidString(t.Name) {
			return nil, fmt.Errorf("tensor %s: its name is not UTF-8", quote(t.Name))
		}
		if count != len(t.Values) {
			return nil, fmt.Errorf("tensor %s: %d elements of shape %s", quote(t.Name), len(t.Values), shape(t.Shape))
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %s is there twice, or has a name that is not free: give another", quote(t.Name))
		}
		seen[t.Name] = true
		end := at + 4*count
		err := put(t.Name, struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}{"F32", append([]int{}, t.Shape...), [2]int{at, end}})
		if err != nil {
			return nil, err
		}
		at = end
	}
	if b.Len() == 8 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if n := b.Len() - 8; n > maxHeader {
		return nil, fmt.Errorf("%d tensors take a header of %d bytes, at most %d are read again", len(tensors), n, maxHeader)
	}
	head := b.Bytes()
	binary.LittleEndian.PutUint64(head, uint64(len(head)-8))
	return head, nil
}

// separator returns the byte before an entry of a header, given the header's length so
// far.
func separator(length int) byte {
	if length == 8 {
		return '{'
	}
	return ','
}
