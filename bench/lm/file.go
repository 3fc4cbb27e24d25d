package lm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/kernels"
)

// A language model's file has three or four sections, as package durable writes them:
// the configuration as JSON; the vocabulary; the model as package ngram or rnnlm
// writes it; and, where the configuration says so, the spelling of words that are
// <unk>, as package spell writes it.
const (
	fileMagic   = "\x89BLM\r\n\x1a\n" // a text-mode copy damages it
	fileVersion = 1

	maxConfig = 64 << 10 // bytes of JSON

	modelHead = 8 + 4 // bytes of the third section's magic and version
)

// WriteTo writes the model in the form that [Read] reads, and returns the number
// of bytes written. It implements [io.WriterTo].
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	config, err := json.Marshal(m.Config)
	if err != nil {
		return 0, err
	}
	payloads := []io.WriterTo{bytes.NewReader(config), bytes.NewReader(m.Vocab.Append(nil)), m.parameters()}
	if m.Config.Spelling {
		payloads = append(payloads, m.Speller)
	}
	out, err := durable.NewWriter(w, fileMagic, fileVersion)
	for _, payload := range payloads {
		if err == nil {
			err = out.Section(payload)
		}
	}
	return out.Written(), err
}

// parameters returns the payload of the third section.
func (m *Model) parameters() io.WriterTo {
	if m.rnn != nil {
		return rnnlm.File{Model: m.rnn}
	}
	return m.ngram
}

// Open reads the model of that file. A network runs on e. The error names the
// file and is one line.
func Open(path string, e *kernels.Engine) (*Model, error) {
	return OpenTold(path, e, func(float64) {})
}

// OpenTold is Open, and calls on with the fraction of the file that is read.
func OpenTold(path string, e *kernels.Engine, on func(fraction float64)) (*Model, error) {
	m, err := open(path, e, on)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if err != nil {
		return nil, fmt.Errorf("model %q: %w", path, err)
	}
	return m, nil
}

// NoMemory says that a file holds more bytes than memory has free.
type NoMemory struct{ Bytes, Free int64 }

func (e *NoMemory) Error() string {
	return fmt.Sprintf("holds %s, and %s of memory are free", figures.Bytes(e.Bytes), figures.Bytes(e.Free))
}

func open(path string, e *kernels.Engine, on func(fraction float64)) (*Model, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(&toldReader{r: f, size: size, on: on}, size, e)
}

// openFile opens a regular file that fits the memory that is free.
func openFile(path string) (f *os.File, size int64, err error) {
	// Before it is opened: opening a pipe waits for somebody who writes to it.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, 0, err
	case info.IsDir():
		return nil, 0, errors.New("is a folder")
	case !info.Mode().IsRegular():
		return nil, 0, errors.New("is not a regular file")
	case info.Size() > memory.Free():
		return nil, 0, &NoMemory{info.Size(), memory.Free()}
	}
	f, err = os.Open(path)
	return f, info.Size(), err
}

// A toldReader tells how much of it was read.
type toldReader struct {
	r          io.Reader
	read, size int64
	on         func(fraction float64)
}

func (t *toldReader) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	t.read += int64(n)
	t.on(min(float64(t.read)/float64(max(t.size, 1)), 1))
	return n, err
}

// Read reads a model that [Model.WriteTo] wrote. size is how many bytes r holds:
// no length in the file is believed that reaches beyond. A model that is
// truncated, damaged or something else gives an error of one line.
func Read(r io.Reader, size int64, e *kernels.Engine) (*Model, error) {
	s, err := durable.NewReader(r, size, "a model file", fileMagic, fileVersion)
	if err != nil {
		return nil, err
	}
	m := &Model{}
	raw, err := s.Bytes("configuration", maxConfig)
	if err != nil {
		return nil, err
	}
	if m.Config, m.level, err = parseConfig(raw); err != nil {
		return nil, err
	}
	if raw, err = s.Bytes("vocabulary", s.Left()); err != nil {
		return nil, err
	}
	if m.Vocab, err = text.ParseVocab(raw, m.Config.Vocab); err != nil {
		return nil, fmt.Errorf("vocabulary: %w", err)
	}
	var marked bool
	if m.marks, marked = m.Vocab.Marks(); !marked && m.level == text.Sentence {
		return nil, fmt.Errorf("vocabulary: %s or %s is missing: damaged", text.StartToken, text.EndToken)
	}
	err = s.Section("model", s.Left(), func(r io.Reader, size int64) (err error) {
		var head [modelHead]byte
		n, _ := io.ReadFull(r, head[:])
		m.modelVersion = binary.LittleEndian.Uint32(head[modelHead-4:])
		r = io.MultiReader(bytes.NewReader(head[:n]), r)
		if m.Config.Kind == RNN {
			m.rnn, err = rnnlm.Read(e, r, size)
			if err == nil && m.rnn.Int8 != m.Config.Int8 {
				err = errors.New("its weights are of another type than its configuration says: damaged")
			}
			if err == nil {
				m.Config.setNetwork(m.rnn.Config)
			}
		} else {
			m.ngram, err = ngram.Read(r, size)
			if err == nil {
				m.Config.setStore(m.ngram)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.level == text.Char {
		m.Speller = spell.OfCharacters(m.Vocab)
	} else if m.Config.Spelling {
		err := s.Section("spelling", s.Left(), func(r io.Reader, size int64) (err error) {
			m.Speller, err = spell.Read(r, size, m.Vocab)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	m.sections = s.Sections()
	return m, m.consistent()
}

// consistent returns an error if the sections belong to different models.
func (m *Model) consistent() error {
	var inputs, outputs, size int
	if m.rnn != nil {
		if m.rnn.Dense {
			return errors.New("the network reads vectors, not tokens: damaged")
		}
		if m.rnn.Bidirectional || m.rnn.LastStep {
			return errors.New("the network doesn't predict each token from those before it: damaged")
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

func parseConfig(raw []byte) (c Config, level text.Level, err error) {
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, 0, fmt.Errorf("configuration: %w", err)
	}
	if c.Kind != Ngram && c.Kind != RNN || (c.Kind == Ngram) != (c.Hidden == 0) || (c.Kind == RNN) != (c.Order == 0) {
		return c, 0, fmt.Errorf("configuration: kind %q of order %d and width %d is not known here", c.Kind, c.Order, c.Hidden)
	}
	if level, err = text.ParseLevel(c.Level); err != nil {
		return c, 0, fmt.Errorf("configuration: %w", err)
	}
	if c.Spelling && level == text.Char {
		return c, 0, errors.New("configuration: a spelling of characters: damaged")
	}
	return c, level, nil
}
