package lm

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
)

// hypotheses are lists with what is hard in them: nothing, the same twice, prefixes of
// others, unknown words, bytes that are not UTF-8, many words.
func hypotheses() []string {
	texts := []string{"", "the fox", "the fox jumps", "the fox", "the zebra jumps", "d\xffg",
		"  the  fox ", "over the dög \xff\xfe", strings.Repeat("jumps over the ", 300), ""}
	for i := range 300 {
		texts = append(texts, fmt.Sprintf("the quick %s fox %s", []string{"brown", "dog", "x"}[i%3], strings.Fields(fable)[i%11]))
	}
	return texts
}

// TestHypothesesCostWhatLinesCost: the bits of ScoreLines, in any list and order.
func TestHypothesesCostWhatLinesCost(t *testing.T) {
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		for _, m := range testModels(t, level) {
			r, err := NewRescorer(m, Mixture{})
			if err != nil {
				t.Fatal(err)
			}
			texts := hypotheses()
			random := rand.New(rand.NewPCG(1, 2))
			for round := range 4 {
				list := texts
				if round > 0 {
					random.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
					list = texts[:[]int{1, 7, 150}[round-1]]
				}
				got, err := r.Score(list)
				if err != nil || len(got) != len(list) {
					t.Fatal(len(got), err)
				}
				i := 0
				_, err = ScoreLines(m, strings.NewReader(strings.Join(list, "\n")+"\n"), false, func(s Score, _ bool) error {
					if want := (Hypothesis{LogProb: 0 - s.Nats, Tokens: s.Tokens, Unk: s.Unk}); got[i] != want {
						t.Errorf("%v, %s: %.40q costs %+v, alone %+v", level, m.Config.Name(), list[i], got[i], want)
					}
					i++
					return nil
				})
				if err != nil && len(list[0]) > 0 || i != len(got) && len(list) > 1 {
					t.Errorf("%d lines of %d, error %v", i, len(got), err)
				}
			}
			if got, err := r.Score(nil); err != nil || len(got) != 0 {
				t.Errorf("no hypothesis: %v, error %v", got, err)
			}
		}
	}
}

// arpa is a model of sentences. Its figures below are worked out by hand.
const arpa = `\data\
ngram 1=6
ngram 2=4

\1-grams:
-1.5	<unk>
-99	<s>	-0.5
-1	</s>
-0.7	the	-0.3
-0.9	fox	-0.2
-1.1	zebra

\2-grams:
-0.2	<s> the
-0.4	the fox
-0.6	fox </s>
-0.8	the zebra

\end\
`

