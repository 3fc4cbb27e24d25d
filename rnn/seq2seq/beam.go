package seq2seq

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// A Search finds the targets that an encoder-decoder gives to sources. It takes the
// likeliest id at each step, or keeps a beam of the likeliest K hypotheses. The
// hypotheses of a beam run through the decoder together.
//
// A hypothesis that ends keeps its place in the beam until the search is over. So a
// beam of one is the greedy search (Sutskever, Vinyals & Le 2014). Between equally
// likely hypotheses, the one with the better parent comes first, then the one with the
// lower id.
//
// A source has the same result in any batch. Steady-state calls allocate nothing.
// NewSearch allocates, and so does the first use of lengths. Only one goroutine at a
// time may use a Search.
type Search struct {
	// LengthPenalty is the α in the score by which hypotheses of different lengths
	// compare:
	//
	//	score = log p(y) / |y|^α      |y| counting End
	//
	// It starts at 1: the score is the mean over the ids. With 0 the score is log p
	// itself, which favours short hypotheses. It may be changed between calls.
	LengthPenalty float64

	joint
	steps, beam int

	read    []int32   // [B,K], what each row has written and reads next
	parents []int32   // [B,K], the row that each row continues
	logits  []float32 // [B,K,V]
	scratch []float32 // [V]
	// The live hypotheses: the ids of each step, and the rows that they continue.
	ids, from []int32   // [T,B,K]
	live      []int     // [B], the number of live rows: the first rows of each source
	logp      []float64 // [B,K]
	best      []candidate

	found  [][]found // [B][≤K], the complete hypotheses in the order in which they ended
	result [][]Hypothesis
	text   []int32 // [B,K,T], the ids of the result
}

// A Hypothesis is a result of a search.
type Hypothesis struct {
	IDs   []int32 // without End; a view, valid until the next search
	Score float64 // see Search.LengthPenalty; NaN if an output of the model was NaN
	Ended bool    // false if it was cut off after the last step
}

// found is a complete hypothesis of the given number of steps. Its last id is in row.
type found struct {
	steps, row int
	logp       float64
	ended      bool
}

// A candidate is a hypothesis and an id that follows it.
type candidate struct {
	row  int
	id   int32
	logp float64
}

// NewSearch returns a search over batch sources. Sources have at most source steps, and
// targets at most target steps, End included. The beam holds beam hypotheses of each
// source; 1 is greedy.
func (p *EncoderDecoder) NewSearch(source, target, batch, beam int) *Search {
	checkBeam(target, batch, beam)
	rows, v := batch*beam, p.Decoder.Output
	s := &Search{
		LengthPenalty: 1,
		joint:         p.join(p.Encoder.NewWorkspace(source, batch), p.Decoder.NewWorkspace(1, rows), beam),
		steps:         target,
		beam:          beam,

		read:    make([]int32, rows),
		parents: make([]int32, rows),
		logits:  make([]float32, rows*v),
		scratch: make([]float32, v),
		ids:     make([]int32, target*rows),
		from:    make([]int32, target*rows),
		live:    make([]int, batch),
		logp:    make([]float64, rows),
		best:    make([]candidate, 0, beam),
		text:    make([]int32, target*rows),
	}
	for range batch {
		s.found = append(s.found, make([]found, 0, beam))
		s.result = append(s.result, make([]Hypothesis, 0, beam))
	}
	return s
}

// maxIDs bounds the number of ids of a search.
const maxIDs = 1 << 36

func checkBeam(target, batch, beam int) {
	switch {
	case target < 1 || batch < 1 || beam < 1:
		panic(fmt.Sprintf("seq2seq: NewSearch: targets of %d steps, a batch of %d and a beam of %d: all must be at least 1", target, batch, beam))
	case int64(beam) > maxIDs/int64(batch) || int64(target) > maxIDs/int64(batch)/int64(beam):
		panic(fmt.Sprintf("seq2seq: NewSearch: targets of %d steps, a batch of %d and a beam of %d are more than the %d ids that are supported",
			target, batch, beam, int64(maxIDs)))
	}
}

// SetLengths sets how many steps each source has, like [rnn.Workspace.SetLengths].
func (s *Search) SetLengths(source []int32) { s.encoder.SetLengths(source) }

// Decode searches for the targets of sources, ids [S,B]. Each source has up to K
// results, in falling order of their scores; the first is the answer. Results are
// views, valid until the next call. It panics if [rnn.Workspace.Forward] would.
//
// If an output of the model is NaN for a source, the source has one result, with score
// NaN.
func (s *Search) Decode(source []int32) [][]Hypothesis {
	s.encoder.Forward(source)
	return s.search()
}

