package spell

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

// A Speller's form in a file, little-endian:
//
//	length    uint32   of the alphabet in bytes
//	alphabet           UTF-8
//	model              of characters, as package ngram writes it

// WriteTo writes the Speller in the form that [Read] reads, without its
// vocabulary. It implements [io.WriterTo].
func (s *Speller) WriteTo(w io.Writer) (int64, error) {
	alphabet := string(s.chars)
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(alphabet)))
	n, err := w.Write(append(head, alphabet...))
	if err != nil {
		return int64(n), err
	}
	m, err := s.model.WriteTo(w)
	return int64(n) + m, err
}

// Read reads a Speller of the words outside vocab, which takes size bytes of r. No
// allocation trusts size or a length in the file before the bytes are read.
func Read(r io.Reader, size int64, vocab *text.Vocab) (*Speller, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(head[:]))
	if rest := size - int64(len(head)); length > rest || length > letters*utf8.UTFMax {
		return nil, fmt.Errorf("spelling: an alphabet of %d bytes, where %d are left: damaged", length, max(rest, 0))
	}
	alphabet, err := io.ReadAll(io.LimitReader(r, length))
	if err != nil {
		return nil, err
	}
	if int64(len(alphabet)) < length {
		return nil, io.ErrUnexpectedEOF
	}
	if !utf8.Valid(alphabet) {
		return nil, errors.New("spelling: its alphabet is not UTF-8: damaged")
	}
	chars := []rune(string(alphabet))
	ids := make(map[rune]int32, len(chars))
	for i, c := range chars {
		if _, twice := ids[c]; twice || unicode.IsSpace(c) {
			return nil, fmt.Errorf("spelling: its alphabet has %q twice, or at all: damaged", c)
		}
		ids[c] = firstChar + int32(i)
	}
	model, err := ngram.Read(r, size-int64(len(head))-length)
	if err != nil {
		return nil, fmt.Errorf("spelling: %w", err)
	}
	if model.Vocab() != int(firstChar)+len(chars) {
		return nil, errors.New("spelling: its alphabet belongs to another model: damaged")
	}
	return newSpeller(chars, ids, model, vocab), nil
}
