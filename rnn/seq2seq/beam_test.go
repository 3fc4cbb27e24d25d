package seq2seq

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// sharpen makes a model's outputs far from even, so that nothing hangs on the last
// bits.
func sharpen(m *rnn.Model) {
	for i := range m.Wy {
		m.Wy[i] *= 4
	}
	m.Update()
}

// searched returns copies of what a search finds.
func searched(s *Search, source, lens []int32) [][]Hypothesis {
	s.SetLengths(lens)
	var found [][]Hypothesis
	for _, hs := range s.Decode(source) {
		hs = slices.Clone(hs)
		for i := range hs {
			hs[i].IDs = slices.Clone(hs[i].IDs)
		}
		found = append(found, hs)
	}
	return found
}

// TestSearchExhaustive: a beam with room for every hypothesis finds them all, in the
// order of their scores.
func TestSearchExhaustive(t *testing.T) {
	const steps = 3
	for _, j := range []pairJob{pairJobs[0], pairJobs[3], pairJobs[4], pairJobs[7], pairJobs[10]} {
		eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
			p := j.pair(t, e)
			source, _ := j.data(4)
			n, rows := newNaivePair(p), j.examples(source, make([]int32, j.target*j.batch))
			v := p.Decoder.Output
			s := p.NewSearch(j.source, steps, j.batch, v*v*v)
			for _, alpha := range []float64{0, 0.6, 1} {
				s.LengthPenalty = alpha
				found := searched(s, source, j.sourceLens)
				for b, row := range rows {
					want := n.all(n.start(row.source), steps, naiveHypothesis{})
					slices.SortStableFunc(want, func(x, y naiveHypothesis) int {
						return cmp.Compare(y.score(alpha), x.score(alpha))
					})
					sameHypotheses(t, fmt.Sprintf("%s, α %v, row %d", j.name, alpha, b), found[b], want, alpha)
				}
			}
		})
	}
}

// sameHypotheses holds what was found to what should be, those with nearly the same
// score in any order.
func sameHypotheses(t *testing.T, name string, got []Hypothesis, want []naiveHypothesis, alpha float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d hypotheses, want %d", name, len(got), len(want))
	}
	for i, h := range got {
		if !(math.Abs(h.Score-want[i].score(alpha)) <= 1e-4) {
			t.Errorf("%s: score %d is %v, want %v", name, i, h.Score, want[i].score(alpha))
		}
		if !slices.ContainsFunc(want, func(w naiveHypothesis) bool {
			return slices.Equal(w.ids, h.IDs) && w.ended == h.Ended && math.Abs(w.score(alpha)-h.Score) < 1e-4
		}) {
			t.Errorf("%s: %+v is no hypothesis, or has another score", name, h)
		}
	}
}

// beam is the search by the words of its definition.
func (p *naivePair) beam(source []int32, steps, k int, alpha float64) []naiveHypothesis {
	start := p.start(source)
	live, ended := []naiveHypothesis{{}}, []naiveHypothesis(nil)
	for range steps {
		var next []naiveHypothesis
		for _, h := range live {
			for id, logp := range p.logProbs(start, h.ids) {
				next = append(next, p.after(h, int32(id), logp))
			}
		}
		slices.SortStableFunc(next, func(x, y naiveHypothesis) int { return cmp.Compare(y.logp, x.logp) })
		live = nil
		for _, h := range next[:min(len(next), k-len(ended))] {
			if h.ended {
				ended = append(ended, h)
			} else {
				live = append(live, h)
			}
		}
	}
	found := append(ended, live...)
	slices.SortStableFunc(found, func(x, y naiveHypothesis) int { return cmp.Compare(y.score(alpha), x.score(alpha)) })
	return found
}

// TestSearchBeam holds narrow beams to a naive one; that of one to the likeliest id
// at each step.
func TestSearchBeam(t *testing.T) {
	const steps = 6
	ends := 0
	for _, j := range pairJobs {
		p := j.pair(t, newEngine(t, "", 1))
		sharpen(p.Decoder)
		source, _ := j.data(6)
		n, rows := newNaivePair(p), j.examples(source, make([]int32, j.target*j.batch))
		for _, k := range []int{1, 2, 3, 5} {
			s := p.NewSearch(j.source, steps, j.batch, k)
			found := searched(s, source, j.sourceLens)
			for b, row := range rows {
				name := fmt.Sprintf("%s, beam %d, row %d", j.name, k, b)
				sameHypotheses(t, name, found[b], n.beam(row.source, steps, k, 1), 1)
				if k > 1 {
					continue
				}
				greedy, start := naiveHypothesis{}, n.start(row.source)
				for !greedy.ended && len(greedy.ids) < steps {
					logp := n.logProbs(start, greedy.ids)
					id := slices.Index(logp, slices.Max(logp))
					greedy = n.after(greedy, int32(id), logp[id])
				}
				sameHypotheses(t, name, found[b], []naiveHypothesis{greedy}, 1)
				if greedy.ended {
					ends++
				}
			}
		}
	}
	if ends == 0 {
		t.Error("no greedy search has come to an end")
	}
}

