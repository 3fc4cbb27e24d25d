package lm

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

const fable = "the quick brown fox\njumps over\n\nthe lazy dog\nfox the dog\n"

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSentencesAreScoredByThemselves: a line costs the same alone and in a text, wherever
// it stands, </s> included.
func TestSentencesAreScoredByThemselves(t *testing.T) {
	lines := strings.SplitAfter(strings.Repeat(fable, 20)+strings.Repeat("over the dog ", 60)+"\nzebra fox\n", "\n")
	lines = lines[:len(lines)-1]
	for _, m := range testModels(t, text.Sentence) {
		var alone []float64 // by token
		unk := 0
		for _, line := range lines {
			total, err := ScoreLines(m, strings.NewReader(line), true, func(s Score, _ bool) error {
				if want := len(strings.Fields(line)) + 1; s.Tokens != want || s.Sentences != 1 || s.TokenCosts[want-1].Token != text.EndToken || !(s.Bits > 0) {
					t.Errorf("%s: %q: %+v", m.Config.Name(), line, s)
				}
				for _, c := range s.TokenCosts {
					alone = append(alone, c.Bits)
					if c.Unk {
						unk++
					}
				}
				return nil
			})
			if err != nil || total.TextBytes != len(strings.Join(strings.Fields(line), " "))+1 {
				t.Fatalf("%s: %q: %+v, error %v", m.Config.Name(), line, total, err)
			}
		}
		ids := m.Vocab.Encode(nil, m.Level(), []byte(strings.Join(lines, "")))
		losses, err := m.Losses(t.Context(), nil, ids)
		if err != nil || len(losses) != len(alone) {
			t.Fatal(len(losses), len(alone), err)
		}
		for i, l := range losses {
			if got := Bits(float64(l), 1); !(math.Abs(got-alone[i]) <= 1e-5*(1+got)) {
				t.Fatalf("%s: token %d costs %v bits in the text, %v alone", m.Config.Name(), i, got, alone[i])
			}
		}
		e, err := Evaluate(t.Context(), m, fileInput(writeFile(t, strings.Join(lines, ""))), SplitAuto, nil, func(Progress) {})
		sum := 0.0
		for _, v := range alone {
			sum += v
		}
		if err != nil || e.Split != SplitAll || !(math.Abs(e.Bits-sum) <= 1e-5*sum) || e.Sentences != len(lines) || e.Unk != unk || unk == 0 || e.Tokens != len(ids) {
			t.Errorf("%s: %+v, error %v, want %v bits", m.Config.Name(), e, err, sum)
		}
	}
}

// TestCosts: the figures of a text follow from those of its tokens.
func TestCosts(t *testing.T) {
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		for _, m := range testModels(t, level)[:2] {
			const line = "the zébra jumps ÿ over"
			total, err := ScoreLines(m, strings.NewReader(line+"\n"), true, func(s Score, _ bool) error {
				var all, known, spelled float64
				unk, bytes := 0, 0
				for _, c := range s.TokenCosts {
					all += c.Bits
					if c.Unk {
						unk++
						spelled += Bits(m.Speller.Nats(c.Token), 1)
					} else {
						known += c.Bits
					}
					bytes += len(c.Token)
				}
				if level != text.Char {
					bytes = len(line) + 1
				}
				n := float64(s.Tokens)
				near := func(name string, got, want float64) {
					if !(math.Abs(got-want) <= 1e-9*want) {
						t.Errorf("%v, %s: %s is %v, want %v", level, m.Config.Name(), name, got, want)
					}
				}
				near("bits", s.Bits, all)
				near("perplexity", float64(s.Perplexity), math.Exp2(all/n))
				near("bits of known tokens", s.KnownBits, known/(n-float64(unk)))
				near("their perplexity", float64(s.Known), math.Exp2(known/(n-float64(unk))))
				near("adjusted bits", s.AdjustedBits, (all+spelled)/n)
				near("adjusted perplexity", float64(s.Adjusted), math.Exp2((all+spelled)/n))
				near("bits per byte", s.BitsPerByte, (all+spelled)/float64(bytes))
				near("bytes", float64(s.TextBytes), float64(bytes))
				if s.Unk != unk || unk == 0 || !(math.Abs(s.UnkRate-float64(unk)/n) <= 1e-12) {
					t.Errorf("%v: %d unknown of rate %v, want %d", level, s.Unk, s.UnkRate, unk)
				}
				return nil
			})
			if err != nil || total.Lines != 1 {
				t.Error(total, err)
			}
			m.Speller = nil
			total, err = ScoreLines(m, strings.NewReader(line), false, func(s Score, _ bool) error { return nil })
			if err != nil || !total.AdjustedUnknown || total.Adjusted != 0 || total.BitsPerByte != 0 || !(total.Known > 1) || total.TokenCosts != nil {
				t.Errorf("%v, without a speller: %+v, error %v", level, total, err)
			}
		}
	}
}

