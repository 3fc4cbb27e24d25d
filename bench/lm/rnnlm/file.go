package rnnlm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// A model's file, all of it little-endian:
//
//	magic       [8]byte
//	version     uint32
//	input       uint32
//	hidden      uint32
//	output      uint32
//	activation  uint32
//	tied        uint32           0 or 1
//	clusters    uint32           of an adaptive softmax
//	layers      uint32
//	residual    uint32           0 or 1
//	cutoffs     [clusters]uint32
//	parameters  [params]float32  in the order of rnn.Model.Slab
//	checksum    uint32           CRC-32C of all bytes before it
const (
	fileMagic     = "\x89RNNLM\r\n" // a text-mode copy damages it
	fileVersion   = 3
	headBytes     = 8 + 9*4 // without the cutoffs
	checksumBytes = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// File is a model in the form that [Read] reads.
type File struct{ Model *rnn.Model }

// WriteTo writes the model to w and returns the number of bytes written. It
// implements [io.WriterTo]. A compact model no longer has what is to be written.
func (f File) WriteTo(w io.Writer) (n int64, err error) {
	if f.Model.Slab == nil {
		return 0, errors.New("rnnlm: a compact model can't be written: write it before Compact")
	}
	c := f.Model.Config
	buf := []byte(fileMagic)
	head := []int{fileVersion, c.Input, c.Hidden, c.Output, int(c.Activation), word(c.Tied), len(c.Cutoffs), c.Layers, word(c.Residual)}
	for _, v := range append(head, c.Cutoffs...) {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(v))
	}
	crc := crc32.New(castagnoli)
	out := io.MultiWriter(crc, w)
	k, err := out.Write(buf)
	n = int64(k)
	if err != nil {
		return n, err
	}
	params, err := floats(f.Model.Slab).WriteTo(out)
	n += params
	if err != nil {
		return n, err
	}
	k, err = w.Write(binary.LittleEndian.AppendUint32(nil, crc.Sum32()))
	return n + int64(k), err
}

func word(set bool) int {
	if set {
		return 1
	}
	return 0
}

// Read reads a model that [File.WriteTo] wrote. size is how many bytes r holds
// for it: the header is believed only if it asks for exactly that many. A model
// that is truncated, damaged or of another kind gives an error.
func Read(e *kernels.Engine, r io.Reader, size int64) (*rnn.Model, error) {
	m, err := read(e, r, size)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("truncated")
	}
	if err != nil {
		return nil, fmt.Errorf("RNN model of %d bytes: %w", size, err)
	}
	return m, nil
}

func read(e *kernels.Engine, r io.Reader, size int64) (*rnn.Model, error) {
	buf := make([]byte, headBytes+4*rnn.MaxCutoffs)
	c, head, err := readHead(r, buf)
	if err != nil {
		return nil, err
	}
	if want := int64(len(head)) + 4*int64(c.Params()) + checksumBytes; want != size {
		return nil, fmt.Errorf("its header asks for %d bytes: truncated or damaged", want)
	}
	m, err := rnn.New(e, c, 0)
	if err != nil {
		return nil, err
	}
	crc := crc32.New(castagnoli)
	crc.Write(head)
	if err := floats(m.Slab).readFrom(io.TeeReader(r, crc)); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(r, buf[:checksumBytes]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(buf) != crc.Sum32() {
		return nil, errors.New("wrong checksum: damaged")
	}
	m.Update()
	return m, nil
}

// readHead reads the header into buf, which has room for any, and returns the
// configuration in it and its bytes.
func readHead(r io.Reader, buf []byte) (c rnn.Config, head []byte, err error) {
	head = buf[:headBytes]
	if _, err := io.ReadFull(r, head); err != nil {
		return c, nil, err
	}
	if string(head[:8]) != fileMagic {
		return c, nil, errors.New("not a model file")
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(head[8+4*i:]) }
	if word(0) != fileVersion {
		return c, nil, fmt.Errorf("version %d: this program reads version %d", word(0), fileVersion)
	}
	clusters := word(6)
	if word(5) > 1 || word(8) > 1 || clusters > rnn.MaxCutoffs {
		return c, nil, errors.New("impossible header: damaged")
	}
	head = buf[:headBytes+4*clusters]
	if _, err := io.ReadFull(r, head[headBytes:]); err != nil {
		return c, nil, err
	}
	dims := [...]int{int(word(1)), int(word(2)), int(word(3)), int(word(4)), int(word(7))}
	for i := range int(clusters) {
		c.Cutoffs = append(c.Cutoffs, int(word(9+i)))
	}
	for _, v := range append(c.Cutoffs, dims[:]...) {
		if v < 0 || v > math.MaxInt32 {
			return c, nil, errors.New("impossible header: damaged")
		}
	}
	c.Input, c.Hidden, c.Output, c.Activation, c.Layers = dims[0], dims[1], dims[2], rnn.Activation(dims[3]), dims[4]
	c.Tied, c.Residual = word(5) == 1, word(8) == 1
	return c, head, c.Validate()
}
