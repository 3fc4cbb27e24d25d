package lm

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

func readARPA(file string, level *text.Level) (*Model, bool, error) {
	return ReadARPA(strings.NewReader(file), int64(len(file)), level, nil)
}

// TestARPARoundTrip: a model comes back as it was, but for what an ARPA file doesn't hold.
func TestARPARoundTrip(t *testing.T) {
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		c := testCorpus(t, level)
		for _, order := range []int{1, 3} {
			for _, store := range ngram.Stores {
				estimates, _, err := ngram.Estimate(c.Train, ngram.Config{Vocab: c.Vocab.Len(), Order: order, Marks: marksOf(c)})
				if err != nil {
					t.Fatal(err)
				}
				n, err := ngram.NewModel(estimates, store)
				if err != nil {
					t.Fatal(err)
				}
				m := NewNgram(n, c, Config{})
				var file bytes.Buffer
				if n, err := m.WriteARPA(&file); err != nil || n != int64(file.Len()) {
					t.Fatalf("wrote %d of %d bytes, error %v", n, file.Len(), err)
				}
				got, noUnk, err := ReadARPA(bytes.NewReader(file.Bytes()), int64(file.Len()), nil, &store)
				if err != nil || noUnk {
					t.Fatalf("%v, %v: no <unk> %t, error %v", level, store, noUnk, err)
				}
				if got.level != level || got.Config.Name() != m.Config.Name() || got.ngram.Store() != store || (got.Speller != nil) != (level == text.Char) {
					t.Errorf("%v, %v: %s of level %v in a %v", level, store, got.Config.Name(), got.level, got.ngram.Store())
				}
				if !bytes.Equal(got.Vocab.Append(nil), m.Vocab.Append(nil)) || !reflect.DeepEqual(got.ngram, m.ngram) {
					t.Errorf("%v, %v, order %d: another model comes back", level, store, order)
				}
			}
		}
	}
	network := testModels(t, text.Char)[1]
	if _, err := network.WriteARPA(&bytes.Buffer{}); err == nil {
		t.Error("an RNN wrote n-grams")
	}
}

// TestARPACharacters: every character that a text may hold can be written, and comes back.
func TestARPACharacters(t *testing.T) {
	var all strings.Builder
	for r := rune(0); r < 0x3100; r++ { // all white space and control characters are below
		all.WriteRune(r)
	}
	c, err := text.Build(text.New("characters", []byte(strings.Repeat(all.String(), 20))), text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	estimates, _, err := ngram.Estimate(c.Train, ngram.Config{Vocab: c.Vocab.Len(), Order: 2})
	if err != nil {
		t.Fatal(err)
	}
	n, err := ngram.NewModel(estimates, ngram.Trie)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	m := NewNgram(n, c, Config{})
	if _, err := m.WriteARPA(&file); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<U+0000>", "<U+0009>", "<U+000A>", "<U+0020> !", "<U+0085>", "<U+00A0>", "<U+2028>", "\t\\ ]\n", "\t< =\n"} {
		if !strings.Contains(file.String(), want) {
			t.Errorf("the file has no %q", want)
		}
	}
	got, _, err := readARPA(file.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.level != text.Char || !bytes.Equal(got.Vocab.Append(nil), m.Vocab.Append(nil)) {
		t.Errorf("level %v, %d tokens, want %d", got.level, got.Vocab.Len(), m.Vocab.Len())
	}
}

// arpaOf returns a file of these words, equally likely.
func arpaOf(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\\data\\\nngram 1=%d\n\n\\1-grams:\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&b, "-1\t%s\n", word)
	}
	b.WriteString("\n\\end\\\n")
	return b.String()
}