// DecodeDense is Decode for an encoder with a dense input, [S,B,E].
func (s *Search) DecodeDense(source []float32) [][]Hypothesis {
	s.encoder.ForwardDense(source)
	return s.search()
}

func (s *Search) search() [][]Hypothesis {
	if math.IsNaN(s.LengthPenalty) || math.IsInf(s.LengthPenalty, 0) {
		panic(fmt.Sprintf("seq2seq: Search: LengthPenalty is %v, want a number", s.LengthPenalty))
	}
	s.start()
	for row := range s.read {
		s.read[row], s.logp[row] = s.pair.End, 0
	}
	for b := range s.live {
		s.live[b], s.found[b] = 1, s.found[b][:0]
	}
	for t := 0; t < s.steps; t++ {
		s.decoder.Forward(s.read)
		s.logProbs()
		working := 0
		for b := range s.live {
			s.step(t, b)
			working += s.live[b]
		}
		if working == 0 {
			break
		}
		s.decoder.CarryRows(s.parents)
	}
	for b := range s.live {
		s.finish(b)
	}
	return s.result
}

// logProbs leaves the log-probabilities of the decoder's outputs in logits.
func (s *Search) logProbs() {
	s.decoder.Logits(s.logits, 0)
	if m := s.pair.Decoder; len(m.Cutoffs) == 0 { // an adaptive softmax already gives log-probabilities
		m.Engine().LogSoftmax(s.decoder.B, m.Output, s.logits, m.Output, s.scratch)
	}
}

// step chooses the hypotheses of source b after step t.
func (s *Search) step(t, b int) {
	first, rows := b*s.beam, len(s.read)
	ids, from := s.ids[t*rows:][:rows], s.from[t*rows:][:rows]
	// Rows without a live hypothesis run along.
	for row := first; row < first+s.beam; row++ {
		s.parents[row], s.read[row] = int32(row), s.pair.End
	}
	if s.live[b] == 0 {
		return
	}
	if !s.choose(b) {
		s.live[b] = 0
		s.found[b] = append(s.found[b][:0], found{logp: math.NaN()})
		return
	}
	n := 0
	for _, c := range s.best {
		if c.id == s.pair.End {
			s.found[b] = append(s.found[b], found{t, c.row, c.logp, true})
			continue
		}
		row := first + n
		ids[row], from[row] = c.id, int32(c.row)
		s.read[row], s.parents[row], s.logp[row] = c.id, int32(c.row), c.logp
		n++
	}
	if s.live[b] = n; t < s.steps-1 {
		return
	}
	for row := first; row < first+n; row++ {
		s.found[b] = append(s.found[b], found{t + 1, row, s.logp[row], false})
	}
}

// choose sets best to the likeliest candidates of source b for the free places in its
// beam, the best first. It returns false if an output is NaN.
func (s *Search) choose(b int) bool {
	v, free := s.pair.Decoder.Output, s.beam-len(s.found[b])
	best := s.best[:0]
	for row := b * s.beam; row < b*s.beam+s.live[b]; row++ {
		for id, x := range s.logits[row*v:][:v] {
			logp := s.logp[row] + float64(x)
			switch {
			case math.IsNaN(logp):
				return false
			case math.IsInf(logp, -1): // neither this candidate nor its continuations are possible
				continue
			case len(best) == free:
				if !(logp > best[free-1].logp) {
					continue
				}
				best = best[:free-1]
			}
			at := len(best)
			for at > 0 && logp > best[at-1].logp {
				at--
			}
			best = slices.Insert(best, at, candidate{row, int32(id), logp})
		}
	}
	s.best = best
	return true
}

// finish writes the results of source b, the best first.
func (s *Search) finish(b int) {
	rows := len(s.read)
	result := s.result[b][:0]
	for i, f := range s.found[b] {
		text := s.text[(b*s.beam+i)*s.steps:][:f.steps:f.steps]
		row := f.row
		for t := f.steps - 1; t >= 0; t-- {
			text[t] = s.ids[t*rows+row]
			row = int(s.from[t*rows+row])
		}
		length := f.steps
		if f.ended {
			length++
		}
		h := Hypothesis{text, f.logp / math.Pow(float64(length), s.LengthPenalty), f.ended}
		at := sort.Search(len(result), func(j int) bool { return result[j].Score < h.Score })
		result = slices.Insert(result, at, h)
	}
	s.result[b] = result
}
