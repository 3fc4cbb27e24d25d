package ngram

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
)

// sentenceTexts are texts of sentences, with <unk> 0, <s> 1 and </s> 2, that
// have gone wrong somewhere, or could.
func sentenceTexts() []stream {
	rng := rand.New(rand.NewPCG(11, 12))
	random := func(sentences, words, longest int) (ids []int32) {
		for range sentences {
			for _, w := range randomStream(rng, rng.IntN(longest+1), words) {
				ids = append(ids, w+3)
			}
			ids = append(ids, text.End)
		}
		return ids
	}
	var distinct []int32
	for w := range int32(30) {
		distinct = append(distinct, w+3)
	}
	return []stream{
		{"one empty sentence", []int32{2}, 3},
		{"empty sentences", []int32{2, 2, 2}, 3},
		{"one sentence", []int32{3, 4, 2}, 5},
		{"one sentence, larger vocabulary", []int32{3, 4, 2}, 9},
		{"one word repeated", append(slices.Repeat([]int32{3}, 60), 2), 4},
		{"one word a sentence", slices.Repeat([]int32{3, 2}, 20), 4},
		{"all distinct", append(distinct, 2), 33},
		{"<unk> in the text", []int32{3, 0, 2, 0, 0, 2}, 4},
		{"short sentences", random(60, 3, 3), 6},
		{"sentences", random(40, 6, 12), 9},
		{"many words", random(20, 60, 30), 63},
	}
}

// estimateCases are all texts with all smoothings, Order still open.
func estimateCases(visit func(name string, text []int32, c Config)) {
	for _, smoothing := range []Smoothing{KneserNey, Absolute} {
		for _, s := range streams() {
			visit(fmt.Sprintf("%v/stream/%s", smoothing, s.name), s.tokens, Config{Vocab: s.vocab, Smoothing: smoothing})
		}
		for _, s := range sentenceTexts() {
			visit(fmt.Sprintf("%v/sentences/%s", smoothing, s.name), s.tokens, Config{Vocab: s.vocab, Smoothing: smoothing, Marks: kenlmMarks})
		}
	}
}

func mustEstimate(t testing.TB, text []int32, c Config) (*Estimates, []Discounts) {
	t.Helper()
	e, discounts, err := Estimate(text, c)
	if err != nil {
		t.Fatal(err)
	}
	return e, discounts
}

// estimateHistories returns histories to ask for words after, some of the text
// and some not. With marks, each begins with Start or has none.
func estimateHistories(rng *rand.Rand, text []int32, c Config) [][]int32 {
	list := testHistories(rng, stream{tokens: text, vocab: c.Vocab})
	if c.Marks == nil {
		return list
	}
	for i, h := range list {
		h = slices.DeleteFunc(slices.Clone(h), func(w int32) bool { return w == c.Marks.Start })
		if k := slices.Index(h, c.Marks.End); k >= 0 {
			h = append([]int32{c.Marks.Start}, h[k+1:]...)
			if k := slices.Index(h, c.Marks.End); k >= 0 {
				h = h[:k]
			}
		}
		list[i] = h
	}
	return append(list, []int32{c.Marks.Start})
}

func TestEstimateMatchesDefinition(t *testing.T) {
	estimateCases(func(name string, text []int32, c Config) {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			for c.Order = 1; c.Order <= MaxOrder; c.Order++ {
				e, discounts := mustEstimate(t, text, c)
				want := newDefinition(text, c)
				for i := range e.Orders {
					n := len(want.grams[i])
					if i == 0 {
						n = c.Vocab
					}
					if e.Orders[i].Len() != n {
						t.Fatalf("order %d: %d n-grams of order %d, want %d", c.Order, e.Orders[i].Len(), i+1, n)
					}
					if discounts[i].Estimated != want.discounts[i].Estimated {
						t.Fatalf("order %d: discounts %v, want %v", c.Order, discounts[i], want.discounts[i])
					}
					for k, d := range discounts[i].D {
						if !within(d, want.discounts[i].D[k], 1e-12) {
							t.Fatalf("order %d: discounts %v, want %v", c.Order, discounts[i], want.discounts[i])
						}
					}
				}
				for _, h := range estimateHistories(rng, text, c) {
					w := int32(rng.IntN(c.Vocab))
					if !want.predicted(w) {
						continue
					}
					got, want := math.Pow(10, backoff{e}.log10(h, w)), want.prob(h, w)
					if !(math.Abs(got/want-1) < 1e-5) {
						t.Fatalf("order %d: p(%d|%v) = %v, want %v", c.Order, w, h, got, want)
					}
				}
			}
		})
	})
}

func TestEstimatesSumToOne(t *testing.T) {
	estimateCases(func(name string, text []int32, c Config) {
		rng := rand.New(rand.NewPCG(7, 8))
		for _, c.Order = range []int{1, 2, 3, 5, MaxOrder} {
			e, _ := mustEstimate(t, text, c)
			for _, h := range estimateHistories(rng, text, c) {
				sum := 0.0
				for w := range int32(c.Vocab) {
					if c.Marks == nil || w != c.Marks.Start {
						sum += math.Pow(10, backoff{e}.log10(h, w))
					}
				}
				if !(math.Abs(sum-1) < 1e-5) {
					t.Fatalf("%s: order %d: after %v: sum %v", name, c.Order, h, sum)
				}
			}
		}
	})
}

