package lm

// likeliest restricts what is drawn to the likeliest tokens: top-k (Fan, Lewis & Dauphin
// 2018) and top-p, nucleus sampling (Holtzman et al. 2020). The zero value keeps all.
type likeliest struct {
	k    int     // 0 for all
	p    float64 // 0 for all
	heap []int32 // [V], where k or p is set
}

// Restrict lets the sampler draw the likeliest tokens alone. It takes the probabilities
// after the temperature, of the tokens that may be drawn: without <unk>, unless Spell
// was called. The tokens stand in the order of these, equal ones by their id, the
// smaller first.
//
// The first k stay; 0 means all. Of these the first stay whose sum reaches a share p of
// the sum of all k, at least one; 1 means all. What stays is drawn in proportion
// to its probability. If all tokens stay, the text is the same as without Restrict.
func (s *Sampler) Restrict(k int, p float64) {
	s.keep = likeliest{k: k}
	if p < 1 {
		s.keep.p = p
	}
	if k > 0 || p < 1 {
		s.keep.heap = make([]int32, len(s.logits))
	}
}

// restrict sets the weights that are not kept to 0.
func (l *likeliest) restrict(weights []float64) {
	if l.heap == nil {
		return
	}
	// A heap gives the largest weights first. It is built in linear time, and a few of
	// many tokens are then cheap.
	h := l.heap[:len(weights)]
	for i := range h {
		h[i] = int32(i)
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		sink(h, i, weights)
	}
	// The tokens taken from the heap follow it, the last one first.
	left := len(h)
	nth := func(i int) int32 {
		for len(h)-left <= i {
			left--
			h[0], h[left] = h[left], h[0]
			sink(h[:left], 0, weights)
		}
		return h[len(h)-1-i]
	}
	kept, total := len(h), 0.0
	if l.k > 0 && l.k < kept {
		kept = l.k
		for i := range kept {
			total += weights[nth(i)]
		}
	} else {
		for _, w := range weights {
			total += w
		}
	}
	if l.p > 0 {
		most, sum := kept, 0.0
		for kept = 0; kept < most && sum < l.p*total; kept++ {
			sum += weights[nth(kept)]
		}
	}
	for _, i := range h[:len(h)-kept] {
		weights[i] = 0
	}
}

// sink moves h[i] down to its place in a heap of ids. The id of the largest weight is on
// top, of equal weights the smallest id.
func sink(h []int32, i int, weights []float64) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && before(h[child+1], h[child], weights) {
			child++
		}
		if !before(h[child], h[i], weights) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// before reports whether token a stands before b.
func before(a, b int32, weights []float64) bool {
	return weights[a] > weights[b] || weights[a] == weights[b] && a < b
}
