package rnnlm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"batchrnn/internal/durable"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// A model's file, all of it little-endian:
//
//	magic       [8]byte
//	version     uint32
//	length      uint32           of the configuration
//	config      [length]byte     all of the rnn.Config as JSON
//	parameters  [params]float32  in the order of rnn.Model.Slab; of a quantised model
//	                             the bytes of rnn.Model.WriteInt8
//	checksum    uint32           CRC-32C of all bytes before it
//
// Versions 3 and 4 are read too. They are of networks without an embedding. In place of
// length and config, version 3 has these words: input, hidden, output, the activation's
// index in numbered, tied, clusters, layers, residual and the cutoffs.
const (
	fileMagic     = "\x89RNNLM\r\n" // a text-mode copy damages it
	fileVersion   = 5
	headBytes     = 8 + 2*4 // without the configuration
	headBytes3    = 8 + 9*4 // without the cutoffs
	maxConfig     = 64 << 10
	checksumBytes = 4
)

// numbered lists the activations by their numbers in files of version 3.
var numbered = []rnn.Activation{rnn.Tanh, rnn.ReLU, rnn.Sigmoid, rnn.Identity}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// File wraps a model as an [io.WriterTo] of the form that [Read] reads.
type File struct{ Model *rnn.Model }

// WriteTo writes the model to w and returns the number of bytes written. It implements
// [io.WriterTo]. A compact model no longer has its parameters and can't be written.
func (f File) WriteTo(w io.Writer) (n int64, err error) {
	if f.Model.Slab == nil && !f.Model.Int8 {
		return 0, errors.New("rnnlm: a compact model can't be written: write it before Compact")
	}
	config, err := json.Marshal(f.Model.Config)
	if err != nil {
		return 0, err
	}
	buf := binary.LittleEndian.AppendUint32([]byte(fileMagic), fileVersion)
	buf = append(binary.LittleEndian.AppendUint32(buf, uint32(len(config))), config...)
	crc := crc32.New(castagnoli)
	out := io.MultiWriter(crc, w)
	k, err := out.Write(buf)
	n = int64(k)
	if err != nil {
		return n, err
	}
	write := floats(f.Model.Slab).WriteTo
	if f.Model.Int8 {
		write = f.Model.WriteInt8
	}
	params, err := write(out)
	n += params
	if err != nil {
		return n, err
	}
	k, err = w.Write(binary.LittleEndian.AppendUint32(nil, crc.Sum32()))
	return n + int64(k), err
}

// Read reads a model that [File.WriteTo] wrote. size is the number of bytes that r
// holds for it. A header that asks for another size is refused. A model that is
// truncated, damaged or of another kind gives an error.
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
	c, head, err := readHead(r)
	if err != nil {
		return nil, err
	}
	if want := int64(len(head)) + parameterBytes(c) + checksumBytes; want != size {
		return nil, fmt.Errorf("its header asks for %d bytes: truncated or damaged", want)
	}
	crc := crc32.New(castagnoli)
	crc.Write(head)
	m, err := readParameters(e, c, io.TeeReader(r, crc))
	if err != nil {
		return nil, err
	}
	var sum [checksumBytes]byte
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(sum[:]) != crc.Sum32() {
		return nil, errors.New("wrong checksum: damaged")
	}
	return m, nil
}

// parameterBytes returns the size of the parameters in a file.
func parameterBytes(c rnn.Config) int64 {
	if c.Int8 {
		return c.Int8Bytes()
	}
	return 4 * int64(c.Params())
}

// readParameters returns a model of c with the parameters in r.
func readParameters(e *kernels.Engine, c rnn.Config, r io.Reader) (*rnn.Model, error) {
	if c.Int8 {
		return rnn.ReadInt8(e, c, r)
	}
	m, err := rnn.New(e, c, 0)
	if err != nil {
		return nil, err
	}
	if err := floats(m.Slab).readFrom(r); err != nil {
		return nil, err
	}
	m.Update()
	return m, nil
}

// readHead returns the configuration in the header, and the header's bytes.
func readHead(r io.Reader) (c rnn.Config, head []byte, err error) {
	if head, err = more(r, nil, headBytes); err != nil {
		return c, nil, err
	}
	if string(head[:8]) != fileMagic {
		return c, nil, errors.New("not a model file")
	}
	switch version := binary.LittleEndian.Uint32(head[8:]); version {
	case 3:
		return readHead3(r, head)
	case 4, fileVersion:
	default:
		return c, nil, &durable.VersionError{Have: version, First: 3, Last: fileVersion}
	}
	size := binary.LittleEndian.Uint32(head[12:])
	if size > maxConfig {
		return c, nil, errors.New("impossible header: damaged")
	}
	if head, err = more(r, head, int(size)); err != nil {
		return c, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(head[headBytes:]))
	d.DisallowUnknownFields() // an unknown field may change what the network computes
	if err := d.Decode(&c); err != nil {
		return c, nil, fmt.Errorf("configuration: %w: damaged, or of a newer program", err)
	}
	return c, head, c.Validate()
}

// readHead3 is readHead for version 3, of which head is the beginning.
func readHead3(r io.Reader, head []byte) (c rnn.Config, _ []byte, err error) {
	if head, err = more(r, head, headBytes3-headBytes); err != nil {
		return c, nil, err
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(head[8+4*i:]) }
	clusters := word(6)
	if word(5) > 1 || word(8) > 1 || clusters > rnn.MaxCutoffs {
		return c, nil, errors.New("impossible header: damaged")
	}
	if word(4) >= uint32(len(numbered)) {
		return c, nil, fmt.Errorf("activation %d is unknown: damaged", word(4))
	}
	if head, err = more(r, head, 4*int(clusters)); err != nil {
		return c, nil, err
	}
	dims := [...]int{int(word(1)), int(word(2)), int(word(3)), int(word(7))}
	for i := range int(clusters) {
		c.Cutoffs = append(c.Cutoffs, int(word(9+i)))
	}
	for _, v := range append(c.Cutoffs, dims[:]...) {
		if v < 0 || v > math.MaxInt32 {
			return c, nil, errors.New("impossible header: damaged")
		}
	}
	c.Input, c.Hidden, c.Output, c.Layers, c.Activation = dims[0], dims[1], dims[2], dims[3], numbered[word(4)]
	c.Tied, c.Residual = word(5) == 1, word(8) == 1
	return c, head, c.Validate()
}

// more reads n bytes and appends them to head.
func more(r io.Reader, head []byte, n int) ([]byte, error) {
	head = append(head, make([]byte, n)...)
	_, err := io.ReadFull(r, head[len(head)-n:])
	return head, err
}
