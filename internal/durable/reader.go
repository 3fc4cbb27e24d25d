package durable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// ErrTruncated is the error for files that end early.
var ErrTruncated = errors.New("truncated or damaged")

// A Reader reads a file of sections. left is the number of bytes that remain, by the
// file's real size.
type Reader struct {
	r        io.Reader
	left     int64
	crc      uint32
	sections []Section
}

// A Section is one that a [Reader] has read.
type Section struct {
	Name     string
	Bytes    int64 // of the payload
	Checksum uint32
}

// A VersionError says that a file, or a part of one, is of a version that this program
// does not read.
type VersionError struct {
	Have        uint32
	First, Last uint32 // those that it reads
}

func (e *VersionError) Error() string {
	reads := fmt.Sprintf("versions %d to %d", e.First, e.Last)
	if e.First == e.Last {
		reads = fmt.Sprintf("version %d", e.Last)
	}
	return fmt.Sprintf("version %d: this program reads %s", e.Have, reads)
}

// NewReader reads the head of a file of sections. size is the number of bytes in r. A
// length in the file that exceeds it is refused. In errors, kind is the kind of file,
// such as "a model file".
func NewReader(r io.Reader, size int64, kind, magic string, version uint32) (*Reader, error) {
	s := &Reader{r: r, left: size}
	var b [HeadBytes]byte
	n, err := io.ReadFull(s, b[:])
	if start := b[:min(n, MagicBytes)]; !bytes.HasPrefix([]byte(magic), start) || n == 0 {
		return nil, fmt.Errorf("not %s", kind)
	}
	if err != nil {
		return nil, truncated(err)
	}
	if have := binary.LittleEndian.Uint32(b[MagicBytes:]); have != version {
		return nil, &VersionError{Have: have, First: version, Last: version}
	}
	return s, nil
}

// Read implements [io.Reader]. It counts the bytes and updates the checksum.
func (s *Reader) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.left -= int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, b[:n])
	return n, err
}

// Sections returns the sections read so far.
func (s *Reader) Sections() []Section { return s.sections }

// Left returns the number of bytes after those read so far.
func (s *Reader) Left() int64 { return s.left }

// Section reads the next section, of at most limit bytes. read must consume the whole
// payload.
func (s *Reader) Section(name string, limit int64, read func(r io.Reader, size int64) error) error {
	s.crc = 0
	var b [LengthBytes]byte
	if _, err := io.ReadFull(s, b[:]); err != nil {
		return truncated(err)
	}
	length := binary.LittleEndian.Uint64(b[:])
	if rest := s.left - ChecksumBytes; rest < 0 || length > uint64(min(rest, limit)) {
		return fmt.Errorf("%s of %d bytes, where %d are left: %w", name, length, max(rest, 0), ErrTruncated)
	}
	payload := &io.LimitedReader{R: s, N: int64(length)}
	if err := read(payload, int64(length)); err != nil {
		return truncated(err)
	}
	if payload.N != 0 {
		return fmt.Errorf("%s is longer than what it holds: damaged", name)
	}
	want := s.crc
	if _, err := io.ReadFull(s, b[:ChecksumBytes]); err != nil {
		return truncated(err)
	}
	if binary.LittleEndian.Uint32(b[:]) != want {
		return fmt.Errorf("%s has a wrong checksum: damaged", name)
	}
	s.sections = append(s.sections, Section{Name: name, Bytes: int64(length), Checksum: want})
	return nil
}

// Bytes returns the payload of the next section, of at most limit bytes.
func (s *Reader) Bytes(name string, limit int64) (payload []byte, err error) {
	err = s.Section(name, limit, func(r io.Reader, size int64) error {
		payload = make([]byte, size)
		_, err := io.ReadFull(r, payload)
		return err
	})
	return payload, err
}

// Close returns an error if anything follows the bytes read.
func (s *Reader) Close() error {
	if s.left != 0 {
		return fmt.Errorf("%d bytes too long: damaged", s.left)
	}
	return nil
}

// truncated returns ErrTruncated for an early end of file, and other errors as they
// are.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}
