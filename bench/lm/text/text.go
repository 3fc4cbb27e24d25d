package text

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"batchrnn/internal/figures"
)

// Text is the source of a corpus.
type Text struct {
	Name string // the source, for a report
	Data []byte // valid UTF-8, without byte order marks
	// SHA256 is hex, of the bytes of the text as they were read, before any conversion or
	// repair. Of compressed data it is that of what the data holds: a model knows the
	// text that it was trained on, compressed or not.
	SHA256    string
	BadBytes  int  // bytes that were not UTF-8, or not UTF-16 in such a text; each character of them is U+FFFD in Data
	Synthetic bool // from the generator, not written by people

	LeftOut      int    // files of folders that were not read, hidden ones not counted
	FirstLeftOut string // the path of the first, "" if there is none
}

// New returns raw as a text. The text retains raw if it is valid UTF-8.
func New(name string, raw []byte) *Text {
	sum := sha256.Sum256(raw)
	data, bad := decode(raw)
	return &Text{Name: name, Data: data, SHA256: hex.EncodeToString(sum[:]), BadBytes: bad}
}

// repair replaces each byte of raw that is not part of valid UTF-8 by U+FFFD. It also
// returns the number of such bytes. A U+FFFD in raw is valid and not counted.
func repair(raw []byte) (data []byte, bad int) {
	if utf8.Valid(raw) { // several times as fast as the loop
		return raw, 0
	}
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		i += n
	}
	data = make([]byte, 0, len(raw)+bad*(utf8.RuneLen(utf8.RuneError)-1))
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		data = utf8.AppendRune(data, r)
		i += n
	}
	return data, bad
}

// A NotText says that a file is binary, or a text in an encoding that is not known.
type NotText struct {
	Name  string
	Bytes int // of the file, decompressed
	Bad   int // of them, not UTF-8 or NUL
}

func (e *NotText) Error() string {
	return fmt.Sprintf("corpus %q is no text in UTF-8: %.2f %% of its bytes are bad, not UTF-8 or NUL, %s of %s: give one in UTF-8, or in UTF-16 with its byte order mark",
		e.Name, 100*float64(e.Bad)/float64(e.Bytes), figures.Count(int64(e.Bad)), figures.Count(int64(e.Bytes)))
}

// What still passes for text: some bad bytes, or a small share of bad ones. A text in an
// 8-bit encoding has more. English in Windows-1252 has one in some 300 for its quotation
// marks, German and French in Latin-1 two in a hundred. The few of a text that was
// damaged on its way are fewer.
const (
	someBad  = 4
	badShare = 1000 // inverse
)

// binaryPrefix is how many bytes git looks at to tell a binary file, by a NUL.
const binaryPrefix = 8000

// check returns a [NotText] unless raw, whose bad bytes decode has counted in making
// data, passes for text. A NUL is bad as well, and among the first bytes it says
// "binary", as in git. No text has one, and UTF-16 without its mark has many.
func check(name string, raw, data []byte, bad int) error {
	early := bytes.IndexByte(data[:min(len(data), binaryPrefix)], 0) >= 0
	return passes(name, len(raw), bad+bytes.Count(data, []byte{0}), early)
}

// passes is check for a text of so many bytes, NULs among the bad ones. early says that
// one is among the first.
func passes(name string, size, bad int, early bool) error {
	if early || bad > someBad && bad > size/badShare {
		return &NotText{Name: name, Bytes: size, Bad: bad}
	}
	return nil
}
