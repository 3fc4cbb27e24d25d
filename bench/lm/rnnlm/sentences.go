package rnnlm

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// sentences deals out a text of sentences. Each row of a pass begins one of them or goes
// on in one. It begins with the mark of the start and the zero state. A row whose sentence
// has ended begins the next one in the next pass: within a pass the state can't be set to
// zero.
type sentences struct {
	tokens []int32
	first  []int32 // [N+1], the place in tokens of each sentence, and of the end
	start  int32   // the mark of a sentence's start
	order  []int32 // [N], the sentences of a round
	next   int     // in order
	steps  int

	rows   []place        // [count]
	from   []int32        // [count], which row each one was in the pass before
	spare  []place        // [count]
	shards []kernels.Span // of rows, which stay in their shard; one of all rows by default

	own                   kernels.Span // the rows whose tokens are dealt out
	lengths               []int32      // [own], how much each row reads in this pass
	ids, targets          []int32      // [steps,own]
	carried, spareCarried rnn.State    // [layers,own,·] after the pass before; a buffer
	layers                int

	seed  uint64
	round int // of all sentences in another order; from 1
}

// A place is where a row stands: the token that it reads next, and the number of its
// sentence.
type place struct {
	Sentence int32 `json:"sentence"`
	At       int32 `json:"at"`
}

// newSentences deals out tokens, at least one, to at most count rows, and at most steps
// of them to a row at a time.
func newSentences(m *rnn.Model, marks text.Marks, tokens []int32, count, steps int) *sentences {
	s := &sentences{tokens: tokens, start: marks.Start, layers: m.Layers}
	for i := range tokens {
		if i == 0 || tokens[i-1] == marks.End {
			s.first = append(s.first, int32(i))
		}
	}
	n := len(s.first)
	s.first = append(s.first, int32(len(tokens)))
	longest := int32(0)
	s.order = make([]int32, n)
	for i := range s.order {
		s.order[i] = int32(i)
		longest = max(longest, s.length(int32(i)))
	}
	s.steps, count = min(steps, int(longest)), min(count, n)
	s.rows, s.spare = make([]place, count), make([]place, count)
	s.from = make([]int32, count)
	all := kernels.Span{Lo: 0, Hi: count}
	s.hold(m, []kernels.Span{all}, all)
	s.restart()
	return s
}

// hold makes rows stay in their shard, and deal fill the rows of own alone, which are
// whole shards.
func (s *sentences) hold(m *rnn.Model, shards []kernels.Span, own kernels.Span) {
	s.shards, s.own = shards, own
	s.lengths = make([]int32, own.Len())
	s.ids, s.targets = make([]int32, s.steps*own.Len()), make([]int32, s.steps*own.Len())
	s.carried, s.spareCarried = m.NewState(own.Len()), m.NewState(own.Len())
}

// length returns the number of tokens of a sentence, its end included.
func (s *sentences) length(i int32) int32 { return s.first[i+1] - s.first[i] }

// restart begins a round with no row in a sentence.
func (s *sentences) restart() {
	s.next = 0
	for b := range s.rows {
		s.rows[b] = place{At: s.first[1]} // which has ended
	}
}

// longestFirst puts sentences into the order of their length. Rows then wait least for
// others.
func (s *sentences) longestFirst() {
	slices.SortStableFunc(s.order, func(a, b int32) int { return cmp.Compare(s.length(b), s.length(a)) })
}

// shuffle begins the next round of a training, in an order that follows from the seed and
// the round.
func (s *sentences) shuffle() {
	s.round++
	s.setOrder()
	s.next = 0
}

func (s *sentences) setOrder() {
	for i := range s.order {
		s.order[i] = int32(i)
	}
	if s.round > 0 {
		rand.New(rand.NewPCG(s.seed, uint64(s.round))).Shuffle(len(s.order), func(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] })
	}
}