// The promises of the comments of Estimates and Order.
func TestEstimatesLayout(t *testing.T) {
	estimateCases(func(name string, text []int32, c Config) {
		for c.Order = 1; c.Order <= MaxOrder; c.Order++ {
			e, _ := mustEstimate(t, text, c)
			if err := checkEstimates(e); err != nil {
				t.Fatalf("%s: order %d: %v", name, c.Order, err)
			}
			if again, _ := mustEstimate(t, text, c); !reflect.DeepEqual(e, again) {
				t.Fatalf("%s: order %d: other bits the second time", name, c.Order)
			}
		}
	})
}

// checkEstimates returns an error if e does not keep what its comments promise.
func checkEstimates(e *Estimates) error {
	for i := range e.Orders {
		o := &e.Orders[i]
		highest := i == len(e.Orders)-1
		if len(o.Prob) != o.Len() || highest != (o.Backoff == nil) || !highest && len(o.Backoff) != o.Len() ||
			i == 0 && (o.Prefix != nil || o.Len() != e.Vocab) || i > 0 && len(o.Prefix) != o.Len() {
			return fmt.Errorf("order %d: lengths %d, %d, %d, %d", i+1, len(o.Prefix), len(o.Word), len(o.Prob), len(o.Backoff))
		}
		for j, w := range o.Word {
			if p := o.Prob[j]; !(p <= 0) || math.IsInf(float64(p), 0) {
				return fmt.Errorf("order %d, n-gram %d: log10 of probability %v", i+1, j, p)
			}
			if !highest && math.IsInf(float64(o.Backoff[j]), 0) || !highest && math.IsNaN(float64(o.Backoff[j])) {
				return fmt.Errorf("order %d, n-gram %d: log10 of back-off %v", i+1, j, o.Backoff[j])
			}
			if i == 0 {
				if int(w) != j {
					return fmt.Errorf("word %d at place %d of order 1", w, j)
				}
				continue
			}
			if w < 0 || int(w) >= e.Vocab || int(o.Prefix[j]) >= e.Orders[i-1].Len() {
				return fmt.Errorf("order %d, n-gram %d: prefix %d, word %d", i+1, j, o.Prefix[j], w)
			}
			if j > 0 && (o.Prefix[j] < o.Prefix[j-1] || o.Prefix[j] == o.Prefix[j-1] && w <= o.Word[j-1]) {
				return fmt.Errorf("order %d, n-gram %d: not in order", i+1, j)
			}
			gram := e.ids(i+1, j)
			if _, listed := (backoff{e}).find(gram[1:]); !listed {
				return fmt.Errorf("order %d: %v without its first word is not listed", i+1, gram)
			}
		}
	}
	return nil
}

// ids returns the words of the n-gram at a place of order n.
func (e *Estimates) ids(n, place int) []int32 {
	gram := make([]int32, n)
	for ; n > 0; n-- {
		o := &e.Orders[n-1]
		gram[n-1] = o.Word[place]
		if n > 1 {
			place = int(o.Prefix[place])
		}
	}
	return gram
}

