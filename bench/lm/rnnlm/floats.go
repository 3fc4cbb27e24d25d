package rnnlm

import (
	"encoding/binary"
	"io"
	"math"
)

// floats is written to files as it lies in memory, little-endian.
type floats []float32

// chunkBytes is the size of the one buffer between floats and a file.
const chunkBytes = 64 << 10

// Size returns how many bytes WriteTo writes.
func (f floats) Size() int64 { return 4 * int64(len(f)) }

// WriteTo implements [io.WriterTo].
func (f floats) WriteTo(w io.Writer) (n int64, err error) {
	buf := make([]byte, 0, min(f.Size(), chunkBytes))
	for len(f) > 0 {
		chunk := f[:min(len(f), chunkBytes/4)]
		buf = buf[:0]
		for _, v := range chunk {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		k, err := w.Write(buf)
		n += int64(k)
		if err != nil {
			return n, err
		}
		f = f[len(chunk):]
	}
	return n, nil
}

// readFrom reads all elements. It accepts any value: a training that diverged has
// infinite ones.
func (f floats) readFrom(r io.Reader) error {
	buf := make([]byte, min(f.Size(), chunkBytes))
	for len(f) > 0 {
		chunk := f[:min(len(f), chunkBytes/4)]
		raw := buf[:4*len(chunk)]
		if _, err := io.ReadFull(r, raw); err != nil {
			return err
		}
		for i := range chunk {
			chunk[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		f = f[len(chunk):]
	}
	return nil
}