// deal fills ids and targets with the next piece of its rows. It sets the lengths and the
// initial states of ws, and returns how many tokens all rows have. endless begins another
// round when all sentences were dealt out; otherwise the last passes have fewer tokens,
// and then none.
func (s *sentences) deal(ws *rnn.Workspace, endless bool) (tokens int) {
	for b := range s.rows {
		if s.left(s.rows[b]) > 0 {
			continue
		}
		if endless && (s.round == 0 || s.next == len(s.order)) {
			s.shuffle()
		}
		if s.next < len(s.order) {
			i := s.order[s.next]
			s.rows[b] = place{i, s.first[i]}
			s.next++
		}
	}
	s.sort()
	for _, p := range s.rows {
		tokens += s.reads(p)
	}
	for b, p := range s.rows[s.own.Lo:s.own.Hi] {
		n := s.reads(p)
		s.lengths[b] = int32(max(n, 1))
		at := int(p.At)
		for t := range n {
			s.targets[t*s.own.Len()+b] = s.tokens[at+t]
			if t+1 < n {
				s.ids[(t+1)*s.own.Len()+b] = s.tokens[at+t]
			}
		}
		s.ids[b] = s.start
		switch {
		case n == 0: // nothing is left for this row
			s.targets[b] = rnn.Ignore
		case p.At > s.first[p.Sentence]:
			s.ids[b] = s.tokens[at-1]
		}
	}
	if tokens > 0 {
		ws.SetLengths(s.lengths)
		ws.SetState(s.carried)
	}
	return tokens
}

// left returns how many tokens a row has left of its sentence.
func (s *sentences) left(p place) int32 { return s.first[p.Sentence+1] - p.At }

// reads returns how many tokens a row has in a pass.
func (s *sentences) reads(p place) int { return min(int(s.left(p)), s.steps) }

// sort puts the rows of a shard that read most in front, which costs the network least.
// The carried states go with them. A row at the start of a sentence gets one of zeros.
func (s *sentences) sort() {
	for b := range s.from {
		s.from[b] = int32(b)
	}
	for _, shard := range s.shards {
		slices.SortStableFunc(s.from[shard.Lo:shard.Hi], func(a, b int32) int {
			return cmp.Compare(s.reads(s.rows[b]), s.reads(s.rows[a]))
		})
	}
	for b, old := range s.from {
		s.spare[b] = s.rows[old]
	}
	s.rows, s.spare = s.spare, s.rows
	s.moveStates(s.spareCarried.H, s.carried.H)
	s.moveStates(s.spareCarried.C, s.carried.C)
	s.carried, s.spareCarried = s.spareCarried, s.carried
}

// moveStates sets each row of dst, [layers,own,·], to the row of src that it goes on
// from.
func (s *sentences) moveStates(dst, src []float32) {
	width := len(src) / s.layers / s.own.Len()
	for layer := range s.layers {
		for b, old := range s.from[s.own.Lo:s.own.Hi] {
			at := layer * s.own.Len() * width
			row := dst[at+b*width:][:width]
			if p := s.rows[s.own.Lo+b]; p.At == s.first[p.Sentence] {
				clear(row)
			} else {
				copy(row, src[at+(int(old)-s.own.Lo)*width:][:width])
			}
		}
	}
}

// keep takes the states after a pass, and moves each row on by what it has read.
func (s *sentences) keep(ws *rnn.Workspace) {
	ws.State(s.carried)
	for b := range s.rows {
		s.rows[b].At += int32(s.reads(s.rows[b]))
	}
}

// sentenceRecord is where a training stands in its sentences, for a checkpoint.
type sentenceRecord struct {
	Round int     `json:"round"`
	Next  int     `json:"next"`
	Rows  []place `json:"rows"`
}

func (s *sentences) record() *sentenceRecord {
	return &sentenceRecord{Round: s.round, Next: s.next, Rows: s.rows}
}

// resume goes on from a record, or returns an error if it is impossible for this text.
// The carried states are the caller's part.
func (s *sentences) resume(r *sentenceRecord) error {
	if r == nil || r.Round < 1 || r.Next < 1 || r.Next > len(s.order) || len(r.Rows) != len(s.rows) {
		return fmt.Errorf("sentences at %+v, of %d in %d rows", r, len(s.order), len(s.rows))
	}
	for _, p := range r.Rows {
		if p.Sentence < 0 || int(p.Sentence) >= len(s.order) || p.At < s.first[p.Sentence] || p.At > s.first[p.Sentence+1] {
			return fmt.Errorf("a row at token %d of sentence %d", p.At, p.Sentence)
		}
	}
	s.round, s.next = r.Round, r.Next
	copy(s.rows, r.Rows)
	s.setOrder()
	return nil
}
