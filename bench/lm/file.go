package lm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"batchrnn/bench/corpus"
	"batchrnn/bench/measure"
	"batchrnn/bench/ngram"
	"batchrnn/bench/rnnlm"
	"batchrnn/bench/spell"
	"batchrnn/kernels"
)

// A language model's file, little-endian:
//
//	magic      [8]byte
//	version    uint32
//	three or four sections, in this order:
//	  length   uint64
//	  payload  [length]byte
//	  checksum uint32        CRC-32C of length and payload
//
// The sections are the configuration as JSON; the vocabulary, each token as its
// length in bytes, a varint, and its text; the model as package ngram or rnnlm
// writes it; and, where the configuration says so, the spelling of words that are
// <unk>, as package spell writes it. Nothing follows them.
const (
	fileMagic     = "\x89BLM\r\n\x1a\n" // a text-mode copy damages it
	fileVersion   = 1
	headBytes     = 8 + 4
	lengthBytes   = 8
	checksumBytes = 4

	maxConfig = 64 << 10 // bytes of JSON
	maxToken  = 1 << 20  // bytes of one token
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriteTo writes the model in the form that [Read] reads, and returns the number
// of bytes written. It implements [io.WriterTo].
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	config, err := json.Marshal(m.Config)
	if err != nil {
		return 0, err
	}
	out := &counter{w: w}
	head := append(make([]byte, 0, headBytes), fileMagic...)
	if _, err := out.Write(binary.LittleEndian.AppendUint32(head, fileVersion)); err != nil {
		return out.n, err
	}
	payloads := []io.WriterTo{bytes.NewReader(config), bytes.NewReader(m.vocabulary()), m.parameters()}
	if m.Config.Spelling {
		payloads = append(payloads, m.Speller)
	}
	for _, payload := range payloads {
		if err := writeSection(out, payload); err != nil {
			return out.n, err
		}
	}
	return out.n, nil
}

// vocabulary returns the payload of the second section.
func (m *Model) vocabulary() []byte {
	var b []byte
	for id := range int32(m.Vocab.Len()) {
		token := m.Vocab.Token(id)
		b = binary.AppendUvarint(b, uint64(len(token)))
		b = append(b, token...)
	}
	return b
}

// parameters returns the payload of the third section.
func (m *Model) parameters() io.WriterTo {
	if m.rnn != nil {
		return rnnlm.File{Model: m.rnn}
	}
	return m.ngram
}

func writeSection(w *counter, payload io.WriterTo) error {
	length, err := sizeOf(payload)
	if err != nil {
		return err
	}
	w.crc = 0
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(length))); err != nil {
		return err
	}
	if n, err := payload.WriteTo(w); err != nil || n != length {
		return errors.Join(err, io.ErrShortWrite)
	}
	_, err = w.Write(binary.LittleEndian.AppendUint32(nil, w.crc))
	return err
}

// sizeOf returns how many bytes a payload takes, without using it up.
func sizeOf(payload io.WriterTo) (int64, error) {
	if r, ok := payload.(*bytes.Reader); ok {
		return r.Size(), nil
	}
	return payload.WriteTo(io.Discard)
}

// counter counts what is written, and takes its checksum.
type counter struct {
	w   io.Writer
	n   int64
	crc uint32
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.crc = crc32.Update(c.crc, castagnoli, b[:n])
	return n, err
}

// Open reads the model of that file. A network runs on e. The error names the
// file and is one line.
func Open(path string, e *kernels.Engine) (*Model, error) {
	m, err := open(path, e)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if err != nil {
		return nil, fmt.Errorf("model %q: %w: give a file that rnnbench train has written", path, err)
	}
	return m, nil
}

func open(path string, e *kernels.Engine) (*Model, error) {
	// Before it is opened: opening a pipe waits for somebody who writes to it.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("is a folder")
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Size() > measure.FreeMemory():
		return nil, fmt.Errorf("holds %s, and %s of memory are free",
			measure.FormatBytes(info.Size()), measure.FormatBytes(measure.FreeMemory()))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, info.Size(), e)
}

// Read reads a model that [Model.WriteTo] wrote. size is how many bytes r holds:
// no length in the file is believed that reaches beyond. A model that is
// truncated, damaged or something else gives an error of one line.
func Read(r io.Reader, size int64, e *kernels.Engine) (*Model, error) {
	m, err := read(&sections{r: r, left: size}, e)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errTruncated
	}
	return m, err
}