// TestMarksInAText: they are no words, neither to evaluate nor to score nor to begin with.
func TestMarksInAText(t *testing.T) {
	m := testModels(t, text.Sentence)[0]
	if _, err := Evaluate(t.Context(), m, fileInput(writeFile(t, "the fox\nthe </s> dog\n")), SplitAll, nil, func(Progress) {}); err == nil || !strings.Contains(err.Error(), "line 2: </s>") {
		t.Errorf("evaluation: error %v", err)
	}
	lines := 0
	_, err := ScoreLines(m, strings.NewReader("fox\n\n<s> dog\n"), false, func(Score, bool) error { lines++; return nil })
	if err == nil || !strings.Contains(err.Error(), "line 3: <s>") || lines != 2 {
		t.Errorf("scores of %d lines: error %v", lines, err)
	}
	if _, err := Draw(m, SampleOptions{Length: 1, Prompt: "the <s>"}, func([]byte) error { return nil }); err == nil || !strings.Contains(err.Error(), "Prompt") {
		t.Errorf("prompt: error %v", err)
	}
}

// TestDrawSentences: what follows a prompt goes on in its last line, and each sentence
// drawn is a line.
func TestDrawSentences(t *testing.T) {
	for _, m := range testModels(t, text.Sentence) {
		for _, test := range []struct {
			prompt string
			fed    []string
		}{{"", nil}, {"the quick", []string{"the", "quick"}}, {"fox\nthe", []string{"the"}}, {"fox\n", nil}} {
			want := newSampler(t, m, rnn.Sampling{Temperature: 1, Seed: 1})
			for _, word := range test.fed {
				want.Feed(m.Vocab.ID(word))
			}
			var text []byte
			ends := 0
			for range 200 {
				id, err := want.Next()
				if err != nil {
					t.Fatal(err)
				}
				if m.ends(id) {
					ends++
				}
				text = want.AppendText(append([]byte(nil), text...), id)
			}
			s, err := Draw(m, SampleOptions{Length: 200, Temperature: 1, Seed: 1, Prompt: test.prompt}, func([]byte) error { return nil })
			if err != nil || strings.TrimPrefix(s.Text, " ") != string(text) || strings.Count(s.Text, "\n") != ends || ends == 0 || strings.Contains(s.Text, "<") || strings.Contains(s.Text, "\n ") {
				t.Errorf("%s, %q: %q, error %v, want %q", m.Config.Name(), test.prompt, s.Text, err, text)
			}
		}
	}
}

// TestReadSentences: a file of sentences whose vocabulary lacks a mark is damaged.
func TestReadSentences(t *testing.T) {
	m := testModels(t, text.Word)[0]
	m.Config.Level = text.Sentence.String()
	file := encode(t, m)
	if _, err := Read(strings.NewReader(string(file)), int64(len(file)), newEngine(t)); err == nil || !strings.Contains(err.Error(), "<s> or </s> is missing") {
		t.Errorf("error %v", err)
	}
}

