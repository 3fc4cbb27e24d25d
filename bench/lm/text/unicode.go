package text

import (
	"bufio"
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// An encoding is one of Unicode's, told by the byte order mark that a text begins with.
type encoding struct {
	mark  string
	width int // bytes of a unit
	order binary.ByteOrder
}

var utf8Encoding = encoding{mark: "\xef\xbb\xbf", width: 1}

// encodings has the mark of UTF-32 before that of UTF-16, which it begins with: no text
// in UTF-16 begins with a NUL.
var encodings = []encoding{
	utf8Encoding,
	{"\xff\xfe\x00\x00", 4, binary.LittleEndian},
	{"\x00\x00\xfe\xff", 4, binary.BigEndian},
	{"\xff\xfe", 2, binary.LittleEndian},
	{"\xfe\xff", 2, binary.BigEndian},
}

// decode returns raw in UTF-8, without its byte order mark, and how many of its bytes
// are bad: each byte that is not UTF-8, or all of a unit that is no character of UTF-16
// or UTF-32, becomes U+FFFD. A text without a mark is UTF-8. data may be a part of raw.
func decode(raw []byte) (data []byte, bad int) {
	for _, e := range encodings {
		if len(raw) < len(e.mark) || string(raw[:len(e.mark)]) != e.mark {
			continue
		}
		raw = raw[len(e.mark):]
		if e.width > 1 {
			data, _, bad = e.appendUTF8(make([]byte, 0, len(raw)), raw, true)
			return data, bad
		}
		break
	}
	return repair(raw)
}

// appendUTF8 appends the characters of raw to dst. It also returns what it has not read
// of raw, less than a character, and the number of bad bytes. At the end of the text it
// reads all.
func (e encoding) appendUTF8(dst, raw []byte, end bool) (_, rest []byte, bad int) {
	unit := func(b []byte) rune {
		if e.width == 2 {
			return rune(e.order.Uint16(b))
		}
		return rune(e.order.Uint32(b)) // above the largest rune it is below 0, or invalid
	}
	for len(raw) > 0 {
		n := min(e.width, len(raw))
		r := rune(utf8.RuneError)
		valid := false
		switch {
		case n < e.width:
			if !end {
				return dst, raw, bad
			}
		case e.width == 2 && utf16.IsSurrogate(unit(raw)):
			if len(raw) < 4 && !end && unit(raw) < 0xdc00 {
				return dst, raw, bad // the other half is to come
			}
			if len(raw) >= 4 {
				r = utf16.DecodeRune(unit(raw), unit(raw[2:]))
			}
			if valid = r != utf8.RuneError; valid {
				n = 4
			}
		default:
			r = unit(raw)
			valid = utf8.ValidRune(r)
		}
		if !valid {
			bad += n
		}
		dst = utf8.AppendRune(dst, r) // of an invalid one U+FFFD
		raw = raw[n:]
	}
	return dst, nil, bad
}

// newBuffer returns a buffer in front of r.
func newBuffer(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(&sticky{r: r}, readerSize) }

const readerSize = 64 << 10 // bytes

// sticky reads r up to its first error, which it returns again: whoever peeks at the
// beginning of a stream, several times over, must not take its end away.
type sticky struct {
	r   io.Reader
	err error
}

func (s *sticky) Read(p []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = s.r.Read(p)
	}
	return n, s.err
}

// NewReader returns a reader of the UTF-8 in r, for texts that are read as they come.
// gzip and zstd data is read as what it holds. A text with the byte order mark of
// UTF-16 or UTF-32 is converted, and a unit of it that is no character becomes U+FFFD.
// A byte order mark itself is not text. It waits for no more bytes than it takes to tell.
//
// Bytes that are not UTF-8, in a text without a mark, stay as they are.
func NewReader(r io.Reader) (*bufio.Reader, error) { return newReader(r, memoryLimit()) }

// newReader is NewReader with the limit of decompress.
func newReader(r io.Reader, limit int64) (*bufio.Reader, error) {
	in := newBuffer(r)
	plain, compressed, err := decompress(in, limit)
	if err != nil {
		return nil, err
	}
	if compressed {
		in = newBuffer(plain)
	}
	for _, e := range encodings {
		if !startsWith(in, e.mark) {
			continue
		}
		if _, err := in.Discard(len(e.mark)); err != nil {
			return nil, err
		}
		if e.width > 1 {
			return newBuffer(&converter{e: e, in: in}), nil
		}
		break
	}
	return in, nil
}

// A converter reads a text in UTF-16 or UTF-32 as UTF-8.
type converter struct {
	e    encoding
	in   io.Reader
	raw  [4 << 10]byte
	left int    // bytes of raw that are no whole character yet
	buf  []byte // converted
	out  []byte // of it, not yet read
	err  error  // of in
}

func (c *converter) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		var n int
		n, c.err = c.in.Read(c.raw[c.left:])
		var rest []byte
		c.buf, rest, _ = c.e.appendUTF8(c.buf[:0], c.raw[:c.left+n], c.err != nil)
		c.left, c.out = copy(c.raw[:], rest), c.buf
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}
