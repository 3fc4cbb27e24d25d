package ngram

import "fmt"

// definition is interpolated smoothing by its definition: maps from n-grams to
// counts, sums over the whole vocabulary, recursion, float64.
type definition struct {
	Config
	grams     []map[string]bool    // [order] those of the text
	counts    []map[string]float64 // [order] as adjusted
	discounts []Discounts
}

func newDefinition(text []int32, c Config) *definition {
	o := &definition{Config: c}
	sentences := [][]int32{text}
	if c.Marks != nil {
		sentences = [][]int32{{c.Marks.Start}}
		for i, w := range text {
			sentences[len(sentences)-1] = append(sentences[len(sentences)-1], w)
			if w == c.Marks.End && i+1 < len(text) {
				sentences = append(sentences, []int32{c.Marks.Start})
			}
		}
	}
	for n := 1; n <= c.Order; n++ {
		counts, before := map[string]float64{}, map[string]map[int32]bool{}
		grams, first := map[string]bool{}, map[string]bool{} // first: seen at the start of a sentence
		for _, s := range sentences {
			for i := 0; i+n <= len(s); i++ {
				gram := fmt.Sprint(s[i : i+n])
				grams[gram] = true
				counts[gram]++
				if before[gram] == nil {
					before[gram] = map[int32]bool{}
				}
				if i > 0 {
					before[gram][s[i-1]] = true
				} else if c.Marks == nil {
					before[gram][-1] = true
				} else {
					first[gram] = true
				}
			}
		}
		if c.Marks != nil && n == 1 {
			delete(counts, fmt.Sprint([]int32{c.Marks.Start}))
		}
		if c.Smoothing == KneserNey && n < c.Order {
			for gram := range counts {
				if !first[gram] {
					counts[gram] = float64(len(before[gram]))
				}
			}
		}
		o.grams = append(o.grams, grams)
		o.counts = append(o.counts, counts)
		o.discounts = append(o.discounts, o.discount(counts))
	}
	return o
}

func (o *definition) discount(counts map[string]float64) Discounts {
	var n [5]float64
	for _, c := range counts {
		if c <= 4 {
			n[int(c)]++
		}
	}
	y := n[1] / (n[1] + 2*n[2])
	if o.Smoothing == Absolute {
		if n[1] == 0 || n[2] == 0 {
			return Discounts{D: [3]float64{0.5, 0.5, 0.5}}
		}
		return Discounts{D: [3]float64{y, y, y}, Estimated: true}
	}
	d := Discounts{D: [3]float64{1 - 2*y*n[2]/n[1], 2 - 3*y*n[3]/n[2], 3 - 4*y*n[4]/n[3]}, Estimated: true}
	if n[1] == 0 || n[2] == 0 || n[3] == 0 || d.D[1] <= 0 || d.D[2] <= 0 {
		return Discounts{D: [3]float64{0.5, 1, 1.5}}
	}
	return d
}

// predicted reports whether a word ever follows a history.
func (o *definition) predicted(w int32) bool { return o.Marks == nil || w != o.Marks.Start }

// prob returns p(w|history).
func (o *definition) prob(history []int32, w int32) float64 {
	history = history[max(0, len(history)-o.Order+1):]
	n := len(history) + 1
	var words, total, taken float64
	for v := range int32(o.Vocab) {
		if !o.predicted(v) {
			continue
		}
		words++
		c := o.counts[n-1][o.gram(history, v)]
		total += c
		taken += o.discountOf(n, c)
	}
	lower := 1 / words
	if n > 1 {
		lower = o.prob(history[1:], w)
	}
	if total == 0 {
		return lower
	}
	c := o.counts[n-1][o.gram(history, w)]
	return (c-o.discountOf(n, c))/total + taken/total*lower
}

func (o *definition) gram(history []int32, w int32) string {
	return fmt.Sprint(append(history[:len(history):len(history)], w))
}

func (o *definition) discountOf(n int, c float64) float64 {
	if c == 0 {
		return 0
	}
	return o.discounts[n-1].D[min(int(c), 3)-1]
}
