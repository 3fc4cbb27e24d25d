package rnn

import "math"

// A naivePair is an encoder-decoder of naive networks, one source at a time: what
// the batched one is held to.
type naivePair struct {
	encoder, decoder *naive
	end              int32
}

func newNaivePair(p *EncoderDecoder) *naivePair {
	return &naivePair{newNaive(p.Encoder), newNaive(p.Decoder), p.End}
}

// start returns the states that the decoder begins with after a source.
func (p *naivePair) start(source []int32) []float64 {
	e := p.encoder
	in := naiveInput{batch: batch{ids: source}, steps: len(source), rows: 1, h0: make([]float64, len(e.cells)*e.Hidden)}
	return e.states(in).last // of one row, a layer's directions are side by side
}

// logProbs returns the log-probabilities of what may follow prefix.
func (p *naivePair) logProbs(start []float64, prefix []int32) []float64 {
	read := append([]int32{p.end}, prefix...)
	out := p.decoder.states(naiveInput{batch: batch{ids: read}, steps: len(read), rows: 1, h0: start}).out
	return logSoftmax(p.decoder.logits(out[len(prefix)*p.decoder.Hidden:]))
}

// loss returns the mean cross-entropy of the targets that count.
func (p *naivePair) loss(pairs []naiveExample) float64 {
	var sum, n float64
	for _, x := range pairs {
		start := p.start(x.source)
		for t, id := range x.target {
			if id != Ignore {
				sum -= p.logProbs(start, x.target[:t])[id]
				n++
			}
		}
	}
	return sum / n
}

// A naiveExample is a source and its target.
type naiveExample struct{ source, target []int32 }

// A naiveHypothesis is a target or the beginning of one.
type naiveHypothesis struct {
	ids   []int32
	logp  float64
	ended bool
}

// after returns h with an id more.
func (p *naivePair) after(h naiveHypothesis, id int32, logp float64) naiveHypothesis {
	if id == p.end {
		return naiveHypothesis{h.ids, h.logp + logp, true}
	}
	return naiveHypothesis{append(append([]int32(nil), h.ids...), id), h.logp + logp, false}
}

func (h naiveHypothesis) score(alpha float64) float64 {
	n := len(h.ids)
	if h.ended {
		n++
	}
	return h.logp / math.Pow(float64(n), alpha)
}

// all returns every target of at most so many steps that begins with h.
func (p *naivePair) all(start []float64, steps int, h naiveHypothesis) []naiveHypothesis {
	if h.ended || len(h.ids) == steps {
		return []naiveHypothesis{h}
	}
	var found []naiveHypothesis
	for id, logp := range p.logProbs(start, h.ids) {
		found = append(found, p.all(start, steps, p.after(h, int32(id), logp))...)
	}
	return found
}
