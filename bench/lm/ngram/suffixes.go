package ngram

import (
	"cmp"
	"fmt"
	"slices"
)

// A gram is the words of an n-gram, oldest first, padded with zeros.
type gram [MaxOrder]int32

// addSuffixes lists the missing suffixes: n-grams without their first word. Programs
// that prune or mix models leave them out. The stores find an n-gram by its suffix. An
// added n-gram has the probability that backing off gave before, and a back-off of 0,
// so no score changes. Every prefix of a listed n-gram must be listed.
func (e *Estimates) addSuffixes(words []string) error {
	missing := e.missingSuffixes()
	places := identity(e.Vocab) // new place in the order below, by the old one
	for n := 2; n <= len(e.Orders); n++ {
		var err error
		if places, err = e.insert(n, missing[n], places, words); err != nil {
			return err
		}
	}
	return nil
}

// missingSuffixes returns the unlisted suffixes of listed n-grams, by order. The
// prefixes of these are listed or missing, too.
func (e *Estimates) missingSuffixes() [MaxOrder + 1][]gram {
	var missing [MaxOrder + 1][]gram
	children := make([][]uint32, len(e.Orders)+1)
	for n := 2; n <= len(e.Orders); n++ {
		children[n] = e.childrenOf(n)
	}
	listed := func(g gram, n int) bool {
		place := uint32(g[0])
		for k := 2; k <= n; k++ {
			var ok bool
			if place, ok = e.Orders[k-1].find(children[k], place, g[k-1]); !ok {
				return false
			}
		}
		return true
	}
	for n := len(e.Orders); n > 2; n-- {
		look := func(g gram) {
			copy(g[:], g[1:n])
			g[n-1] = 0
			if !listed(g, n-1) {
				missing[n-1] = append(missing[n-1], g)
			}
		}
		for i := range e.Orders[n-1].Len() {
			look(e.words(n, uint32(i)))
		}
		for _, g := range missing[n] {
			look(g)
		}
		slices.SortFunc(missing[n-1], func(a, b gram) int { return slices.Compare(a[:], b[:]) })
		missing[n-1] = slices.Compact(missing[n-1])
	}
	return missing
}

// insert adds n-grams, which ascend, to order n. places[p] is the new place of prefix
// p. It returns the new places of the order's own n-grams.
func (e *Estimates) insert(n int, added []gram, places []uint32, words []string) (moved []uint32, err error) {
	old, below := e.Orders[n-1], &e.Orders[n-2]
	size := old.Len() + len(added)
	if len(added) == 0 {
		for i, p := range old.Prefix {
			old.Prefix[i] = places[p]
		}
		return identity(size), nil
	}
	children := make([][]uint32, n)
	for k := 2; k < n; k++ {
		children[k] = e.childrenOf(k)
	}
	// place finds an n-gram in a finished order.
	place := func(g []int32) uint32 {
		at := uint32(g[0])
		for k := 2; k <= len(g); k++ {
			at, _ = e.Orders[k-1].find(children[k], at, g[k-1])
		}
		return at
	}
	o := Order{
		Prefix: make([]uint32, 0, size), Word: make([]int32, 0, size),
		Prob: make([]float32, 0, size), Backoff: make([]float32, 0, size),
	}
	add := func(prefix uint32, w int32, prob, backoff float32) {
		o.Prefix, o.Word = append(o.Prefix, prefix), append(o.Word, w)
		o.Prob, o.Backoff = append(o.Prob, prob), append(o.Backoff, backoff)
	}
	addMissing := func(g gram, prefix uint32) error {
		prob := below.Backoff[prefix] + below.Prob[place(g[1:n])]
		if !isLogProb(prob) {
			return fmt.Errorf("%s is not listed, and backing off to it gives 10^%v, which is no probability",
				quote(e.gram(n-1, int(prefix), words)+" "+words[g[n-1]]), prob)
		}
		add(prefix, g[n-1], prob, 0)
		return nil
	}
	moved = make([]uint32, old.Len())
	for i, w := range old.Word {
		prefix := places[old.Prefix[i]]
		for len(added) > 0 {
			p, g := place(added[0][:n-1]), added[0]
			if cmp.Or(cmp.Compare(p, prefix), cmp.Compare(g[n-1], w)) > 0 {
				break
			}
			if err := addMissing(g, p); err != nil {
				return nil, err
			}
			added = added[1:]
		}
		moved[i] = uint32(o.Len())
		add(prefix, w, old.Prob[i], old.Backoff[i])
	}
	for _, g := range added {
		if err := addMissing(g, place(g[:n-1])); err != nil {
			return nil, err
		}
	}
	e.Orders[n-1] = o
	return moved, nil
}

func identity(n int) []uint32 {
	places := make([]uint32, n)
	for i := range places {
		places[i] = uint32(i)
	}
	return places
}

// words returns the words of the n-gram at a place of order n.
func (e *Estimates) words(n int, place uint32) (g gram) {
	for ; n > 0; n-- {
		o := &e.Orders[n-1]
		g[n-1] = o.Word[place]
		if n > 1 {
			place = o.Prefix[place]
		}
	}
	return g
}

// childrenOf returns where the continuations of each n-gram of the order below begin in
// order n. The last element is where they end.
func (e *Estimates) childrenOf(n int) []uint32 {
	children := make([]uint32, e.Orders[n-2].Len()+1)
	for _, p := range e.Orders[n-1].Prefix {
		children[p+1]++
	}
	for i := range len(children) - 1 {
		children[i+1] += children[i]
	}
	return children
}

// find returns the place of the n-gram with the given prefix and last word w.
func (o *Order) find(children []uint32, prefix uint32, w int32) (place uint32, ok bool) {
	from, to := children[prefix], children[prefix+1]
	i, ok := slices.BinarySearch(o.Word[from:to], w)
	return from + uint32(i), ok
}
