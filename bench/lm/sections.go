package lm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// sections takes a file apart. left is how many bytes of it remain, by its real
// size.
type sections struct {
	r    io.Reader
	left int64
	crc  uint32
}

// Read implements [io.Reader], and keeps the books.
func (s *sections) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.left -= int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, b[:n])
	return n, err
}

// head reads what stands before the sections.
func (s *sections) head() error {
	var b [headBytes]byte
	n, err := io.ReadFull(s, b[:])
	if magic := b[:min(n, len(fileMagic))]; !bytes.HasPrefix([]byte(fileMagic), magic) || n == 0 {
		return errors.New("not a model file")
	}
	if err != nil {
		return err
	}
	if version := binary.LittleEndian.Uint32(b[8:]); version != fileVersion {
		return fmt.Errorf("version %d: this program reads version %d", version, fileVersion)
	}
	return nil
}

// section reads the next section, of at most limit bytes. read takes all of the
// payload.
func (s *sections) section(name string, limit int64, read func(r io.Reader, size int64) error) error {
	s.crc = 0
	var b [lengthBytes]byte
	if _, err := io.ReadFull(s, b[:]); err != nil {
		return err
	}
	length := binary.LittleEndian.Uint64(b[:])
	if rest := s.left - checksumBytes; rest < 0 || length > uint64(min(rest, limit)) {
		return fmt.Errorf("%s of %d bytes, where %d are left: %w", name, length, max(rest, 0), errTruncated)
	}
	payload := &io.LimitedReader{R: s, N: int64(length)}
	if err := read(payload, int64(length)); err != nil {
		return err
	}
	if payload.N != 0 {
		return fmt.Errorf("%s is longer than what it holds: damaged", name)
	}
	want := s.crc
	if _, err := io.ReadFull(s, b[:checksumBytes]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b[:]) != want {
		return fmt.Errorf("%s has a wrong checksum: damaged", name)
	}
	return nil
}

// bytes reads the next section as it is.
func (s *sections) bytes(name string, limit int64) (payload []byte, err error) {
	err = s.section(name, limit, func(r io.Reader, size int64) error {
		payload = make([]byte, size)
		_, err := io.ReadFull(r, payload)
		return err
	})
	return payload, err
}
