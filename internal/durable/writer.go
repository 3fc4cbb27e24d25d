package durable

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// A file of sections, little-endian:
//
//	magic      [8]byte
//	version    uint32
//	sections, their number and order given by the magic:
//	  length   uint64
//	  payload  [length]byte
//	  checksum uint32        CRC-32C of length and payload
//
// Nothing follows the last section.
const (
	MagicBytes    = 8
	HeadBytes     = MagicBytes + 4
	LengthBytes   = 8
	ChecksumBytes = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Writer writes a file of sections.
type Writer struct {
	w   io.Writer
	n   int64
	crc uint32
}

// NewWriter starts a file of sections. magic has MagicBytes bytes.
func NewWriter(w io.Writer, magic string, version uint32) (*Writer, error) {
	s := &Writer{w: w}
	head := append(make([]byte, 0, HeadBytes), magic...)
	_, err := s.Write(binary.LittleEndian.AppendUint32(head, version))
	return s, err
}

// Written returns the number of bytes written so far.
func (s *Writer) Written() int64 { return s.n }

// Section writes a section. The length of payload comes from its method Size, if it has
// one. Otherwise payload is written twice, first to measure it.
func (s *Writer) Section(payload io.WriterTo) error {
	length, err := sizeOf(payload)
	if err != nil {
		return err
	}
	s.crc = 0
	if _, err := s.Write(binary.LittleEndian.AppendUint64(nil, uint64(length))); err != nil {
		return err
	}
	n, err := payload.WriteTo(s)
	if err == nil && n != length {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	_, err = s.Write(binary.LittleEndian.AppendUint32(nil, s.crc))
	return err
}

func sizeOf(payload io.WriterTo) (int64, error) {
	if p, ok := payload.(interface{ Size() int64 }); ok {
		return p.Size(), nil
	}
	return payload.WriteTo(io.Discard)
}

// Write implements [io.Writer] for payloads. It counts the bytes and updates the
// checksum.
func (s *Writer) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	s.n += int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, b[:n])
	return n, err
}