// TestParts: texts of their own leave all of the corpus to training, but for what an RNN
// needs to validate on.
func TestParts(t *testing.T) {
	corpus, valid, test := writeFile(t, strings.Repeat(fable, 40)), writeFile(t, "the dog jumps over\nbrown fox\n"), writeFile(t, "the quick zébra\n")
	tokens := func(level text.Level, path string) int {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return len(slices.Collect(level.Tokens(raw)))
	}
	hidden, epochs := 4, 1.0
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		all, ofValid, ofTest := tokens(level, corpus), tokens(level, valid), tokens(level, test)
		for _, kind := range []string{Ngram, RNN} {
			for _, of := range []struct {
				name        string
				valid, test *string
				all         bool
			}{
				{"cut", nil, nil, false}, {"valid", &valid, nil, false}, {"test", nil, &test, false}, {"both", &valid, &test, false}, {"all", nil, nil, true},
			} {
				o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus), Level: level}, Kind: kind, Valid: of.valid, Test: of.test, All: of.all, Threads: 1}
				if kind == RNN {
					o.Hidden, o.Epochs = &hidden, &epochs
				}
				training, err := NewTraining(o, nil)
				if err != nil {
					t.Fatal(err)
				}
				m, trained, err := training.Run(t.Context(), func(Progress) {})
				if err != nil {
					t.Fatal(err)
				}
				c := training.Corpus()
				name := level.String() + " " + kind + " " + of.name
				cuts := 0 // parts that are cut off
				switch {
				case of.name == "cut":
					cuts = 2
				case kind == RNN && of.valid == nil:
					cuts = 1
				}
				cut := all - c.Train
				if (cut == 0) != (cuts == 0) || !(math.Abs(float64(cut)-float64(cuts*all/20)) <= 10) {
					t.Errorf("%s: %d of %d tokens are for training", name, c.Train, all)
				}
				switch {
				case of.valid != nil && (c.Valid != ofValid || c.ValidName != valid || c.ValidSHA256 == ""):
					t.Errorf("%s: validation on %d tokens of %q, want %d", name, c.Valid, c.ValidName, ofValid)
				case of.valid == nil && (c.Valid == 0) != (cuts == 0) || of.valid == nil && c.ValidName != "":
					t.Errorf("%s: validation on %d tokens", name, c.Valid)
				case of.test != nil && (c.Test != ofTest || c.TestName != test || !(c.UnkRate > 0) || !(trained.Adjusted > trained.Perplexity) || trained.Unscored):
					t.Errorf("%s: test on %d tokens of %q, want %d: %+v", name, c.Test, c.TestName, ofTest, trained)
				case of.test == nil && of.name != "cut" && (c.Test != 0 || trained.Perplexity != 0 || trained.Unscored):
					t.Errorf("%s: test on %d tokens: %+v", name, c.Test, trained)
				}
				if (m.Config.ValidBits > 0) != (c.Valid > 0) {
					t.Errorf("%s: %v bits of %d tokens", name, m.Config.ValidBits, c.Valid)
				}
				if of.test != nil {
					e, err := Evaluate(t.Context(), m, fileInput(test), SplitAuto, nil, func(Progress) {})
					if err != nil || e.Seen || !(math.Abs(e.BitsPerToken-trained.BitsPerToken) <= 1e-6) {
						t.Errorf("%s: the training says %v bits, the evaluation %+v, error %v", name, trained.BitsPerToken, e, err)
					}
				}
				// Of the corpus, what was learned is not taken for the test.
				want := SplitAll
				if of.name == "cut" {
					want = SplitTest
				}
				e, err := Evaluate(t.Context(), m, fileInput(corpus), SplitAuto, nil, func(Progress) {})
				if err != nil || e.Split != want || e.Seen != (want == SplitAll) {
					t.Errorf("%s: the corpus is evaluated as split %s, seen %t, error %v", name, e.Split, e.Seen, err)
				}
				if e, err = Evaluate(t.Context(), m, fileInput(corpus), SplitTest, nil, func(Progress) {}); (err == nil) != (want == SplitTest) || err != nil && !strings.Contains(err.Error(), "nothing was held out") {
					t.Errorf("%s: the test split of the corpus: %+v, error %v", name, e.Costs, err)
				}
				training.Close()
				if raw, err := json.Marshal(trained); err != nil || strings.Contains(string(raw), "NaN") {
					t.Errorf("%s: %s, error %v", name, raw, err)
				}
			}
		}
	}
}

