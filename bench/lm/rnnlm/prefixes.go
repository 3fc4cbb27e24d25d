package rnnlm

import (
	"slices"

	"batchrnn/rnn"
)

// Sizes of a PrefixScorer.
const (
	// prefixRows is the most rows of a pass, and the number of texts that are taken at a
	// time.
	prefixRows = 256
	// outputRows is how many states the output layer waits for. A level of few prefixes
	// alone would read all of Wy for a few rows.
	outputRows = 256
)

// A PrefixScorer computes the costs of the tokens of several short texts together. The
// texts form a trie of prefixes. Each prefix is one row of one pass, and its distribution
// is computed once, whatever the number of texts and of continuations. Costs have the bits
// that they have in any other pass of the network.
//
// The recurrent layers take one step for each level of the trie. The states of several
// levels share a pass of the output layer. The texts are sorted and taken 256 at a time, so
// the memory doesn't grow with the number of texts, except for 8 bytes each. Only a path
// that two such parts share is computed twice.
//
// A PrefixScorer allocates only while the number of texts grows. One goroutine may use it
// at a time.
type PrefixScorer struct {
	ws    *rnn.Workspace // [1,prefixRows]
	start int32
	width int // of a state

	tokens []int32 // of the texts in the current call
	ends   []int
	losses []float32

	order []int // the texts, sorted

	// The nodes of a level: prefixes, each of some texts that go on.
	nodes, next []prefix
	ids         []int32 // [prefixRows], the last token of each node
	from        []int32 // [prefixRows], the row of its parent
	steps       []int32 // [prefixRows], 1 for each node, then 0

	// What waits for the output layer.
	states      []float32 // [rows,W]
	targetEnds  []int     // [rows]
	targets     []int32
	costs       []float32
	targetTexts []prefix // the texts that each target is in, and where
}

// A prefix is a sequence of n tokens with which order[lo:hi] begin.
type prefix struct{ lo, hi, n int }

// NewPrefixScorer returns a PrefixScorer of texts after the token start and from the zero
// state.
func NewPrefixScorer(m *rnn.Model, start int32) *PrefixScorer {
	ws := m.NewWorkspace(1, prefixRows)
	ws.Forward(make([]int32, prefixRows))
	width := len(ws.States()) / prefixRows
	return &PrefixScorer{
		ws: ws, start: start, width: width,
		ids: make([]int32, prefixRows), from: make([]int32, prefixRows), steps: make([]int32, prefixRows),
		states: make([]float32, 0, (outputRows+prefixRows)*width),
	}
}

// Losses sets losses to the cost of each of tokens in nats. Text i is tokens[ends[i-1]:
// ends[i]], the first from 0 on. A text may be empty, and may come several times. It panics
// if losses and tokens differ in length, or a token is outside the vocabulary.
func (s *PrefixScorer) Losses(losses []float32, tokens []int32, ends []int) {
	if len(losses) != len(tokens) {
		panic("rnnlm: Losses: losses and tokens differ in length")
	}
	s.tokens, s.ends, s.losses = tokens, ends, losses
	s.sort()
	for lo := 0; lo < len(s.order); lo += prefixRows {
		s.walk(lo, min(lo+prefixRows, len(s.order)))
	}
	s.output()
	s.tokens, s.ends, s.losses = nil, nil, nil
}

// text returns where text i begins, and its tokens.
func (s *PrefixScorer) text(i int) (at int, tokens []int32) {
	if i > 0 {
		at = s.ends[i-1]
	}
	return at, s.tokens[at:s.ends[i]]
}

// sort sets order. Texts with a common prefix follow each other, shorter ones first.
func (s *PrefixScorer) sort() {
	s.order = s.order[:0]
	for i := range s.ends {
		s.order = append(s.order, i)
	}
	slices.SortFunc(s.order, func(a, b int) int {
		_, x := s.text(a)
		_, y := s.text(b)
		return slices.Compare(x, y)
	})
}

// walk takes the texts order[lo:hi], level by level.
func (s *PrefixScorer) walk(lo, hi int) {
	s.nodes = s.nodes[:0]
	if root, ok := s.goesOn(prefix{lo, hi, 0}); ok {
		s.nodes = append(s.nodes, root)
	}
	s.ws.Resize(1, hi-lo)
	rows := func(all []int32) []int32 { return all[:hi-lo] }
	for i := range s.nodes {
		s.ids[i] = s.start
	}
	for len(s.nodes) > 0 {
		for i := range rows(s.steps) {
			s.steps[i] = 0
			if i < len(s.nodes) {
				s.steps[i] = 1
			}
		}
		s.ws.SetLengths(rows(s.steps))
		s.ws.Forward(rows(s.ids))
		s.states = append(s.states, s.ws.States()[:len(s.nodes)*s.width]...)
		s.next = s.next[:0]
		for row, node := range s.nodes {
			s.children(row, node)
		}
		s.nodes, s.next = s.next, s.nodes
		if len(s.states) >= outputRows*s.width {
			s.output()
		}
		for i := len(s.nodes); i < hi-lo; i++ {
			s.from[i] = 0
		}
		s.ws.CarryRows(rows(s.from))
	}
}

// goesOn returns p without the texts that end there. ok is false if none goes on.
func (s *PrefixScorer) goesOn(p prefix) (_ prefix, ok bool) {
	for p.lo < p.hi {
		if _, tokens := s.text(s.order[p.lo]); len(tokens) > p.n {
			return p, true
		}
		p.lo++
	}
	return p, false
}

// children makes a target of each token that follows a node in one of its texts, and a node
// of the next level of each that is not the last of all its texts.
func (s *PrefixScorer) children(row int, node prefix) {
	for lo := node.lo; lo < node.hi; {
		_, first := s.text(s.order[lo])
		token, hi := first[node.n], lo+1
		for ; hi < node.hi; hi++ {
			if _, tokens := s.text(s.order[hi]); tokens[node.n] != token {
				break
			}
		}
		child := prefix{lo, hi, node.n + 1}
		s.targets = append(s.targets, token)
		s.targetTexts = append(s.targetTexts, child)
		if child, ok := s.goesOn(child); ok {
			s.ids[len(s.next)], s.from[len(s.next)] = token, int32(row)
			s.next = append(s.next, child)
		}
		lo = hi
	}
	s.targetEnds = append(s.targetEnds, len(s.targets))
}

// output runs the output layer on the states that wait for it.
func (s *PrefixScorer) output() {
	s.costs = slices.Grow(s.costs[:0], len(s.targets))[:len(s.targets)]
	s.ws.LossesAfter(s.costs, s.states, s.targetEnds, s.targets)
	for i, p := range s.targetTexts {
		for _, text := range s.order[p.lo:p.hi] {
			at, _ := s.text(text)
			s.losses[at+p.n-1] = s.costs[i]
		}
	}
	s.states, s.targetEnds, s.targets, s.targetTexts = s.states[:0], s.targetEnds[:0], s.targets[:0], s.targetTexts[:0]
}
