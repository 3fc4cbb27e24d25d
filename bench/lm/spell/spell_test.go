package spell

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"batchrnn/bench/lm/text"
)

// within says whether got is at most tol from want, which a NaN never is.
func within(got, want, tol float64) bool { return math.Abs(got-want) <= tol }

const tale = "the cat sat on the mud mat and the rat ate the oats that the cat had sought at the gate of the great estate "

// speller returns a Speller of the words of a tale, of which n stay in the
// vocabulary.
func speller(t testing.TB, n int) (*Speller, *text.Corpus) {
	t.Helper()
	c, err := text.Build(text.New("a tale", []byte(strings.Repeat(tale, 3))), text.Options{Level: text.Word, MaxVocab: n})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Train(c.Rare, c.Vocab)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestLettersAreThoseOfUnicode(t *testing.T) {
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if (r < 0xd800 || r > 0xdfff) && !unicode.IsSpace(r) {
			n++
		}
	}
	if n != letters {
		t.Errorf("%d characters, not %d", n, letters)
	}
}

// All words outside the vocabulary share one: summed over all words of up to two
// letters, and what goes on from there.
func TestProbabilitiesAddUpToOne(t *testing.T) {
	vocab, err := text.NewVocabulary([]string{text.UnkToken, "a", "ab", "bab", "cc", "é"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Train([]string{"a", "abba", "baab", "aab", "b"}, vocab)
	if err != nil {
		t.Fatal(err)
	}
	// The share of all words that begin so, among all words.
	prefix := func(word string) float64 { return math.Exp(-(s.spell(word) - s.endCost(word))) }
	sum := 0.0
	const other = 'x' // stands for each character that is not known
	others := float64(letters - len(s.chars))
	var walk func(word string, times float64, depth int)
	walk = func(word string, times float64, depth int) {
		if depth == 3 {
			sum += times * prefix(word)
			return
		}
		sum += times * math.Exp(-s.spell(word))
		for _, c := range s.chars {
			walk(word+string(c), times, depth+1)
		}
		walk(word+string(other), times*others, depth+1)
	}
	walk("", 1, 0)
	if !within(sum, 1, 1e-5) {
		t.Errorf("all words add up to %v", sum)
	}
	impossible := 0.0
	for _, word := range []string{"", "a", "ab", "bab", "cc", "é"} {
		impossible += math.Exp(-s.spell(word))
	}
	if got := math.Exp(-s.others()); !within(got, 1-impossible, 1e-9) {
		t.Errorf("words outside the vocabulary have %v of all, want %v", got, 1-impossible)
	}
	if got, want := s.Nats("abba"), s.spell("abba")+math.Log(1-impossible); !within(got, want, 1e-9) {
		t.Errorf("a word costs %v nats, want %v", got, want)
	}
	if got, want := s.Total([]string{"abba", "x", "abba"}), 2*s.Nats("abba")+s.Nats("x"); !within(got, want, 1e-9) {
		t.Errorf("three words cost %v nats, want %v", got, want)
	}
}

// endCost is what the end costs after the characters of word.
func (s *Speller) endCost(word string) float64 {
	at := s.begin()
	for _, c := range word {
		at.Score(s.ids[c])
	}
	return at.Score(end)
}

func TestLikelySpellingsAreCheap(t *testing.T) {
	s, _ := speller(t, 4)
	if a, b, c := s.Nats("state"), s.Nats("gdmum"), s.Nats("語語語語語"); !(0 < a && a < b && b < c) || math.IsInf(c, 0) {
		t.Errorf("state costs %v nats, dqoio %v, five unknown characters %v", a, b, c)
	}
}

// Of one word, said over and over, and of a vocabulary that takes in nearly all,
// the figures stay finite.
func TestOddTexts(t *testing.T) {
	for _, words := range [][]string{{"a"}, {"aa", "aa", "aa", "aa"}, {text.UnkToken, text.UnkToken}, {strings.Repeat("語", 5000)}} {
		vocab, err := text.NewVocabulary([]string{text.UnkToken, "a", "aa"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Train(words, vocab)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range append(words, "b", strings.Repeat("é", 100)) {
			if v := s.Nats(w); math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("after %.20q: %.20q costs %v nats", words, w, v)
			}
		}
		s.NewPen(rand.New(rand.NewPCG(1, 1))).Append(nil)
	}
	if _, err := Train(nil, nil); err == nil {
		t.Error("learned from nothing")
	}
}

func TestPen(t *testing.T) {
	s, c := speller(t, 4)
	write := func(seed uint64) (words []string) {
		p := s.NewPen(rand.New(rand.NewPCG(seed, 1)))
		for range 200 {
			word := string(p.Append(nil))
			if word == "" || word == text.UnkToken || c.Vocab.Has([]byte(word)) || strings.ContainsFunc(word, unicode.IsSpace) {
				t.Errorf("drew %q", word)
			}
			words = append(words, word)
		}
		return words
	}
	if !slices.Equal(write(1), write(1)) || slices.Equal(write(1), write(2)) {
		t.Error("the words don't go with the seed")
	}
	p := s.NewPen(rand.New(rand.NewPCG(1, 1)))
	var dst []byte
	if n := testing.AllocsPerRun(100, func() { dst = p.Append(dst[:0]) }); n >= 1 {
		t.Errorf("%v allocations a word", n)
	}

	// Nothing but words of the vocabulary, nearly always.
	vocab, _ := text.NewVocabulary([]string{text.UnkToken, "a"})
	if s, _ = Train([]string{text.UnkToken}, vocab); !bytes.HasPrefix(s.NewPen(rand.New(rand.NewPCG(1, 1))).Append([]byte("x ")), []byte("x ")) {
		t.Error("dst is gone")
	}
}

// What a Pen draws is spread as Nats says.
func TestPenFollowsTheDistribution(t *testing.T) {
	vocab, _ := text.NewVocabulary([]string{text.UnkToken, "ab"})
	s, err := Train([]string{"a", "ab", "ab", "b", "b", "abb"}, vocab)
	if err != nil {
		t.Fatal(err)
	}
	const draws = 20_000
	counts := map[string]int{}
	p := s.NewPen(rand.New(rand.NewPCG(1, 1)))
	for range draws {
		counts[string(p.Append(nil))]++
	}
	// A Pen never draws an unknown character: compare ratios.
	for _, w := range []string{"a", "bb", "abb"} {
		got := float64(counts[w]) / float64(counts["b"])
		want := math.Exp(s.Nats("b") - s.Nats(w))
		if !within(got, want, 0.1*want+0.01) {
			t.Errorf("%q is drawn %.3f times as often as b, want %.3f", w, got, want)
		}
	}
}

func TestCharactersAreEquallyLikely(t *testing.T) {
	c, err := text.Build(text.New("a tale", []byte(tale+"é")), text.Options{Level: text.Char})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	want := math.Log(float64(0x110000 - 0x800 - (c.Vocab.Len() - 1)))
	if got := s.Total(c.TestUnk); len(c.TestUnk) != 1 || got != want || s.HasWords() || s.Bytes() != 0 {
		t.Errorf("%q cost %v nats, want %v", c.TestUnk, got, want)
	}
}

func encode(t testing.TB, s *Speller) []byte {
	t.Helper()
	var b bytes.Buffer
	if n, err := s.WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes, error %v", n, b.Len(), err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	s, c := speller(t, 4)
	file := encode(t, s)
	got, err := Read(bytes.NewReader(file), int64(len(file)), c.Vocab)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"state", "é", "the"} {
		if got.Nats(w) != s.Nats(w) {
			t.Errorf("%q costs %v nats, %v before", w, got.Nats(w), s.Nats(w))
		}
	}
	if !bytes.Equal(encode(t, got), file) || got.Bytes() != s.Bytes() {
		t.Error("writing it again gives another file")
	}
	for n := range file {
		if _, err := Read(bytes.NewReader(file[:n]), int64(n), c.Vocab); err == nil {
			t.Fatalf("cut to %d bytes: no error", n)
		}
	}
}

func TestReadRefusesOtherAlphabets(t *testing.T) {
	s, c := speller(t, 4)
	file := encode(t, s)
	length := int(file[0])
	if length < 4 || file[1] != 0 {
		t.Fatalf("an alphabet of %d bytes", length)
	}
	for name, change := range map[string]func(b []byte){
		"a letter twice": func(b []byte) { b[4] = b[5] },
		"a blank":        func(b []byte) { b[4] = ' ' },
		"not UTF-8":      func(b []byte) { b[4] = 0xff },
		"huge":           func(b []byte) { b[3] = 0xff },
		"too short":      func(b []byte) { b[0]-- },
	} {
		b := slices.Clone(file)
		change(b)
		if _, err := Read(bytes.NewReader(b), int64(len(b)), c.Vocab); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestReadBoundsTheAlphabet: an alphabet is refused by its length alone where it is
// longer than the file or than one of all letters.
func TestReadBoundsTheAlphabet(t *testing.T) {
	_, c := speller(t, 4)
	for _, test := range []struct {
		length, size int64
		refused      bool
	}{
		{16, 4 + 16, false},
		{17, 4 + 16, true},
		{letters * utf8.UTFMax, 1 << 40, false},
		{letters*utf8.UTFMax + 1, 1 << 40, true},
	} {
		head := binary.LittleEndian.AppendUint32(nil, uint32(test.length))
		_, err := Read(bytes.NewReader(head), test.size, c.Vocab)
		if err == nil || strings.Contains(err.Error(), "an alphabet of") != test.refused {
			t.Errorf("%+v: error %v", test, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	s, c := speller(f, 4)
	f.Add(encode(f, s))
	f.Add([]byte{1, 0, 0, 0, 'a'})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(bytes.NewReader(data), int64(len(data)), c.Vocab)
		if err == nil {
			s.NewPen(rand.New(rand.NewPCG(1, 1))).Append(nil)
			s.Nats("rats")
		}
	})
}
