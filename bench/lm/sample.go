package lm

import (
	"math"
	"math/rand/v2"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

// A Sampler draws a text from a model, one token at a time. It draws <unk> only after
// Spell. After the end of a sentence it begins another. Drawing allocates nothing.
type Sampler struct {
	model       *Model
	temperature float64
	seed        uint64
	rng         *rand.Rand
	logits      []float64  // [V] log-probabilities of the next token, up to a constant
	pen         *spell.Pen // writes a word for <unk>; nil before Spell
	keep        likeliest  // which tokens may be drawn

	ngram  *ngram.Scorer
	ws     *rnn.Workspace
	id     [1]int32
	scores []float32 // [V] as the network gives them
}

// coldest is the least temperature. Log-probabilities divided by it are still far from
// overflow, and any colder temperature also draws only the likeliest token.
const coldest = 1e-20

// NewSampler returns a sampler at the start of a text. The same seed draws the same
// text. A temperature of 1 draws from the model's own distribution. A lower one favours
// likely tokens, and 0 takes the likeliest.
func (m *Model) NewSampler(seed uint64, temperature float64) *Sampler {
	s := &Sampler{
		model:       m,
		temperature: temperature,
		seed:        seed,
		rng:         rand.New(rand.NewPCG(seed, 1)),
		logits:      make([]float64, m.Vocab.Len()),
	}
	if m.rnn != nil {
		s.ws, s.scores = m.rnn.NewWorkspace(1, 1), make([]float32, m.Vocab.Len())
	} else {
		s.ngram = m.ngram.NewScorer()
	}
	s.begin()
	return s
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
	if s.model.level == text.Sentence {
		s.logits[s.model.marks.Start] = math.Inf(-1) // it is never predicted
	}
	first := text.Unk + 1
	if s.pen != nil || len(s.logits) == 1 { // with <unk> alone in the vocabulary there is no other token
		first = text.Unk
	}
	id, ok := draw(s.logits, int(first), s.temperature, &s.keep, s.rng)
	if !ok {
		return 0, errNotFinite
	}
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

// draw picks a token from softmax(logits/temperature) over the ids from first on, of
// those that keep leaves. It overwrites logits. ok is false if a logit is NaN or the
// largest is infinite.
func draw(logits []float64, first int, temperature float64, keep *likeliest, rng *rand.Rand) (id int32, ok bool) {
	best := first
	for i := first; i < len(logits); i++ {
		if math.IsNaN(logits[i]) {
			return 0, false
		}
		if logits[i] > logits[best] {
			best = i
		}
	}
	if math.IsInf(logits[best], 0) {
		return 0, false
	}
	if temperature < coldest {
		return int32(best), true
	}
	top, weights := logits[best], logits[first:]
	for i, v := range weights {
		weights[i] = math.Exp((v - top) / temperature)
	}
	keep.restrict(weights)
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	if i, ok := spell.Pick(rng, weights, sum); ok {
		return int32(first + i), true
	}
	return int32(best), true
}
