package text

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

// Text is the source of a corpus.
type Text struct {
	Name      string // the source, for a report
	Data      []byte // valid UTF-8
	SHA256    string // hex, of the raw bytes as they were read, before any repair
	BadBytes  int    // bytes that were not UTF-8; each is U+FFFD in Data
	Skipped   int    // files of a folder that were left out: named as text, binary in content
	Synthetic bool   // from the generator, not written by people
}

// New returns raw as a text. The text retains raw if it is valid UTF-8.
func New(name string, raw []byte) *Text {
	sum := sha256.Sum256(raw)
	data, bad := repair(raw)
	return &Text{Name: name, Data: data, SHA256: hex.EncodeToString(sum[:]), BadBytes: bad}
}

// repair replaces each byte of raw that is not part of valid UTF-8 by U+FFFD. It also
// returns the number of such bytes. A U+FFFD in raw is valid and not counted.
func repair(raw []byte) (data []byte, bad int) {
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		i += n
	}
	if bad == 0 {
		return raw, 0
	}
	data = make([]byte, 0, len(raw)+bad*(utf8.RuneLen(utf8.RuneError)-1))
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		data = utf8.AppendRune(data, r)
		i += n
	}
	return data, bad
}