func readNgrams(t testing.TB, arpa string) *Model {
	t.Helper()
	m, _, err := ReadARPA(strings.NewReader(arpa), int64(len(arpa)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRescoringByNgrams: n-grams alone, and with a share of 1, cost what the file says.
func TestRescoringByNgrams(t *testing.T) {
	n := readNgrams(t, arpa)
	texts := []string{"the fox", "", "the zebra fox", "quick the"}
	want := []float64{ // log10
		-0.2 - 0.4 - 0.6,
		-0.5 - 1,
		-0.2 - 0.8 - 0.9 - 0.6,     // zebra has no back-off: a weight of 1
		-0.5 - 1.5 - 0.7 - 0.3 - 1, // <unk> after <s>; the back-off of the before </s>
	}
	network := testModels(t, text.Sentence)[1]
	for _, c := range []struct {
		m  *Model
		of Mixture
	}{{n, Mixture{}}, {network, Mixture{Ngram: n, Lambda: 0}}, {n, Mixture{Ngram: n, Lambda: 0.3}}} {
		r, err := NewRescorer(c.m, c.of)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Score(texts)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range got {
			if !(math.Abs(h.LogProb-want[i]*math.Ln10) <= 1e-5) {
				t.Errorf("%s, %+v: %q costs %v, want %v", c.m.Config.Name(), c.of.Lambda, texts[i], h.LogProb, want[i]*math.Ln10)
			}
		}
	}
}

// TestMixture compares with the definition in float64, with other vocabularies and spelled
// words.
func TestMixture(t *testing.T) {
	ngrams := readNgrams(t, arpa)
	own := testModels(t, text.Sentence)[0] // with a speller
	for _, m := range testModels(t, text.Sentence) {
		for _, other := range []*Model{ngrams, own} {
			for _, spell := range []bool{false, true} {
				for _, lambda := range []float64{0, 1e-9, 0.25, 0.5, 1} {
					r, err := NewRescorer(m, Mixture{Ngram: other, Lambda: lambda, Spell: spell})
					if err != nil {
						t.Fatal(err)
					}
					texts := hypotheses()[:30]
					got, err := r.Score(texts)
					if err != nil {
						t.Fatal(err)
					}
					for i, text := range texts {
						a, b := lossesOf(t, m, text, spell), lossesOf(t, other, text, spell)
						want, alone := 0.0, 0.0
						for j := range a {
							want += math.Log(lambda*math.Exp(-a[j]) + (1-lambda)*math.Exp(-b[j]))
							alone += map[bool]float64{true: a[j], false: b[j]}[lambda == 1]
						}
						if lambda == 0 || lambda == 1 { // to the bit
							want = 0 - alone
							if got[i].LogProb != want {
								t.Errorf("λ %v: %.40q costs %v, want %v", lambda, text, got[i].LogProb, want)
							}
						}
						if !(math.Abs(got[i].LogProb-want) <= 1e-9*(1-want)) {
							t.Errorf("%s, λ %v, spelled %t: %.40q costs %v, want %v", m.Config.Name(), lambda, spell, text, got[i].LogProb, want)
						}
					}
				}
			}
		}
	}
	if got := mixNats(0.5, 1e6, 1e6+3); !(math.Abs(got-(1e6+math.Ln2-math.Log1p(math.Exp(-3)))) <= 1e-9*1e6) {
		t.Errorf("probabilities below float64: %v", got)
	}
}

// lossesOf returns the cost of each token of a line, with each <unk> spelled if that is
// asked for and known.
func lossesOf(t *testing.T, m *Model, hypothesis string, spelled bool) []float64 {
	t.Helper()
	line := []byte(hypothesis + "\n")
	ids := m.Vocab.Encode(nil, m.level, line)
	losses, err := m.NewStream().Losses(ids)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for token := range m.level.Tokens(line) {
		if ids[at] == text.Unk && spelled && m.Speller != nil {
			losses[at] += m.Speller.Nats(token)
		}
		at++
	}
	return losses
}

func TestMixturesThatDontGoTogether(t *testing.T) {
	sentences, words, chars := testModels(t, text.Sentence), testModels(t, text.Word), testModels(t, text.Char)
	n := readNgrams(t, arpa)
	for _, c := range []struct {
		m    *Model
		of   Mixture
		want string
	}{
		{words[1], Mixture{Ngram: n, Lambda: 0.5}, "Ngram: it is a model of sentences, with <s> and </s>, and the other one of words"},
		{sentences[1], Mixture{Ngram: words[0], Lambda: 0.5}, "Ngram: "},
		{chars[1], Mixture{Ngram: words[0], Lambda: 0.5}, "Ngram: it is a model of words without sentences, and the other one of characters"},
		{sentences[1], Mixture{Ngram: sentences[2], Lambda: 0.5}, "Ngram: it is an RNN"},
		{sentences[1], Mixture{Ngram: n, Lambda: -0.1}, "Lambda: -0.1"},
		{sentences[1], Mixture{Ngram: n, Lambda: 1.1}, "Lambda: 1.1"},
		{sentences[1], Mixture{Ngram: n, Lambda: math.NaN()}, "Lambda: NaN"},
		{n, Mixture{Spell: true}, "Spell: "},
	} {
		if _, err := NewRescorer(c.m, c.of); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	r, err := NewRescorer(sentences[1], Mixture{})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"a </s>": "hypothesis 2: ", "<s>": "hypothesis 2: ", "a\nb": "line end"} {
		if _, err := r.Score([]string{"", text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v", text, err)
		}
	}
	broken := sentences[1]
	broken.rnn.Slab[len(broken.rnn.Slab)-1] = float32(math.NaN())
	broken.rnn.Update()
	if _, err := r.Score([]string{"the fox"}); !errors.Is(err, errNotFinite) {
		t.Errorf("of NaN: error %v", err)
	}
}

// rescoreAll reads lists, and returns the hypotheses with the sizes of the lists.
func rescoreAll(t testing.TB, m *Model, weight *float64, in io.Reader) (all []Rescored, sizes []int, form NBestForm, total Rescored, err error) {
	t.Helper()
	r, err := NewRescorer(m, Mixture{})
	if err != nil {
		t.Fatal(err)
	}
	total, err = RescoreLists(r, in, weight, func(list []Rescored, f NBestForm) error {
		all, sizes, form = append(all, list...), append(sizes, len(list)), f
		return nil
	})
	return all, sizes, form, total, err
}

// TestListForms: both forms give what the words cost, whatever the line ends and the
// encoding; an utterance that comes back has another list.
func TestListForms(t *testing.T) {
	m := testModels(t, text.Sentence)[1]
	type row struct{ utterance, words string }
	rows := []row{{"a-x", "the fox"}, {"a-x", "the dog"}, {"a-x", ""}, {"b", "d\xffg  zebra"}, {"a-x", "the fox"}, {"c", "over"}, {"c", "over"}}
	sizes := []int{3, 1, 1, 2}
	best := []int{0, 0, 0, 0}
	r, err := NewRescorer(m, Mixture{})
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	var want []Hypothesis
	for i, n := range sizes {
		var texts []string
		for _, row := range rows[at : at+n] {
			texts = append(texts, row.words)
		}
		list, err := r.Score(texts)
		if err != nil {
			t.Fatal(err)
		}
		for j, h := range list {
			if h.LogProb > list[best[i]].LogProb {
				best[i] = j
			}
		}
		want = append(want, list...)
		at += n
	}
	for _, form := range []NBestForm{Keyed, Fielded} {
		var lines []string
		for i, row := range rows {
			switch line := ""; {
			case form == Keyed:
				if line = fmt.Sprintf("%s-%d %s", row.utterance, i, row.words); row.words == "" {
					line = strings.TrimSpace(line)
				}
				lines = append(lines, line)
			case i == 4:
				lines = append(lines, row.utterance+" ||| "+row.words)
			default:
				lines = append(lines, fmt.Sprintf("%s ||| %s ||| LM0= -1 x|||y </s> ||| %d", row.utterance, row.words, i))
			}
		}
		plain := strings.Join(lines, "\n") + "\n"
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		io.WriteString(z, plain)
		z.Close()
		for name, input := range map[string]string{"plain": plain, "CRLF": strings.ReplaceAll(plain, "\n", "\r\n"), "no last end": strings.TrimSuffix(plain, "\n"),
			"a byte order mark": "\ufeff" + plain, "gzip": packed.String()} {
			all, got, f, total, err := rescoreAll(t, m, nil, strings.NewReader(input))
			if err != nil || f != form || !slices.Equal(got, sizes) || len(all) != len(rows) {
				t.Fatalf("form %d, %s: lists %v of form %d, %d hypotheses, error %v", form, name, got, f, len(all), err)
			}
			var sum Rescored
			list, first := 0, 0
			for i, h := range all {
				if i-first == sizes[list] {
					list, first = list+1, i
				}
				w := Rescored{Format: jsonFormat, Line: i + 1, Utterance: rows[i].utterance, Words: rows[i].words, Input: lines[i],
					Tokens: want[i].Tokens, Unk: want[i].Unk, LogProb: want[i].LogProb, Best: i-first == best[list]}
				if !reflect.DeepEqual(h, w) {
					t.Errorf("form %d, %s: %+v, want %+v", form, name, h, w)
				}
				sum.Tokens, sum.Unk, sum.LogProb = sum.Tokens+h.Tokens, sum.Unk+h.Unk, sum.LogProb+h.LogProb
			}
			sum.Format, sum.Lines, sum.Utterances, sum.Model = jsonFormat, len(rows), len(sizes), &m.Config
			if !reflect.DeepEqual(total, sum) {
				t.Errorf("form %d, %s: total %+v, want %+v", form, name, total, sum)
			}
		}
	}
}

// TestWeights: the score is the last field and the weighted log-probability.
func TestWeights(t *testing.T) {
	m := testModels(t, text.Sentence)[1]
	weight := 0.5
	all, _, _, _, err := rescoreAll(t, m, &weight, strings.NewReader("0 ||| the fox ||| f ||| 1\n0 ||| over ||| 1e3\n0 |||  ||| f ||| g ||| 1000 \n"))
	if err != nil {
		t.Fatal(err)
	}
	best := 0
	for i, h := range all {
		if want := []float64{1, 1000, 1000}[i] + 0.5*h.LogProb; *h.Score != want || h.Value() != want {
			t.Errorf("%q: %v, want %v", h.Input, *h.Score, want)
		}
		if h.Value() > all[best].Value() {
			best = i
		}
	}
	for i, h := range all {
		if h.Best != (i == best) {
			t.Errorf("%q is best: %t", h.Input, h.Best)
		}
	}
}

// TestListsAreAnsweredAtOnce: a list is answered when the next one begins, while the input
// goes on.
func TestListsAreAnsweredAtOnce(t *testing.T) {
	m := testModels(t, text.Sentence)[1]
	r, err := NewRescorer(m, Mixture{})
	if err != nil {
		t.Fatal(err)
	}
	in, w := io.Pipe()
	answered, done := make(chan int), make(chan error)
	go func() {
		_, err := RescoreLists(r, in, nil, func(list []Rescored, _ NBestForm) error {
			answered <- len(list)
			return nil
		})
		done <- err
	}()
	io.WriteString(w, "a-1 the\na-2 fox\nb-1 the\n")
	if n := <-answered; n != 2 {
		t.Errorf("a list of %d, want 2", n)
	}
	w.Close()
	if n := <-answered; n != 1 {
		t.Errorf("a list of %d, want 1", n)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	stop := errors.New("stop")
	if _, err := RescoreLists(r, strings.NewReader("a-1 the\nb-1 the\n"), nil, func([]Rescored, NBestForm) error { return stop }); err != stop {
		t.Errorf("stopped with error %v", err)
	}
}

// TestBadLists: each mistake names its line, and the list that it is in is not answered.
func TestBadLists(t *testing.T) {
	m := testModels(t, text.Sentence)[1]
	weight := 1.0
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, strings.Repeat("a-1 the fox\n", 1000))
	z.Close()
	for _, c := range []struct {
		input    string
		weight   *float64
		answered int
		want     []string
	}{
		{"", nil, 0, []string{"standard input is empty"}},
		{"a-1 the\n\nb-1 the\n", nil, 0, []string{"line 2", `""`, "utterance-n"}},
		{"a-1 the\nb-1 fox\nthe fox\n", nil, 1, []string{"line 3", `"the"`}},
		{"a-1 the\n-1 the\n", nil, 0, []string{"line 2", `"-1"`}},
		{"a- the\n", nil, 0, []string{"line 1", `"a-"`}},
		{"a-1x the\n", nil, 0, []string{"line 1"}},
		{" a-1 the\n", nil, 0, []string{"line 1"}},
		{"a-1 the </s>\n", nil, 0, []string{"line 1", "</s>"}},
		{"0 ||| the\n1 ||| fox\na-1 the\n", nil, 1, []string{"line 3", "|||"}},
		{"0 ||| the\n ||| fox\n", nil, 0, []string{"line 2", "utterance is empty"}},
		{"0 ||| the ||| f ||| 3\n0 ||| the\n", &weight, 0, []string{"line 2", "no score"}},
		{"0 ||| the ||| f ||| three\n", &weight, 0, []string{"line 1", `"three"`}},
		{"0 ||| the ||| f ||| nan\n", &weight, 0, []string{"line 1", `"nan"`}},
		{"0 ||| the ||| f ||| 1e999\n", &weight, 0, []string{"line 1", `"1e999"`}},
		{"0 ||| the ||| f ||| \n", &weight, 0, []string{"line 1", `""`}},
		{"a-1 the\n", &weight, 0, []string{"line 1", "no score"}},
		{packed.String()[:packed.Len()-9], nil, 0, []string{"standard input", "cut off"}},
		{strings.Repeat("a-1 "+strings.Repeat("the ", 1<<20)+"\n", 17), nil, 0, []string{"line 16", `"a"`, "64.0 MiB"}},
	} {
		_, sizes, _, _, err := rescoreAll(t, m, c.weight, strings.NewReader(c.input))
		if err == nil || len(sizes) != c.answered || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %d lists, error %v", c.input, len(sizes), err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%.40q: error %v, want %s", c.input, err, want)
			}
		}
	}
}

// TestLimitsOfLists: the number of hypotheses is limited too, each list by itself, and sums
// are finite.
func TestLimitsOfLists(t *testing.T) {
	m := readNgrams(t, arpa)
	if _, sizes, _, _, err := rescoreAll(t, m, nil, strings.NewReader(strings.Repeat("a-1\n", maxHypotheses+1))); len(sizes) != 0 || err == nil ||
		!strings.Contains(err.Error(), `line 262145: the list of utterance "a" has more than 262,144 hypotheses`) {
		t.Errorf("a list too long: lists %v, error %v", sizes, err)
	}
	long := " ||| the ||| " + strings.Repeat("x", maxList*5/8) + "\n"
	if _, sizes, _, _, err := rescoreAll(t, m, nil, strings.NewReader("0"+long+"1"+long+"1 ||| fox\n")); err != nil || !slices.Equal(sizes, []int{1, 2}) {
		t.Errorf("two lists of 40 MiB: %v, error %v", sizes, err)
	}
	for _, weight := range []float64{math.MaxFloat64, -math.MaxFloat64} {
		if _, sizes, _, _, err := rescoreAll(t, m, &weight, strings.NewReader("0 ||| the ||| 1\n")); len(sizes) != 0 || err == nil || !strings.Contains(err.Error(), "line 1: its score, 1, and ") {
			t.Errorf("a weight of %v: lists %v, error %v", weight, sizes, err)
		}
	}
}

// FuzzNBestLine parses lines in both forms. The parts of a keyed line make up the line.
// Those of a line of fields, written anew, are the same.
func FuzzNBestLine(f *testing.F) {
	for _, line := range []string{"", "a-1 the fox", "a-b-2", "a-1\tx ", "-1 x", "a-\u0661 x", "0 ||| the fox ||| f= 1 ||| -2.5", "0\t|||\tx|||y\t|||", "0 |||", "||| x", "0 |||  |||  ||| nan", "00||| |||\v |||", "d\xff-1 \x00 |||| ||| 0x1p-2"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		keyed := Rescored{Input: line}
		if _, err := keyed.parse(Keyed, true); err == nil {
			t.Errorf("%q has a score without fields", line)
		}
		if _, err := keyed.parse(Keyed, false); err == nil {
			key, found := strings.CutPrefix(line, keyed.Utterance+"-")
			number := strings.TrimLeft(key, "0123456789")
			if words := strings.TrimLeft(number[:min(1, len(number))], " \t") + number[min(1, len(number)):]; !found || keyed.Utterance == "" || number == key || words != keyed.Words {
				t.Errorf("%q: utterance %q, words %q", line, keyed.Utterance, keyed.Words)
			}
			if strings.ContainsAny(keyed.Utterance, " \t") {
				t.Errorf("%q: a blank in utterance %q", line, keyed.Utterance)
			}
		}
		fielded := Rescored{Input: line}
		_, err := fielded.parse(Fielded, false)
		if scored, scoredErr := (&Rescored{Input: line}).parse(Fielded, true); scoredErr == nil && (err != nil || math.IsNaN(scored) || math.IsInf(scored, 0)) {
			t.Errorf("%q: score %v, error without it %v", line, scored, err)
		}
		if err != nil {
			return
		}
		if fielded.Utterance == "" || !strings.Contains(line, fieldMark) || !strings.Contains(line, fielded.Utterance) || !strings.Contains(line, fielded.Words) {
			t.Errorf("%q: utterance %q, words %q", line, fielded.Utterance, fielded.Words)
		}
		again := Rescored{Input: fmt.Sprintf("%s ||| %s ||| -2.5", fielded.Utterance, fielded.Words)}
		if score, err := again.parse(Fielded, true); err != nil || score != -2.5 || again.Utterance != fielded.Utterance || again.Words != fielded.Words {
			t.Errorf("%q: utterance %q, words %q; again %q, %q, %v, error %v", line, fielded.Utterance, fielded.Words, again.Utterance, again.Words, score, err)
		}
	})
}