// TestSearchSameBits: a source has the same results, scores and all, whatever the
// batch around it, for any number of threads and from every SIMD set.
func TestSearchSameBits(t *testing.T) {
	for _, cell := range []rnn.CellKind{rnn.Vanilla, rnn.LSTM, rnn.GRU} {
		t.Run(cell.String(), func(t *testing.T) { checkSearchSameBits(t, cell) })
	}
}

func checkSearchSameBits(t *testing.T, cell rnn.CellKind) {
	j := pairJob{
		"", rnn.Config{Input: 9, Cell: cell, Layers: 2, Hidden: 71, Bidirectional: true}, rnn.Config{Input: 8, Cell: cell, Layers: 2, Hidden: 142, Output: 8},
		29, 7, 33, make([]int32, 33), nil, // enough for two workers in each step of the decoder
	}
	r := newRand(5)
	for b := range j.sourceLens {
		j.sourceLens[b] = 1 + r.Int32N(29)
	}
	source, _ := j.data(1)
	var simd [][]Hypothesis
	for _, isa := range isas() {
		var want [][]Hypothesis
		for threads := 1; threads <= 2; threads++ {
			e := newEngine(t, isa, threads)
			p := j.pair(t, e)
			s := p.NewSearch(j.source, j.target, j.batch, 3)
			several := 1 // the largest team that a phase asks for
			s.SetLengths(j.sourceLens)
			s.encoder.Forward(source)
			kernels.ForceTeams(e, func(most int) int { several = max(several, most); return most })
			s.search()
			if several != threads {
				t.Errorf("regions of at most %d workers in the decoder, want %d", several, threads)
			}
			got := searched(s, source, j.sourceLens)
			if want == nil {
				want = got
			}
			name := fmt.Sprintf("isa=%s/threads=%d", isa, threads)
			sameResults(t, name, got, want)
			alone := p.NewSearch(j.source, j.target, 1, 3)
			for b := 0; b < j.batch; b += 5 {
				row := cut(source, j.batch, 1, span{0, j.source}, span{b, b + 1})
				sameResults(t, fmt.Sprintf("%s, row %d alone", name, b), searched(alone, row, j.sourceLens[b:b+1]), want[b:b+1])
			}
		}
		if isa != "generic" {
			if simd != nil {
				sameResults(t, isa, want, simd)
			}
			simd = want
		}
	}
}

func sameResults(t *testing.T, name string, got, want [][]Hypothesis) {
	t.Helper()
	for b := range want {
		if !slices.EqualFunc(got[b], want[b], func(x, y Hypothesis) bool {
			return slices.Equal(x.IDs, y.IDs) && math.Float64bits(x.Score) == math.Float64bits(y.Score) && x.Ended == y.Ended
		}) {
			t.Errorf("%s: result %d is %v, want %v", name, b, got[b], want[b])
		}
	}
}

// TestSearchTies: of hypotheses alike, lower ids come first.
func TestSearchTies(t *testing.T) {
	j := pairJobs[0]
	p := j.pair(t, newEngine(t, "", 1))
	clear(p.Decoder.Slab)
	p.Decoder.Update()
	p.End = 3
	source, _ := j.data(1)
	for b, found := range searched(p.NewSearch(j.source, 2, j.batch, 3), source, nil) {
		var ids [][]int32
		for _, h := range found {
			ids = append(ids, h.IDs)
		}
		if fmt.Sprint(ids) != "[[0 0] [0 1] [0 2]]" {
			t.Errorf("row %d: %v", b, ids)
		}
	}
}

// TestSearchNaN: a source whose outputs are NaN has a result that says so, and the
// others theirs.
func TestSearchNaN(t *testing.T) {
	j := pairJobs[0]
	j.encoder.Dense = true
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		p := j.pair(t, e)
		x := randomFloats(newRand(1), j.source*j.batch*j.encoder.Input)
		s := p.NewSearch(j.source, 5, j.batch, 2)
		want := slices.Clone(s.DecodeDense(x)[2])
		for i := range want {
			want[i].IDs = slices.Clone(want[i].IDs)
		}
		x[1*j.encoder.Input] = float32(math.NaN()) // of row 1
		found := s.DecodeDense(x)
		if h := found[1]; len(h) != 1 || !math.IsNaN(h[0].Score) || len(h[0].IDs) != 0 || h[0].Ended {
			t.Errorf("row 1: %v", h)
		}
		sameResults(t, "row 2", found[2:], [][]Hypothesis{want})
	})
}

// TestSearchCompact: models that only score are searched with as ever.
func TestSearchCompact(t *testing.T) {
	for _, j := range []pairJob{pairJobs[2], pairJobs[7], pairJobs[8]} {
		p := j.pair(t, newEngine(t, "", 1))
		source, _ := j.data(1)
		want := searched(p.NewSearch(j.source, 5, j.batch, 2), source, j.sourceLens)
		p.Encoder.Compact()
		p.Decoder.Compact()
		sameResults(t, j.name+", compact", searched(p.NewSearch(j.source, 5, j.batch, 2), source, j.sourceLens), want)
	}
}
