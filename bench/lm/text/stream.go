package text

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
)

// This file reads texts piece by piece, as [Input.Read] and [Build] read them whole.

// chunkBytes is how much of a text is in memory at a time. It is a variable for tests.
var chunkBytes = 256 << 10

// A decoder makes UTF-8 of a piece of a text that comes in chunks, as decode does of all
// of it.
type decoder struct {
	e     encoding // known once begun
	begun bool
	size  int // bytes so far
	bad   int // of them; see decode
	nuls  int // in the UTF-8
	early bool
	out   int // bytes of the UTF-8 so far
	buf   []byte
}

// next returns the UTF-8 of chunk, and the end of chunk that only the next one completes.
// The first chunk has four bytes or more unless it is the last.
func (d *decoder) next(chunk []byte, last bool) (data, rest []byte) {
	if !d.begun {
		d.begun, d.e = true, utf8Encoding
		for _, e := range encodings {
			if bytes.HasPrefix(chunk, []byte(e.mark)) {
				d.e, chunk = e, chunk[len(e.mark):]
				break
			}
		}
	}
	var bad int
	if d.e.width > 1 {
		d.buf, rest, bad = d.e.appendUTF8(d.buf[:0], chunk, last)
		data = d.buf
	} else {
		if !last {
			whole := wholeRunes(chunk)
			chunk, rest = chunk[:whole], chunk[whole:]
		}
		data, bad = repair(chunk)
	}
	d.bad += bad
	d.nuls += bytes.Count(data, []byte{0})
	if d.out < binaryPrefix {
		d.early = d.early || bytes.IndexByte(data[:min(len(data), binaryPrefix-d.out)], 0) >= 0
	}
	d.out += len(data)
	return data, rest
}

// wholeRunes returns the length of b without a character at its end that is cut off.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= max(len(b)-utf8.UTFMax+1, 0); i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

// A spool is a file of numbers of tokens, as int32.
type spool struct {
	f   *os.File
	n   int64 // numbers
	buf []byte
}

func (s *spool) add(n int32) {
	s.buf = binary.LittleEndian.AppendUint32(s.buf, uint32(n))
	s.n++
}