func TestEstimateErrors(t *testing.T) {
	marks := func(start, end int32) *Marks { return &Marks{start, end} }
	if err := checkTextLength(math.MaxInt); err == nil || !strings.Contains(err.Error(), "at most 1073741824") {
		t.Errorf("a text of MaxInt tokens: error %v", err)
	}
	for _, c := range []struct {
		name string
		text []int32
		Config
		want string
	}{
		{"order 0", []int32{0}, Config{Vocab: 1}, "order 0: must be from 1 to 9"},
		{"order 10", []int32{0}, Config{Vocab: 1, Order: 10}, "order 10: must be from 1 to 9"},
		{"no vocabulary", []int32{0}, Config{Order: 1}, "vocabulary of 0 words"},
		{"smoothing", []int32{0}, Config{Vocab: 1, Order: 1, Smoothing: 2}, "unknown smoothing Smoothing(2)"},
		{"no text", nil, Config{Vocab: 1, Order: 1}, "no tokens"},
		{"no sentences", nil, Config{Vocab: 3, Order: 1, Marks: marks(1, 2)}, "no tokens"},
		{"word above", []int32{0, 4}, Config{Vocab: 4, Order: 1}, "token 1 of the text is 4: must be from 0 to 3"},
		{"word below", []int32{-1}, Config{Vocab: 4, Order: 1}, "token 0 of the text is -1"},
		{"one mark for both", []int32{2}, Config{Vocab: 4, Order: 1, Marks: marks(2, 2)}, "sentence marks 2 and 2"},
		{"mark above", []int32{2}, Config{Vocab: 4, Order: 1, Marks: marks(4, 2)}, "sentence marks 4 and 2"},
		{"mark below", []int32{2}, Config{Vocab: 4, Order: 1, Marks: marks(1, -1)}, "sentence marks 1 and -1"},
		{"start in the text", []int32{1, 3, 2}, Config{Vocab: 4, Order: 1, Marks: marks(1, 2)}, "token 0 of the text is 1, the mark of a sentence's start"},
		{"cut sentence", []int32{3, 2, 3}, Config{Vocab: 4, Order: 1, Marks: marks(1, 2)}, "ends within a sentence: its last token is 3, want 2"},
	} {
		if _, _, err := Estimate(c.text, c.Config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestEstimateBytes(t *testing.T) {
	text := syntheticText(rand.New(rand.NewPCG(9, 10)), 400_000)
	for _, order := range []int{1, 2, 5, 9} {
		for _, vocab := range []int{letters, 200_000} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			e, _ := mustEstimate(t, text, Config{Vocab: vocab, Order: order})
			runtime.ReadMemStats(&after)
			var ngrams []int
			for i := range e.Orders {
				ngrams = append(ngrams, e.Orders[i].Len())
			}
			// Slices are rounded up to whole pages.
			got, want := float64(after.TotalAlloc-before.TotalAlloc), float64(EstimateBytes(len(text), vocab, ngrams))
			if !(got > 0.99*want && got < 1.02*want) {
				t.Errorf("order %d, %d words: %.0f bytes were allocated, EstimateBytes says %.0f", order, vocab, got, want)
			}
		}
	}
}

// A line of a megabyte is one long sentence.
func TestEstimateLongSentence(t *testing.T) {
	source := text.New("long", []byte(strings.Repeat("a b c d e f g h ", 1<<16)+"\n"))
	vocab, ids, _ := sentences(t, source, source)
	e, _ := mustEstimate(t, ids, Config{Vocab: vocab.Len(), Order: 5, Marks: kenlmMarks})
	if err := checkEstimates(e); err != nil {
		t.Fatal(err)
	}
	// Eight n-grams go round; one more begins with <s>, and one ends with </s>.
	for i, want := range []int{11, 10, 10, 10, 10} {
		if got := e.Orders[i].Len(); got != want {
			t.Errorf("%d n-grams of order %d, want %d", got, i+1, want)
		}
	}
}

// Sentences of War and Peace, and what an independent program, written from the
// definition alone, says of them: with float64 throughout.
func TestEstimateGolden(t *testing.T) {
	read := func(part string) *text.Text {
		raw, err := os.ReadFile(filepath.Join("testdata", "war-and-peace."+part+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		return text.New(part, raw)
	}
	vocab, train, test := sentences(t, read("train"), read("test"))
	ngrams := []int{1815, 6435, 8886, 9304, 9261, 9142, 8999, 8855, 8709}
	for _, golden := range []struct {
		smoothing  Smoothing
		perplexity [MaxOrder]float64
		fallback   [MaxOrder]int // the lowest order whose discounts can't be estimated, 0 for none
	}{
		{KneserNey,
			[MaxOrder]float64{348.372763, 221.342891, 216.065512, 215.81665, 215.636956, 215.693976, 216.024683, 216.204024, 216.204024},
			[MaxOrder]int{0, 0, 0, 0, 0, 0, 6, 6, 6}},
		{Absolute,
			[MaxOrder]float64{363.179439, 255.513995, 253.503803, 254.598799, 254.829274, 254.826346, 254.826753, 254.826753, 254.826753},
			[MaxOrder]int{}},
	} {
		for order := 1; order <= MaxOrder; order++ {
			e, discounts := mustEstimate(t, train, Config{Vocab: vocab.Len(), Order: order, Smoothing: golden.smoothing, Marks: kenlmMarks})
			for i, want := range ngrams[:order] {
				if got := e.Orders[i].Len(); got != want {
					t.Errorf("%v, order %d: %d n-grams of order %d, want %d", golden.smoothing, order, got, i+1, want)
				}
			}
			fallback := 1 + slices.IndexFunc(discounts, func(d Discounts) bool { return !d.Estimated })
			if fallback != golden.fallback[order-1] {
				t.Errorf("%v, order %d: discounts fall back from order %d, want %d", golden.smoothing, order, fallback, golden.fallback[order-1])
			}
			got, want := backoff{e}.perplexity(test, kenlmMarks), golden.perplexity[order-1]
			if !(math.Abs(got/want-1) < 1e-6) {
				t.Errorf("%v, order %d: perplexity %v, want %v", golden.smoothing, order, got, want)
			}
		}
	}
}

func TestSortByWord(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for _, bits := range []int{1, 7, 8, 9, 16, 20, 31} {
		for _, n := range []int{0, 1, 2, insertionMax, insertionMax + 1, 1000} {
			entries := make([]entry, n)
			for i := range entries {
				entries[i] = newEntry(int32(rng.Uint32()>>(32-bits)), uint32(i))
			}
			want := slices.Sorted(slices.Values(entries))
			sortByWord(entries, make([]entry, n), bits)
			if !slices.Equal(entries, want) {
				t.Errorf("%d entries of %d bits are not sorted", n, bits)
			}
		}
	}
}
