package ngram

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func readTestARPA(t *testing.T, name string) (*Estimates, []string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return mustReadARPA(t, string(raw))
}

// TestKenLMsOwnModel: the model of KenLM's tests (lm/test.arpa), with the figures that its
// tests ask for (lm/model_test.cc), to the last digit given there.
func TestKenLMsOwnModel(t *testing.T) {
	e, words := readTestARPA(t, "kenlm-test.arpa")
	for _, store := range Stores { // no order has values to round
		m := mustModel(t, e, store)
		for _, c := range []struct{ start, tokens, want string }{
			{"<s>",
				"looking on a little the biarritz not_found more . </s>",
				"-0.484652 -0.348837 -0.0155266 -0.00306122 -4.04005 -1.9889 -2.29666 -21.20632 -0.51363 -0.0191651"},
			{"<s> looking on a little", "more loin", "-0.00181395 -0.0432557"},
			{"also", "would consider higher looking", "-2 -3 -4 -5"},
		} {
			s := m.NewScorer()
			s.ResetTo(idsOf(words, c.start)...)
			want := strings.Fields(c.want)
			for i, w := range idsOf(words, c.tokens) {
				_, decimals, _ := strings.Cut(want[i], ".")
				figure, _ := strconv.ParseFloat(want[i], 64)
				lastDigit := math.Pow10(-len(decimals))
				// One sum lies between two figures: -1.995635 - 0.30103, given as -2.29666.
				if got := s.log10(w); !(math.Abs(got-figure) <= 0.51*lastDigit) {
					t.Errorf("%v: after %q and %d of %q: %v, want %s", store, c.start, i, c.tokens, got, want[i])
				}
			}
		}
	}
}

// idsOf returns the ids of the words of a text.
func idsOf(words []string, text string) (ids []int32) {
	for _, word := range strings.Fields(text) {
		ids = append(ids, int32(max(slices.Index(words, word), 0)))
	}
	return ids
}

// TestSphinxModel: a file that sphinx_lm_convert has written, with figures of the file.
func TestSphinxModel(t *testing.T) {
	e, words := readTestARPA(t, "sphinx.arpa")
	if len(words) != 13 || !slices.Equal(words[:3], []string{"<unk>", "<s>", "</s>"}) {
		t.Fatalf("words %q", words)
	}
	if n := e.entries(); !slices.Equal(n[:1], []int{13}) || n[1] < 20 || n[2] != 21 {
		t.Fatalf("n-grams %d", n)
	}
	for _, c := range []struct {
		history, word string
		want          float64
	}{
		{"<s>", "the", -0.3388},
		{"<s> the", "red", -0.4514},
		{"the red", "stops", -0.3010 + -0.3010 + -1.0892},
		{"red other", "car", -1.1919},
	} {
		if got := (backoff{e}).log10(idsOf(words, c.history), idsOf(words, c.word)[0]); !within(got, c.want, 1e-5) {
			t.Errorf("log10 p(%s|%s) = %v, want %v", c.word, c.history, got, c.want)
		}
	}
}

// TestReadARPAUnk: wherever and however <unk> is listed, the same estimates come out.
func TestReadARPAUnk(t *testing.T) {
	const line = "-1.5\t<unk>\t0\n"
	want, wantWords := mustReadARPA(t, smallARPA)
	without := strings.ReplaceAll(strings.Replace(smallARPA, line, "", 1), "1=5", "1=4")
	for name, text := range map[string]string{
		"last":           strings.Replace(strings.Replace(smallARPA, line, "", 1), "-0.3\n", "-0.3\n"+line, 1),
		"in the middle":  strings.Replace(strings.Replace(smallARPA, line, "", 1), "-0.4\tb", line+"-0.4\tb", 1),
		"<UNK>":          strings.ReplaceAll(smallARPA, "<unk>", "<UNK>"),
		"<UNK>, further": strings.Replace(strings.Replace(smallARPA, line, "", 1), "-0.4\tb", "-1.5\t<UNK>\t0\n-0.4\tb", 1),
		"marks last":     strings.Replace(strings.Replace(smallARPA, "0\t<s>\t-0.5\n-0.6\t</s>\t0\n", "", 1), "-0.3\n", "-0.3\n-0.6\t</s>\t0\n0\t<s>\t-0.5\n", 1),
	} {
		if text == smallARPA {
			t.Fatalf("%s: nothing replaced", name)
		}
		if got, words := mustReadARPA(t, text); !reflect.DeepEqual(got, want) || !slices.Equal(words, wantWords) {
			t.Errorf("%s: words %q, other estimates: %t", name, words, !reflect.DeepEqual(got, want))
		}
	}

	got, words := mustReadARPA(t, without)
	want.Orders[0].Prob[0] = MissingUnk
	if !reflect.DeepEqual(got, want) || !slices.Equal(words, wantWords) {
		t.Errorf("no <unk>: words %q, %+v", words, got)
	}

	both := strings.NewReplacer("1=5", "1=6", line, line+"-2\t<UNK>\n").Replace(smallARPA)
	if got, words := mustReadARPA(t, both); got.Vocab != 6 || words[0] != "<unk>" || words[3] != "<UNK>" || got.Orders[0].Prob[0] != -1.5 {
		t.Errorf("both: words %q", words)
	}
	for _, listed := range []string{"<unk>", "<UNK>"} {
		for _, used := range []string{"<unk>", "<UNK>"} {
			text := strings.NewReplacer("<unk>", listed, "a a\t0", "a "+used+"\t0").Replace(smallARPA)
			got, words := mustReadARPA(t, text)
			if i, ok := (backoff{got}).find(idsOf(words, "a <unk>")); !ok || got.Orders[1].Prob[i] != -0.9 {
				t.Errorf("%s listed, %s used: n-gram listed %t", listed, used, ok)
			}
		}
	}
}

