package lm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/figures"
)

// maxLine is the longest line that is scored, in bytes. A longer one is an error.
const maxLine = 64 << 20

// A Score is the cost of one line, or of all lines, under a model.
type Score struct {
	Format int `json:"format"`          // jsonFormat
	Line   int `json:"line,omitempty"`  // from 1; 0 of a total
	Lines  int `json:"lines,omitempty"` // of a total

	Costs

	TokenCosts []TokenCost `json:"token_costs,omitempty"` // of a line, where they are asked for
	Model      *Config     `json:"model,omitempty"`       // of a total
}

// A TokenCost is the cost of one token of a line.
type TokenCost struct {
	Token string  `json:"token"` // as written
	Bits  float64 `json:"bits"`
	Unk   bool    `json:"unk,omitempty"` // it is not in the vocabulary; Bits are those of <unk>
}

// ScoreLines scores each line of r by itself, without its line end, and returns the
// total. A line end is \n or \r\n. A byte that is not UTF-8 counts as U+FFFD. Other
// encodings and compressed data are read as [text.NewReader] does. Under a model of
// sentences each line is a sentence: after <s>, with </s> as its last token.
//
// It calls on with each score, which has its TokenCosts if tokens is true. last says that
// no further line is buffered, so the caller should flush.
func ScoreLines(m *Model, r io.Reader, tokens bool, on func(s Score, last bool) error) (total Score, err error) {
	total.Format, total.Model = jsonFormat, &m.Config
	in, err := text.NewReader(r)
	if err != nil {
		return total, fmt.Errorf("standard input: %w", err)
	}
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
		if m.level == text.Sentence {
			if err := m.level.CheckMarks(line, total.Lines); err != nil {
				return total, fmt.Errorf("standard input: %w", err)
			}
			line = append(line, '\n') // an empty line is a sentence too
		}
		ids = m.Vocab.Encode(ids[:0], m.level, line)
		losses, err := stream.Losses(ids)
		if err != nil {
			return total, err
		}
		s := Score{Format: jsonFormat, Line: total.Lines}
		var unknown []string
		if countUnk(ids) > 0 {
			unknown = m.Vocab.Unknown(m.level, line)
		}
		tally(&s.Costs, m, ids, losses, unknown)
		total.join(s.Costs)
		if tokens {
			s.TokenCosts = make([]TokenCost, 0, len(ids)) // a line may be very long
			for token := range m.level.Tokens(line) {
				i := len(s.TokenCosts)
				s.TokenCosts = append(s.TokenCosts, TokenCost{Token: token, Bits: Bits(losses[i], 1), Unk: ids[i] == text.Unk})
			}
		}
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