var errTruncated = errors.New("truncated or damaged")

func read(s *sections, e *kernels.Engine) (*Model, error) {
	if err := s.head(); err != nil {
		return nil, err
	}
	m := &Model{}
	raw, err := s.bytes("configuration", maxConfig)
	if err != nil {
		return nil, err
	}
	if m.Config, m.level, err = parseConfig(raw); err != nil {
		return nil, err
	}
	if raw, err = s.bytes("vocabulary", s.left); err != nil {
		return nil, err
	}
	if m.Vocab, err = parseVocabulary(raw, m.Config.Vocab); err != nil {
		return nil, err
	}
	err = s.section("model", s.left, func(r io.Reader, size int64) (err error) {
		if m.Config.Kind == RNN {
			m.rnn, err = rnnlm.Read(e, r, size)
			if err == nil {
				m.Config.Softmax, m.Config.Tied = rnnlm.SoftmaxOf(m.rnn.Config), m.rnn.Tied
			}
		} else {
			m.ngram, err = ngram.Read(r, size)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.level == corpus.Char {
		m.Speller = spell.OfCharacters(m.Vocab)
	} else if m.Config.Spelling {
		err := s.section("spelling", s.left, func(r io.Reader, size int64) (err error) {
			m.Speller, err = spell.Read(r, size, m.Vocab)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if s.left != 0 {
		return nil, fmt.Errorf("%d bytes too long: damaged", s.left)
	}
	return m, m.consistent()
}

// consistent returns an error if the sections belong to different models.
func (m *Model) consistent() error {
	var inputs, outputs, size int
	if m.rnn != nil {
		if m.rnn.Dense {
			return errors.New("the network reads vectors, not tokens: damaged")
		}
		inputs, outputs, size = m.rnn.Input, m.rnn.Output, m.rnn.Hidden
	} else {
		inputs, outputs, size = m.ngram.Vocab(), m.ngram.Vocab(), m.ngram.Order()
	}
	if inputs != m.Vocab.Len() || outputs != m.Vocab.Len() || size != max(m.Config.Order, m.Config.Hidden) {
		return errors.New("its sections belong to different models: damaged")
	}
	return nil
}

func parseConfig(raw []byte) (c Config, level corpus.Level, err error) {
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, 0, fmt.Errorf("configuration: %w", err)
	}
	if c.Kind != Ngram && c.Kind != RNN || (c.Kind == Ngram) != (c.Hidden == 0) || (c.Kind == RNN) != (c.Order == 0) {
		return c, 0, fmt.Errorf("configuration: kind %q of order %d and width %d is not known here", c.Kind, c.Order, c.Hidden)
	}
	if level, err = corpus.ParseLevel(c.Level); err != nil {
		return c, 0, fmt.Errorf("configuration: %w", err)
	}
	if c.Spelling && level == corpus.Char {
		return c, 0, errors.New("configuration: a spelling of characters: damaged")
	}
	return c, level, nil
}

// parseVocabulary reads want tokens, which are all of raw.
func parseVocabulary(raw []byte, want int) (*corpus.Vocab, error) {
	if want < 1 || want > len(raw)/2 { // a token takes two bytes or more
		return nil, fmt.Errorf("vocabulary: %d tokens in %d bytes: damaged", want, len(raw))
	}
	tokens := make([]string, 0, want)
	for len(raw) > 0 {
		length, n := binary.Uvarint(raw)
		if n <= 0 || length > maxToken || length > uint64(len(raw)-n) {
			return nil, errors.New("vocabulary: a token reaches beyond it: damaged")
		}
		token := string(raw[n:][:length])
		if !utf8.ValidString(token) {
			return nil, fmt.Errorf("vocabulary: token %q is not UTF-8: damaged", token)
		}
		if len(tokens) == want {
			return nil, fmt.Errorf("vocabulary: more than %d tokens: damaged", want)
		}
		tokens = append(tokens, token)
		raw = raw[n:][length:]
	}
	if len(tokens) != want {
		return nil, fmt.Errorf("vocabulary: %d tokens instead of %d: damaged", len(tokens), want)
	}
	v, err := corpus.NewVocabulary(tokens)
	if err != nil {
		return nil, fmt.Errorf("vocabulary: %w: damaged", err)
	}
	return v, nil
}