// TestWriteARPAMarks: other programs find sentence marks in every file, and reading takes
// away those that the words had not.
func TestWriteARPAMarks(t *testing.T) {
	rng := rand.New(rand.NewPCG(71, 72))
	for _, c := range []struct {
		words []string
		added bool
	}{
		{[]string{"<unk>", "a", "b"}, true},
		{[]string{"<unk>", "<s>", "</s>"}, false},
		{[]string{"<unk>", "</s>", "b"}, false},
		{[]string{"<unk>", "<s>", "b"}, false},
	} {
		for _, order := range []int{1, 3} {
			e := randomEstimates(rng, [][]int32{{0, 1, 0, 2, 1, 1, 0, 1}}, 3, order)
			var b bytes.Buffer
			if err := WriteARPA(&b, e, c.words); err != nil {
				t.Fatal(err)
			}
			if added := strings.Contains(b.String(), "ngram 1=5\n") && strings.Contains(b.String(), "\n-99\t<s>") && strings.Contains(b.String(), "\n-99\t</s>"); added != c.added {
				t.Errorf("%q: marks added: %t\n%s", c.words, added, b.String())
			}
			if got, words := mustReadARPA(t, b.String()); !reflect.DeepEqual(got, e) || !slices.Equal(words, c.words) {
				t.Errorf("%q of order %d come back as %q", c.words, order, words)
			}
		}
	}
	// Marks of little probability that n-grams use are no additions.
	used := strings.NewReplacer("0\t<s>\t-0.5", "-99\t<s>\t-0.5", "-0.6\t</s>\t0", "-99\t</s>\t0").Replace(smallARPA)
	if _, words := mustReadARPA(t, used); len(words) != 5 {
		t.Errorf("words %q", words)
	}
}

// TestEstimatesOfStores: a store gives back what it was made of.
func TestEstimatesOfStores(t *testing.T) {
	rng := rand.New(rand.NewPCG(73, 74))
	for order := 1; order <= MaxOrder; order++ {
		for name, want := range testEstimates(rng, order) {
			for _, store := range Stores {
				m := mustModel(t, want, store)
				got := m.Estimates()
				if err := checkEstimates(got); err != nil {
					t.Fatalf("%s, order %d, %v: %v", name, order, store, err)
				}
				if store == Quantised { // the rounded values are exact ones of their model
					if again := mustModel(t, got, store).Estimates(); !sameEstimates(got, again) || got.Orders[order-1].Len() != want.Orders[order-1].Len() {
						t.Errorf("%s, order %d: other estimates at second hand", name, order)
					}
					continue
				}
				if !sameEstimates(got, want) {
					t.Errorf("%s, order %d, %v: other estimates", name, order, store)
				}
			}
		}
	}
}

func sameEstimates(a, b *Estimates) bool {
	return a.Vocab == b.Vocab && slices.EqualFunc(a.Orders, b.Orders, func(a, b Order) bool {
		return slices.Equal(a.Prefix, b.Prefix) && slices.Equal(a.Word, b.Word) && slices.Equal(a.Prob, b.Prob) && slices.Equal(a.Backoff, b.Backoff)
	})
}

func TestParseStore(t *testing.T) {
	for name, want := range map[string]Store{"map": Map, "hash": Hash, "trie": Trie, "quantised": Quantised} {
		if got, err := ParseStore(name); err != nil || got != want {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
	for _, name := range []string{"", "Trie", "quantised trie", "array"} {
		if _, err := ParseStore(name); err == nil || !strings.Contains(err.Error(), "choose map, hash, trie or quantised") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

// TestWriteARPAZero: a trie gives back -0 for 0, which files don't show.
func TestWriteARPAZero(t *testing.T) {
	e, words := mustReadARPA(t, smallARPA)
	var b bytes.Buffer
	if err := WriteARPA(&b, mustModel(t, e, Trie).Estimates(), words); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\n0\t<s>\t-0.5\n") || !strings.Contains(b.String(), "</s>\t0\n") || strings.Contains(b.String(), "-0\t") || strings.Contains(b.String(), "-0\n") {
		t.Errorf("written:\n%s", b.String())
	}
}
