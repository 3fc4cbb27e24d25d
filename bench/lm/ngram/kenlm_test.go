package ngram

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"batchrnn/bench/lm/text"
)

var kenlmDir = flag.String("kenlm", "", "folder with the files wp.word.*.txt and wp.char.*.txt, to compare with KenLM's figures")

// kenlmFigures are what KenLM says of War and Peace: lmplz --discount_fallback,
// no pruning, perplexities with words out of the vocabulary and ends of lines
// counted.
var kenlmFigures = []struct {
	level      string
	ngrams     []int     // [order]
	perplexity []float64 // [order], from order 2
}{
	{"word",
		[]int{10004, 158178, 390739, 522094, 560863, 565633, 560405},
		[]float64{133.6217, 108.4056, 105.8458, 105.5721, 105.5834, 105.5890}},
	{"char",
		[]int{81, 1689, 13223, 56127, 158081, 339456, 581555, 853606},
		[]float64{11.50692, 7.11634, 4.73636, 3.82032, 3.50295, 3.39034, 3.35696}},
}

// kenlmMarks are the marks of text.Sentence.
var kenlmMarks = &Marks{Start: text.Start, End: text.End}

// kenlmText returns the training and test text of a level.
func kenlmText(t testing.TB, level string) (vocab *text.Vocab, train, test []int32) {
	t.Helper()
	if *kenlmDir == "" {
		t.Skip("no comparison with KenLM: run with -kenlm DIR, the folder that holds wp.word.train.txt")
	}
	read := func(part string) *text.Text {
		name := filepath.Join(*kenlmDir, fmt.Sprintf("wp.%s.%s.txt", level, part))
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return text.New(name, raw)
	}
	return sentences(t, read("train"), read("test"))
}

// sentences returns the ids of a training and a test text whose lines are sentences.
func sentences(t testing.TB, train, test *text.Text) (vocab *text.Vocab, trainIDs, testIDs []int32) {
	t.Helper()
	c, err := text.Build(train, text.Options{Level: text.Sentence, Test: test, Uncut: text.Uncut{Valid: true}})
	if err != nil {
		t.Fatal(err)
	}
	return c.Vocab, c.Train, c.Test
}

func TestEstimateAgreesWithKenLM(t *testing.T) {
	for _, f := range kenlmFigures {
		t.Run(f.level, func(t *testing.T) {
			vocab, train, test := kenlmText(t, f.level)
			for order := 2; order <= len(f.ngrams); order++ {
				e, _, err := Estimate(train, Config{Vocab: vocab.Len(), Order: order, Marks: kenlmMarks})
				if err != nil {
					t.Fatal(err)
				}
				for i, want := range f.ngrams[:order] {
					if got := e.Orders[i].Len(); got != want {
						t.Errorf("order %d lists %d n-grams of order %d, KenLM %d", order, got, i+1, want)
					}
				}
				got, want := backoff{e}.perplexity(test, kenlmMarks), f.perplexity[order-2]
				t.Logf("order %d: perplexity %.5f, KenLM %.5f: %+.4f %%", order, got, want, 100*(got/want-1))
				if !(math.Abs(got/want-1) < 0.001) {
					t.Errorf("order %d: perplexity %v, KenLM %v", order, got, want)
				}
			}
		})
	}
}