func (s *spool) flush() error {
	_, err := s.f.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// cut drops all numbers but the first n.
func (s *spool) cut(n int64) error {
	if err := s.flush(); err != nil {
		return err
	}
	s.n = n
	if err := s.f.Truncate(idBytes * n); err != nil {
		return err
	}
	_, err := s.f.Seek(idBytes*n, io.SeekStart)
	return err
}

// A counter turns texts into the numbers of a census.
type counter struct {
	ctx   context.Context
	level Level
	seen  *census
	out   *spool
	force bool
	told  func(bytes int64) // of all texts so far
	read  int64

	// Of the text in work.
	name  string
	hash  hash.Hash
	left  leftOut
	state position
}

// leftOut are the fields of [Text].
type leftOut struct {
	files int
	first string
}

// A position is how far a text is.
type position struct {
	bytes int  // of UTF-8
	bad   int  // see Text
	last  byte // of the text so far
	lines int  // that have ended
	word  []byte
}

// numbered describes a text that was turned into numbers.
type numbered struct {
	Source
	from, to   int64 // in the spool
	bytes, bad int
	left       leftOut
	synthetic  bool
}

// text appends the numbers of a text. Without a path it is the default one.
func (c *counter) text(in Input, seed uint64, stdin io.Reader, least int) (numbered, error) {
	t := numbered{from: c.out.n}
	c.hash, c.left, c.state, c.force = sha256.New(), leftOut{}, position{}, in.Force
	var names []string
	for _, path := range in.Paths {
		if path == Stdin {
			path = stdinName
		}
		names = append(names, path)
	}
	c.name = strings.Join(names, ", ")
	if len(in.Paths) == 0 {
		whole := Default(seed)
		c.name, t.SHA256, t.synthetic = whole.Name, whole.SHA256, whole.Synthetic
		c.state.bad = whole.BadBytes
		if err := c.feed(whole.Data); err != nil {
			return t, err
		}
	}
	for _, path := range in.Paths {
		if err := c.add(path, stdin); err != nil {
			return t, err
		}
	}
	if err := c.end(); err != nil {
		return t, err
	}
	if err := c.out.flush(); err != nil {
		return t, spoolError{err}
	}
	t.Name, t.to, t.left = c.name, c.out.n, c.left
	if t.SHA256 == "" {
		t.SHA256 = hex.EncodeToString(c.hash.Sum(nil))
	}
	t.bytes, t.bad = c.state.bytes, c.state.bad
	if tokens := int(t.to - t.from); tokens < least {
		return t, tooShort(c.name, c.level, tokens, least)
	}
	return t, nil
}

// add is reader.add for a text that is not kept.
func (c *counter) add(path string, stdin io.Reader) error {
	if path == Stdin {
		return c.whole(stdinName, func() (*decoder, error) { return c.piece(stdin, false) })
	}
	info, err := os.Stat(path)
	if err != nil {
		return readError(path, err)
	}
	if info.IsDir() {
		return c.folder(path)
	}
	return c.whole(path, func() (*decoder, error) { return c.file(path, false) })
}

// whole adds a piece that is not of a folder.
func (c *counter) whole(name string, read func() (*decoder, error)) error {
	d, err := read()
	switch {
	case err != nil:
		return c.failure(name, err)
	case d.out == 0:
		return isEmpty(name)
	case c.force:
		return nil
	}
	return passes(name, d.size, d.bad+d.nuls, d.early)
}

// folder adds the text files below root. It takes back those that turn out to be no text.
func (c *counter) folder(root string) error {
	files, _, err := folderFiles(root)
	if err != nil {
		return err
	}
	before := c.state.bytes
	var refused error
	for _, f := range files {
		if !f.named {
			c.leaveOut(f.path)
			continue
		}
		at, words, state := c.out.n, len(c.seen.tokens), c.state
		state.word = slices.Clone(state.word)
		hashed, err := c.hash.(hash.Cloner).Clone()
		if err != nil {
			return err
		}
		d, err := c.file(f.path, !c.force)
		if d == nil || c.force && err != nil {
			return c.failure(f.path, err)
		}
		notText := passes(f.path, d.size, d.bad+d.nuls, d.early)
		if c.force || notText == nil {
			if err != nil {
				return err
			}
			continue
		}
		c.leaveOut(f.path)
		if refused == nil {
			refused = notText
		}
		c.seen.forget(words)
		c.state, c.hash = state, hashed
		if err := c.out.cut(at); err != nil {
			return spoolError{err}
		}
	}
	if c.state.bytes > before {
		return nil
	}
	return holdsNoText(root, refused)
}

func (c *counter) leaveOut(path string) {
	if c.left.files == 0 {
		c.left.first = path
	}
	c.left.files++
}

// A spoolError is one of writing what was read.
type spoolError struct{ error }

func (e spoolError) Unwrap() error { return e.error }

// A textError is about what a text says.
type textError struct{ error }

func (e textError) Unwrap() error { return e.error }

// failure returns the error of reading the piece of that name.
func (c *counter) failure(name string, err error) error {
	_, spool := errors.AsType[spoolError](err)
	_, text := errors.AsType[textError](err)
	switch {
	case spool || text:
		return err
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	}
	return readError(name, err)
}

func (c *counter) file(path string, toEnd bool) (*decoder, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return c.piece(f, toEnd)
}

// piece appends all of r. A line end goes before it where the piece before lacks one. With
// toEnd it returns a decoder that has read all of r beside a [textError]: r may be no
// text, and then the error doesn't matter.
func (c *counter) piece(r io.Reader, toEnd bool) (*decoder, error) {
	in := newBuffer(r)
	plain, _, err := decompress(in, memoryLimit())
	if err != nil {
		return nil, err
	}
	d := &decoder{}
	buf := make([]byte, chunkBytes)
	rest := 0 // bytes at the start of buf
	var said error
	for last := false; !last; {
		n, err := io.ReadFull(plain, buf[rest:])
		switch err {
		case io.EOF, io.ErrUnexpectedEOF:
			last = true
		case nil:
		default:
			return nil, err
		}
		if c.ctx.Err() != nil {
			return nil, c.ctx.Err()
		}
		chunk := buf[:rest+n]
		c.hash.Write(chunk[rest:])
		d.size += n
		c.read += int64(n)
		bad := d.bad
		data, over := d.next(chunk, last)
		c.state.bad += d.bad - bad
		err = nil
		if d.out == len(data) && len(data) > 0 && c.state.bytes > 0 && c.state.last != '\n' {
			err = c.feed([]byte{'\n'})
		}
		if err == nil && said == nil {
			err = c.feed(data)
		}
		if _, ok := errors.AsType[textError](err); ok && toEnd {
			said = err
		} else if err != nil {
			return nil, err
		}
		rest = copy(buf, over)
		c.told(c.read)
		if d.early && !c.force {
			break // it is no text, however it goes on
		}
	}
	return d, said
}

// feed appends data, which has whole characters.
func (c *counter) feed(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	known := len(c.seen.tokens)
	switch c.level {
	case Char:
		c.chars(data)
	case Word:
		c.words(data)
	case Sentence:
		if err := c.sentences(data); err != nil {
			return err
		}
	}
	c.state.bytes += len(data)
	c.state.last = data[len(data)-1]
	if len(c.state.word) > maxToken {
		return textError{fmt.Errorf("corpus %q has a word of more than %s: give a text with blanks between its words, or take characters as tokens", c.name, figures.Bytes(maxToken))}
	}
	if err := c.checkMemory(known); err != nil {
		return err
	}
	if err := c.out.flush(); err != nil {
		return spoolError{err}
	}
	return nil
}

// checkedWords is how many new tokens are taken in before the free memory is looked at
// again. wordBytes is more than each takes at that moment.
const (
	checkedWords = 1 << 18
	wordBytes    = 256
)

// checkMemory returns an error if the distinct tokens are about to fill the memory. known
// is how many there were before the last ones.
func (c *counter) checkMemory(known int) error {
	n := len(c.seen.tokens)
	if n/checkedWords == known/checkedWords {
		return nil
	}
	if free := memory.Free(); free < checkedWords*wordBytes {
		return textError{fmt.Errorf("corpus %q has more than %s distinct tokens, and %s of memory are free: give a shorter text, take characters as tokens, or allow this process more",
			c.name, figures.Count(int64(n)), figures.Bytes(free))}
	}
	return nil
}

func (c *counter) chars(data []byte) {
	for i := 0; i < len(data); {
		if b := data[i]; b < utf8.RuneSelf && c.seen.ascii[b] > 0 {
			c.out.add(c.seen.ascii[b] - 1)
			i++
			continue
		}
		_, n := utf8.DecodeRune(data[i:])
		c.out.add(c.seen.number(data[i : i+n]))
		i += n
	}
}

// token appends a word that has ended with part: what was left of it, and part.
func (c *counter) token(part []byte) {
	if word := c.state.word; len(word) > 0 {
		c.state.word = append(word, part...)
		part = c.state.word
	}
	if len(part) > 0 {
		c.out.add(c.seen.number(part))
		c.state.word = c.state.word[:0]
	}
}

func (c *counter) words(data []byte) {
	from := 0 // of a word
	for i := 0; i < len(data); {
		n, blank := 1, false
		if b := data[i]; b < utf8.RuneSelf {
			blank = b == ' ' || '\t' <= b && b <= '\r'
		} else {
			var r rune
			r, n = utf8.DecodeRune(data[i:])
			blank = unicode.IsSpace(r)
		}
		if blank {
			c.token(data[from:i])
			from = i + n
		}
		i += n
	}
	c.state.word = append(c.state.word, data[from:]...)
}

func (c *counter) sentences(data []byte) error {
	from := 0
	for i, b := range data {
		if b > ' ' || b != ' ' && b != '\n' && b != '\t' && b != '\r' && b != 0 {
			continue
		}
		if err := c.wordOfSentence(data[from:i]); err != nil {
			return err
		}
		from = i + 1
		if b == '\n' {
			c.out.add(End)
			c.state.lines++
		}
	}
	c.state.word = append(c.state.word, data[from:]...)
	return nil
}

// wordOfSentence is token, and returns an error for a mark.
func (c *counter) wordOfSentence(part []byte) error {
	at := c.out.n
	known := len(c.seen.tokens)
	c.token(part)
	if c.out.n == at || len(c.seen.tokens) > known {
		return nil // no word, or one that is new, and so is no mark
	}
	n := int32(binary.LittleEndian.Uint32(c.out.buf[len(c.out.buf)-idBytes:]))
	if n == Start || n == End {
		return textError{fmt.Errorf("corpus %q, %w", c.name, markError(c.state.lines+1, c.seen.tokens[n]))}
	}
	return nil
}

// end ends the last word of a text, and its last sentence.
func (c *counter) end() error {
	switch c.level {
	case Word:
		c.token(nil)
	case Sentence:
		if err := c.wordOfSentence(nil); err != nil {
			return err
		}
		if c.state.bytes > 0 && c.state.last != '\n' {
			c.out.add(End)
		}
	}
	return nil
}
