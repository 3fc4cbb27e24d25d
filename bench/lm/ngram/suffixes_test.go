package ngram

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// listing is a back-off model as a file lists it, and scores by its definition.
type listing struct {
	order         int
	prob, backoff map[string]float64
}

func listingOf(e *Estimates) listing {
	l := listing{len(e.Orders), map[string]float64{}, map[string]float64{}}
	for i := range e.Orders {
		o := &e.Orders[i]
		for j := range o.Len() {
			key := fmt.Sprint(e.ids(i+1, j))
			l.prob[key] = float64(o.Prob[j])
			if o.Backoff != nil {
				l.backoff[key] = float64(o.Backoff[j])
			}
		}
	}
	return l
}

func (l listing) log10(history []int32, w int32) float64 {
	history = history[max(0, len(history)-l.order+1):]
	gram := append(slices.Clone(history), w)
	if p, ok := l.prob[fmt.Sprint(gram)]; ok {
		return p
	}
	return l.backoff[fmt.Sprint(history)] + l.log10(history[1:], w)
}

// pruned returns e with only some of its n-grams, each still after its prefix.
func pruned(e *Estimates, rng *rand.Rand) *Estimates {
	p := &Estimates{Vocab: e.Vocab, Orders: []Order{e.Orders[0]}}
	places := identity(e.Vocab)
	const gone = math.MaxUint32
	for n := 2; n <= len(e.Orders); n++ {
		old, next := &e.Orders[n-1], make([]uint32, e.Orders[n-1].Len())
		var o Order
		for i, w := range old.Word {
			next[i] = gone
			if places[old.Prefix[i]] == gone || rng.IntN(3) == 0 {
				continue
			}
			next[i] = uint32(o.Len())
			o.Prefix, o.Word, o.Prob = append(o.Prefix, places[old.Prefix[i]]), append(o.Word, w), append(o.Prob, old.Prob[i])
			if old.Backoff != nil {
				o.Backoff = append(o.Backoff, old.Backoff[i])
			}
		}
		p.Orders, places = append(p.Orders, o), next
	}
	return p
}

// Whatever a file leaves out, every store scores every text by what it lists.
func TestReadARPAAddsSuffixes(t *testing.T) {
	const vocab = 6
	words := []string{"<unk>", "a", "b", "c", "d", "e"}
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		text := make([]int32, 400)
		for i := range text {
			text[i] = int32(rng.IntN(vocab))
		}
		e, _, err := Estimate(text, Config{Vocab: vocab, Order: 5})
		if err != nil {
			t.Fatal(err)
		}
		e = pruned(e, rng)
		want := listingOf(e)
		var file bytes.Buffer
		if err := WriteARPA(&file, e, words); err != nil {
			t.Fatal(err)
		}
		got, _ := mustReadARPA(t, file.String()) // which checks that suffixes are there
		added := 0
		for i := range got.Orders {
			added += got.Orders[i].Len() - e.Orders[i].Len()
		}
		if added == 0 || got.Orders[4].Len() != e.Orders[4].Len() {
			t.Fatalf("seed %d: %d n-grams added", seed, added)
		}
		for _, store := range []Store{Map, Hash, Trie} {
			m, err := NewModel(got, store)
			if err != nil {
				t.Fatal(err)
			}
			s := m.NewScorer()
			for i, w := range text {
				w = (w + int32(rng.IntN(2))) % vocab // not only what it has seen
				text[i] = w
				nats := want.log10(text[:i], w) * -math.Ln10
				if got := s.Score(w); !within(got, nats, 1e-5*(1+nats)) {
					t.Fatalf("seed %d, %v: token %d costs %v nats, want %v", seed, store, i, got, nats)
				}
			}
		}
		// What was added stays, and nothing more comes.
		var again bytes.Buffer
		if err := WriteARPA(&again, got, words); err != nil {
			t.Fatal(err)
		}
		if e, _ := mustReadARPA(t, again.String()); e.Orders[3].Len() != got.Orders[3].Len() {
			t.Errorf("seed %d: a second reading adds more", seed)
		}
	}
}

// As in KenLM's test.arpa: an n-gram of order 4 of which neither the last three nor
// the last two words are listed.
func TestReadARPAAddsSuffixesOfSuffixes(t *testing.T) {
	const file = `\data\
ngram 1=4
ngram 2=1
ngram 3=1
ngram 4=1

\1-grams:
-1.6	also	-0.3
-1.5	would	-0.2
-1.7	consider	-0.1
-1.9	higher

\2-grams:
-2	also would	-6

\3-grams:
-3	also would consider	-7

\4-grams:
-4	also would consider higher

\end\
`
	e, words := mustReadARPA(t, file)
	want := map[string][2]float32{
		"would consider":        {-0.2 + -1.7, 0},
		"consider higher":       {-0.1 + -1.9, 0},
		"would consider higher": {0 + -0.1 + -1.9, 0},
	}
	for n := 2; n <= 3; n++ {
		for i := range e.Orders[n-1].Len() {
			name := e.gram(n, i, words)
			if v, ok := want[name]; ok {
				o := &e.Orders[n-1]
				if !(math.Abs(float64(o.Prob[i]-v[0])) <= 1e-6) || o.Backoff[i] != v[1] {
					t.Errorf("%s: %v and %v, want %v", name, o.Prob[i], o.Backoff[i], v)
				}
				delete(want, name)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	above := strings.Replace(file, "would\t-0.2", "would\t1.8", 1)
	if _, _, err := ReadARPA(strings.NewReader(above)); err == nil || !strings.Contains(err.Error(), `"would consider" is not listed, and backing off to it gives 10^0.0`) && !strings.Contains(err.Error(), `10^0.1`) {
		t.Errorf("a probability above 1: error %v", err)
	}
	if _, _, err := ReadARPA(strings.NewReader(strings.TrimSuffix(file, "\\end\\\n"))); err == nil {
		t.Error("truncated: no error")
	}
}
