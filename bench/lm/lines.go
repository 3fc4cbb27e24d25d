package lm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"batchrnn/internal/figures"
)

// maxLine is the longest line that is scored, in bytes. A longer one is an error.
const maxLine = 64 << 20

// A Score is the cost of one line, or of all lines, under a model.
type Score struct {
	Line         int     `json:"line,omitempty"`  // from 1; 0 of a total
	Lines        int     `json:"lines,omitempty"` // of a total
	Tokens       int     `json:"tokens"`
	Unk          int     `json:"unk"` // tokens that are not in the vocabulary
	Nats         float64 `json:"nats"`
	Bits         float64 `json:"bits"`
	BitsPerToken float64 `json:"bits_per_token"`
	Perplexity   float64 `json:"perplexity"`      // 0 if there is no token
	Model        *Config `json:"model,omitempty"` // of a total
}

func (s *Score) add(nats float64, tokens, unk int) {
	s.Tokens += tokens
	s.Unk += unk
	s.Nats += nats
	if s.Tokens > 0 {
		s.Bits = Bits(s.Nats, 1)
		s.BitsPerToken = Bits(s.Nats, s.Tokens)
		s.Perplexity = Perplexity(s.BitsPerToken)
	}
}

// ScoreLines scores each line of r by itself, without its line end, and returns the
// total. A line end is \n or \r\n. A byte that is not UTF-8 counts as U+FFFD.
//
// It calls on with each score. last says that no further line is buffered, so the
// caller should flush.
func ScoreLines(m *Model, r io.Reader, on func(s Score, last bool) error) (total Score, err error) {
	total.Model = &m.Config
	in := bufio.NewReaderSize(r, 64<<10)
	stream := m.NewStream()
	var line []byte
	var ids []int32
	for {
		line, err = readLine(in, line[:0])
		switch {
		case err == io.EOF && total.Lines == 0:
			return total, errNoLines
		case err == io.EOF:
			return total, nil
		case errors.Is(err, errLongLine):
			return total, fmt.Errorf("standard input: line %d is longer than %s: break it up", total.Lines+1, figures.Bytes(maxLine))
		case err != nil:
			return total, fmt.Errorf("standard input: line %d: %w", total.Lines+1, err)
		}
		total.Lines++
		ids = m.Vocab.Encode(ids[:0], m.Level(), line)
		nats, err := stream.Score(ids)
		if err != nil {
			return total, err
		}
		s := Score{Line: total.Lines}
		s.add(nats, len(ids), countUnk(ids))
		total.add(nats, s.Tokens, s.Unk)
		if err := on(s, in.Buffered() == 0); err != nil {
			return total, err
		}
	}
}

var (
	errLongLine = errors.New("line too long")
	errNoLines  = errors.New("standard input is empty: give it lines to score")
)

// readLine appends the next line to dst, without its end. The last line may have no
// end.
func readLine(in *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		piece, err := in.ReadSlice('\n')
		if len(dst)+len(piece) > maxLine {
			return dst, errLongLine
		}
		dst = append(dst, piece...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(dst[:len(dst)-1], []byte("\r")), nil
		case err == io.EOF && len(dst) > 0:
			return dst, nil
		case err != bufio.ErrBufferFull:
			return dst, err
		}
	}
}
