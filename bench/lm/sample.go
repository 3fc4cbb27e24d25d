package lm

import (
	"math"
	"math/rand/v2"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// A Sampler draws a text from a model, one token at a time. It draws <unk> only after
// Spell. After the end of a sentence it begins another. Drawing allocates nothing.
type Sampler struct {
	model   *Model
	seed    uint64
	sampler *rnn.Sampler
	logits  []float64  // [V] log-probabilities of the next token, up to a constant
	scores  []float32  // [V] as the network gives them, and as the sampler takes them
	pen     *spell.Pen // writes a word for <unk>; nil before Spell

	ngram *ngram.Scorer
	ws    *rnn.Workspace
	id    [1]int32
}

// NewSampler returns a sampler at the start of a text. The same seed draws the same
// text. Probabilities, of which TopK and TopP keep the largest, are those of the tokens
// that may be drawn: without <unk>, unless Spell was called. It returns an error if an
// option is out of range.
func (m *Model) NewSampler(o rnn.Sampling) (*Sampler, error) {
	s := &Sampler{model: m, seed: o.Seed, logits: make([]float64, m.Vocab.Len()), scores: make([]float32, m.Vocab.Len())}
	var e *kernels.Engine
	var err error
	if m.rnn != nil {
		s.ws, e = m.rnn.NewWorkspace(1, 1), m.rnn.Engine()
	} else {
		s.ngram = m.ngram.NewScorer()
		if e, err = kernels.New("generic", 1); err != nil { // an n-gram model has no engine of its own
			return nil, err
		}
	}
	if s.sampler, err = rnn.NewSampler(e, o); err != nil {
		return nil, err
	}
	s.begin()
	return s, nil
}

// begin starts a text, or a sentence.
func (s *Sampler) begin() {
	if s.ngram != nil {
		s.model.begin(s.ngram)
		return
	}
	s.ws.Reset()
	s.id[0] = s.model.start()
	s.ws.Forward(s.id[:])
}

// Spell lets the sampler draw <unk>. [Sampler.AppendText] then writes a word outside
// the vocabulary for it, drawn at a temperature of 1. The model must have a speller of
// words.
func (s *Sampler) Spell() {
	s.pen = s.model.Speller.NewPen(rand.New(rand.NewPCG(s.seed, 2))) // a random stream of its own, beside the sampler's
}

// Feed appends a token to the text.
func (s *Sampler) Feed(id int32) {
	if s.model.ends(id) {
		s.begin()
		return
	}
	if s.ngram != nil {
		s.ngram.Score(id)
		return
	}
	s.ws.Carry() // the state after the token before
	s.id[0] = id
	s.ws.Forward(s.id[:])
}

// Next draws a token and appends it to the text. It returns an error if the model's
// parameters are not finite.
func (s *Sampler) Next() (int32, error) {
	s.predict()
	for i, v := range s.logits {
		s.scores[i] = float32(v)
	}
	if s.model.level == text.Sentence {
		s.scores[s.model.marks.Start] = float32(math.Inf(-1)) // it is never predicted
	}
	first := text.Unk + 1
	if s.pen != nil || len(s.logits) == 1 { // with <unk> alone in the vocabulary there is no other token
		first = text.Unk
	}
	id, err := s.sampler.Draw(s.scores[first:])
	if err != nil {
		return 0, errNotFinite
	}
	id += first
	s.Feed(id)
	return id, nil
}

// predict sets logits to those of the next token.
func (s *Sampler) predict() {
	if s.ngram != nil {
		for w := range s.logits {
			fork := *s.ngram
			s.logits[w] = -fork.Score(int32(w))
		}
		return
	}
	s.ws.Logits(s.scores, 0)
	for w, v := range s.scores {
		s.logits[w] = float64(v)
	}
}

// AppendText appends a drawn token to dst as [Model.AppendText] does, <unk> as a word
// if Spell was called.
func (s *Sampler) AppendText(dst []byte, id int32) []byte {
	if s.pen == nil || id != text.Unk {
		return s.model.AppendText(dst, id)
	}
	return s.pen.Append(s.model.appendSpace(dst))
}