func TestARPALevels(t *testing.T) {
	char, word := text.Char, text.Word
	for _, c := range []struct {
		words string
		level *text.Level
		want  text.Level
		err   string
	}{
		{"<unk> a b c", nil, text.Word, ""},
		{"<unk> a b c", &char, text.Char, ""},
		{"<unk> a <U+0020>", nil, text.Char, ""},
		{"<unk> a <U+0020>", &word, text.Word, ""},
		{"<unk> <s> </s> a <U+000A>", nil, text.Sentence, ""},
		{"<unk> <s> </s> a <U+000A>", &word, text.Sentence, ""},
		{"<unk> <s> </s> a <U+000A>", &char, 0, "<s> and </s> are among the words"},
		{"<unk> b </s> a <s>", nil, text.Sentence, ""},
		{"<unk> <s> a", nil, text.Word, ""},
		{"<unk> ab <U+0020>", nil, text.Word, ""},
		{"<unk> ab <U+0020>", &char, 0, `word "ab" is no character`},
		{"<unk> <U+0061>", &char, 0, `word "<U+0061>" is no character`}, // an a is written as itself
		{"<unk> <U+20>", &char, 0, `word "<U+20>" is no character`},
		{"<unk> <U+FFFFFFFF>", &char, 0, "is no character"},
		{"<unk> <U+0020", &char, 0, "is no character"},
		{"<unk> caf\xe9", nil, 0, `word "caf\xe9" is not UTF-8`},
		{"a b", nil, text.Word, ""},
	} {
		m, noUnk, err := readARPA(arpaOf(strings.Fields(c.words)...), c.level)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want one with %q", c.words, err, c.err)
			}
			continue
		}
		if err != nil || m.level != c.want || noUnk == strings.Contains(c.words, "<unk>") {
			t.Errorf("%s: level %v, no <unk> %t, error %v", c.words, m.level, noUnk, err)
		}
	}
	if _, _, err := readARPA("prose", nil); err == nil {
		t.Error("prose was read")
	}
	if _, _, err := ReadARPA(strings.NewReader(""), math.MaxInt64, nil, nil); err == nil || !strings.Contains(err.Error(), "memory are free") {
		t.Errorf("a file beyond memory: error %v", err)
	}
}

// TestARPAOfOthers: vocabularies without <unk>, with <UNK> or with <unk> in another place
// make a model that scores and is saved.
func TestARPAOfOthers(t *testing.T) {
	const file = `\data\
ngram 1=5
ngram 2=3

\1-grams:
-1.5	<unk>	0
-99	<s>	-0.5
-0.6	</s>	0
-0.4	red	-0.2
-0.7	car	-0.3

\2-grams:
-0.2	car </s>
-0.1	<s> red
-0.3	red car

\end\
`
	unk := "-1.5\t<unk>\t0\n"
	for name, c := range map[string]struct {
		file string
		want float64 // log10 of "red bus car" after <s>, with </s>
	}{
		"<unk> first": {file, -0.1 + -0.2 + -1.5 + -0.7 + -0.2},
		"<unk> last":  {strings.Replace(strings.Replace(file, unk, "", 1), "-0.3\n\n", "-0.3\n"+unk+"\n", 1), -0.1 + -0.2 + -1.5 + -0.7 + -0.2},
		"<UNK>":       {strings.Replace(file, "<unk>", "<UNK>", 1), -0.1 + -0.2 + -1.5 + -0.7 + -0.2},
		"no <unk>":    {strings.Replace(strings.Replace(file, unk, "", 1), "1=5", "1=4", 1), -0.1 + -0.2 + -100 + -0.7 + -0.2},
	} {
		m, noUnk, err := readARPA(c.file, nil)
		if err != nil || noUnk != (name == "no <unk>") {
			t.Fatalf("%s: no <unk> %t, error %v", name, noUnk, err)
		}
		saved := encode(t, m)
		if m, err = Read(bytes.NewReader(saved), int64(len(saved)), newEngine(t)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ids := m.Vocab.Encode(nil, m.level, []byte("red bus car"))
		nats, err := m.Score(context.Background(), nil, ids)
		if got := -nats / math.Ln10; err != nil || !(math.Abs(got-c.want) <= 1e-5) {
			t.Errorf("%s: log10 %v, want %v, error %v", name, got, c.want, err)
		}
	}
}

// TestNgramFilesAreReproducible: the same text and options give the same file, in any store.
func TestNgramFilesAreReproducible(t *testing.T) {
	corpus := writeText(t)
	for _, store := range append([]*ngram.Store{nil}, pointers(ngram.Stores)...) {
		var files [2][]byte
		for i := range files {
			training, err := NewTraining(TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus)}, Kind: Ngram, Store: store, Threads: 1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			m, trained, err := training.Run(t.Context(), func(Progress) {})
			training.Close()
			if err != nil {
				t.Fatal(err)
			}
			if want := value(store, ngram.Trie); m.ngram.Store() != want || !(trained.TrainSeconds > 0) || m.Config.TrainSeconds != 0 {
				t.Errorf("a %v, trained in %v s, %v in the file", m.ngram.Store(), trained.TrainSeconds, m.Config.TrainSeconds)
			}
			files[i] = encode(t, m)
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%v: another file at the second training", value(store, ngram.Trie))
		}
		read, err := Read(bytes.NewReader(files[0]), int64(len(files[0])), newEngine(t))
		if err != nil || strings.Contains(read.Config.Description(), "(") != (value(store, ngram.Trie) != ngram.Trie) {
			t.Errorf("read as %s, error %v", read.Config.Description(), err)
		}
	}
}

func pointers[T any](list []T) (p []*T) {
	for _, v := range list {
		p = append(p, &v)
	}
	return p
}
