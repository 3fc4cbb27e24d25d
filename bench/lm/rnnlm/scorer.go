package rnnlm

import (
	"context"
	"errors"
	"math"

	"batchrnn/rnn"
)

// Sizes of a Scorer on a long text.
const (
	scoreStreams = 32
	scoreSteps   = 50
	// minStream is the least length in tokens of a stream of its own.
	minStream = 4 * scoreSteps
)

// A Scorer computes the cost of a text under a model. It reads the text as parallel
// contiguous streams of equal length. The remaining tokens follow in a last stream.
// Each token is counted once.
//
// A stream starts with the state after the tokens before it. As many of these as fit in
// one piece are read, but not counted.
type Scorer struct {
	// Told, if it is not nil, is called now and then with the number of tokens scored.
	Told func(tokens int)

	body, tail section
	sentences  *sentenceScorer // in place of body and tail
}

// MostHistory is how many of the last tokens of its history a Scorer reads at most.
const MostHistory = scoreSteps + 1

// NewScorer returns a Scorer of tokens, which follow history in the text. Neither may
// be empty.
func NewScorer(m *rnn.Model, history, tokens []int32) (*Scorer, error) {
	return newScorer(m, history, tokens, 0, 1)
}

// newScorer is NewScorer for part i of n of the streams. The last part has the tokens that
// are left after the streams. The parts of few streams may be empty.
func newScorer(m *rnn.Model, history, tokens []int32, i, n int) (*Scorer, error) {
	if len(history) == 0 || len(tokens) == 0 {
		return nil, errors.New("rnnlm: nothing to score, or nothing before it")
	}
	streams := min(max(len(tokens)/minStream, 1), scoreStreams)
	steps := bestSteps(len(tokens) / streams)
	pieces := len(tokens) / streams / steps

	// history and tokens share one slice, so that the input of token i is at i-1.
	before := min(len(history), steps+1)
	text := append(append([]int32(nil), history[len(history)-before:]...), tokens...)

	lo, hi := i*streams/n, (i+1)*streams/n
	s := &Scorer{}
	if lo < hi {
		s.body = newSection(m, text, before+lo*steps*pieces, hi-lo, steps, pieces)
		s.body.warm = before > steps // as it is of all streams
	}
	scored := streams * steps * pieces
	if rest := len(tokens) - scored; rest > 0 && i == n-1 {
		s.tail = newSection(m, text, before+scored, 1, rest, 1)
	}
	return s, nil
}

// bestSteps returns the number of steps of a piece, from scoreSteps/2 to scoreSteps. It
// leaves the fewest of a stream's n tokens over.
func bestSteps(n int) int {
	if n <= scoreSteps {
		return n
	}
	best := scoreSteps
	for steps := scoreSteps - 1; steps >= scoreSteps/2; steps-- {
		if n%steps < n%best {
			best = steps
		}
	}
	return best
}

// Streams returns the number of streams that are read in parallel.
func (s *Scorer) Streams() int { return s.body.streams }

// Score returns the cost of all tokens, the sum of -ln p in nats. It allocates nothing.
// It returns an error if ctx ends first, or if the model's parameters are not finite.
func (s *Scorer) Score(ctx context.Context) (nats float64, err error) {
	if s.sentences != nil {
		nats = s.sentences.score(ctx, s.Told)
	} else {
		nats = s.body.score(ctx, s.Told)
		if s.tail.ws != nil {
			nats += s.tail.score(ctx, nil)
		}
	}
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case math.IsNaN(nats) || math.IsInf(nats, 0):
		return 0, errors.New("the model's scores are not finite: its training has diverged")
	}
	return nats, nil
}

// A section is a part of the text that is scored as streams of equal length, in pieces
// of steps tokens.
type section struct {
	ws                     *rnn.Workspace
	text                   []int32
	start                  int // of the section in text; >= 1
	streams, steps, pieces int
	warm                   bool    // there is text for a warm-up piece before the first stream
	ids, targets           []int32 // [steps,streams]
}

func newSection(m *rnn.Model, text []int32, start, streams, steps, pieces int) section {
	return section{
		ws: m.NewWorkspace(steps, streams), text: text, start: start,
		streams: streams, steps: steps, pieces: pieces,
		warm:    start > steps,
		ids:     make([]int32, steps*streams),
		targets: make([]int32, steps*streams),
	}
}

// score returns the nats of the section, or of a part of it if ctx ends first. told may
// be nil.
func (s *section) score(ctx context.Context, told func(tokens int)) float64 {
	s.ws.Reset()
	if s.warm {
		s.loss(-1)
		s.ws.Carry()
	}
	var nats float64
	for piece := 0; piece < s.pieces && ctx.Err() == nil; piece++ {
		nats += s.loss(piece)
		s.ws.Carry()
		if told != nil {
			told((piece + 1) * s.steps * s.streams)
		}
	}
	return nats
}

// loss returns the nats of one piece of every stream.
func (s *section) loss(piece int) float64 {
	length := s.steps * s.pieces
	for b := range s.streams {
		from := s.start + b*length + piece*s.steps
		column(s.ids, s.text[from-1:], b, s.streams, s.steps)
		column(s.targets, s.text[from:], b, s.streams, s.steps)
	}
	s.ws.Forward(s.ids)
	return s.ws.Loss(s.targets) * float64(s.steps*s.streams)
}

// column copies steps tokens to stream b of dst, which is [steps,streams].
func column(dst, tokens []int32, b, streams, steps int) {
	for t, id := range tokens[:steps] {
		dst[t*streams+b] = id
	}
}