// TestOpenNgrams: by content, an ARPA file, also compressed, or a model's; all else is an
// error of one line.
func TestOpenNgrams(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, arpa)
	z.Close()
	sentences, chars := testModels(t, text.Sentence), testModels(t, text.Char)
	model := string(encode(t, sentences[0]))
	var charARPA bytes.Buffer
	if _, err := chars[0].WriteARPA(&charARPA); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content string
		with    *Model
		noUnk   bool
	}{
		"an ARPA file":  {arpa, sentences[1], false},
		"a packed one":  {packed.String(), sentences[1], false},
		"without <unk>": {strings.Replace(strings.Replace(arpa, "-1.5	<unk>\n", "", 1), "1=6", "1=5", 1), sentences[1], true},
		"a model":       {model, sentences[1], false},
		"of characters": {charARPA.String(), chars[1], false},
	} {
		other, noUnk, err := OpenNgrams(file("n", c.content), c.with, func(float64) {})
		if err != nil || noUnk != c.noUnk || other.ngram == nil {
			t.Errorf("%s: no <unk>: %t, error %v", name, noUnk, err)
			continue
		}
		if _, err := NewRescorer(c.with, Mixture{Ngram: other, Lambda: 0.5}); err != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for name, path := range map[string]string{
		"empty":       file("empty", ""),
		"text":        file("text", "a text\n"),
		"cut":         file("cut", arpa[:len(arpa)-20]),
		"a cut model": file("cut.lm", model[:len(model)/2]),
		"an RNN":      file("rnn.lm", string(encode(t, sentences[1]))),
		"missing":     filepath.Join(dir, "missing"),
		"a folder":    dir,
	} {
		if _, _, err := OpenNgrams(path, sentences[0], func(float64) {}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