// TestBadParts names the option of the text that can't be read.
func TestBadParts(t *testing.T) {
	corpus, blank, missing, stdin, empty := writeText(t), writeFile(t, " \n"), filepath.Join(t.TempDir(), "none"), text.Stdin, ""
	for name, of := range map[string]struct {
		valid, test *string
		want        string
	}{
		"no validation text":  {&missing, nil, "Valid: "},
		"no test text":        {nil, &missing, "Test: "},
		"blank validation":    {&blank, nil, "Valid: "},
		"blank test":          {nil, &blank, "Test: "},
		"nameless":            {nil, &empty, "Test: the name is empty"},
		"one input for both":  {&stdin, &stdin, "Test: standard input is read already, for Valid"},
		"nothing on the pipe": {&stdin, nil, "Valid: "},
	} {
		o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus), Level: text.Word}, Kind: Ngram, Valid: of.valid, Test: of.test, Threads: 1}
		if _, err := NewTraining(o, strings.NewReader("")); err == nil || !strings.HasPrefix(err.Error(), of.want) {
			t.Errorf("%s: error %v, want %s", name, err, of.want)
		}
	}
}

// TestVocabularyOfSentences: n-grams have all words, as those of lmplz. RNNs have to meet
// <unk>.
func TestVocabularyOfSentences(t *testing.T) {
	corpus, test, five := writeFile(t, "a b a b c\nc d\n"), writeFile(t, "a e\n"), 5
	for _, of := range []struct {
		kind  string
		vocab *int
		want  []string
	}{
		{Ngram, nil, []string{"<unk>", "<s>", "</s>", "a", "b", "c", "d"}},
		{Ngram, &five, []string{"<unk>", "<s>", "</s>", "a", "b"}},
		{RNN, nil, []string{"<unk>", "<s>", "</s>", "a", "b", "c"}},
	} {
		o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus), Level: text.Sentence, Vocab: of.vocab}, Kind: of.kind, Valid: &test, Test: &test, Threads: 1}
		training, err := NewTraining(o, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for id := range training.data.Vocab.Len() {
			got = append(got, training.data.Vocab.Token(int32(id)))
		}
		if !slices.Equal(got, of.want) {
			t.Errorf("%s: vocabulary %q, want %q", of.kind, got, of.want)
		}
		training.Close()
	}
}

// TestPerplexityBeyondFloat64: it is told so by all that scores.
func TestPerplexityBeyondFloat64(t *testing.T) {
	for _, m := range testModels(t, text.Word)[1:3] {
		for i := range m.rnn.Slab {
			m.rnn.Slab[i] *= 1e5
		}
		m.rnn.Update()
		total, err := ScoreLines(m, strings.NewReader("lazy dog jumps over\n"), false, func(s Score, _ bool) error { return nil })
		if err != nil || !math.IsInf(float64(total.Perplexity), 1) || !(total.BitsPerToken > 1024) || math.IsInf(total.BitsPerToken, 0) {
			t.Fatalf("%+v, error %v", total, err)
		}
		e, err := Evaluate(t.Context(), m, fileInput(writeFile(t, "lazy dog jumps over the fox")), SplitAll, nil, func(Progress) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []any{total, e, Trained{Perplexity: PerplexityOf(2000)}} {
			if raw, err := json.Marshal(v); err != nil || !strings.Contains(string(raw), `"perplexity":null`) {
				t.Errorf("%s, error %v", raw, err)
			}
		}
	}
}
