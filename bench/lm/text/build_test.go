package text

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"
)

// build makes a corpus of s or fails the test.
func build(t *testing.T, s string, opt Options) *Corpus {
	t.Helper()
	c, err := Build(New("test", []byte(s)), opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tokensOf returns the vocabulary, by id.
func tokensOf(v *Vocab) []string {
	var tokens []string
	for id := range v.Len() {
		tokens = append(tokens, v.Token(int32(id)))
	}
	return tokens
}

func TestSplits(t *testing.T) {
	for _, tc := range []struct{ tokens, train, valid, test int }{
		{20, 18, 1, 1},
		{21, 19, 1, 1},
		{39, 37, 1, 1},
		{40, 36, 2, 2},
		{1000, 900, 50, 50},
		{1019, 919, 50, 50},
	} {
		for _, level := range []Level{Char, Word} {
			s := strings.Repeat("é", tc.tokens)
			if level == Word {
				s = strings.Repeat("é \n", tc.tokens)
			}
			c := build(t, s, Options{Level: level})
			if len(c.Train) != tc.train || len(c.Valid) != tc.valid || len(c.Test) != tc.test || c.Tokens() != tc.tokens {
				t.Errorf("%v, %d tokens: split %d/%d/%d, want %d/%d/%d", level, tc.tokens,
					len(c.Train), len(c.Valid), len(c.Test), tc.train, tc.valid, tc.test)
			}
		}
	}
}

func TestSplitsKeepTheOrder(t *testing.T) {
	s := strings.Repeat("abcdefghij", 10)
	c := build(t, s, Options{})
	var got strings.Builder
	for _, part := range [][]int32{c.Train, c.Valid, c.Test} {
		for _, id := range part {
			got.WriteString(c.Vocab.Token(id))
		}
	}
	if got.String() != s {
		t.Errorf("parts joined = %q, want the text", got.String())
	}
	// The parts share an array: growing one must not write into the next.
	first := c.Valid[0]
	_ = append(c.Train, first+1)
	if c.Valid[0] != first {
		t.Error("append to Train changed Valid")
	}
}

func TestVocab(t *testing.T) {
	// 20 words, so 18 for training; x and y are in the held-out parts only.
	const words = "b a c a\u00a0d b\r\na e\tc b a f a g d h b i x y"
	for _, tc := range []struct {
		name  string
		text  string
		opt   Options
		vocab string
		train string
		unk   float64
	}{
		{
			// a 5, b 4, then c and d with 2, and the rest with 1, by first
			// appearance.
			name: "no limit", text: words, opt: Options{Level: Word},
			vocab: "<unk> a b c d e f g h i",
			train: "b a c a d b a e c b a f a g d h b i", unk: 1,
		},
		{
			name: "tie cut by first appearance", text: words, opt: Options{Level: Word, MaxVocab: 4},
			vocab: "<unk> a b c",
			train: "b a c a <unk> b a <unk> c b a <unk> a <unk> <unk> <unk> b <unk>", unk: 1,
		},
		{
			name: "two entries", text: words, opt: Options{Level: Word, MaxVocab: 2},
			vocab: "<unk> a",
			train: "<unk> a <unk> a <unk> <unk> a <unk> <unk> <unk> a <unk> a <unk> <unk> <unk> <unk> <unk>", unk: 1,
		},
		{
			name: "limit above what there is", text: words, opt: Options{Level: Word, MaxVocab: 1000},
			vocab: "<unk> a b c d e f g h i",
			train: "b a c a d b a e c b a f a g d h b i", unk: 1,
		},
		{
			name: "the text says <unk> itself", text: strings.Repeat("<unk> z ", 10), opt: Options{Level: Word},
			vocab: "<unk> z",
			train: strings.Repeat("<unk> z ", 9), unk: 0,
		},
		{
			name: "code points", text: "éa語é" + strings.Repeat("é", 14) + "aß", opt: Options{Level: Char},
			vocab: "<unk> é a 語",
			train: "é a 語 é" + strings.Repeat(" é", 14), unk: 1,
		},
		{
			name: "code points with a limit", text: "ba" + strings.Repeat("c", 16) + "aa", opt: Options{Level: Char, MaxVocab: 3},
			vocab: "<unk> c b",
			train: "b <unk>" + strings.Repeat(" c", 16), unk: 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := build(t, tc.text, tc.opt)
			if got := strings.Join(tokensOf(c.Vocab), " "); got != tc.vocab {
				t.Errorf("vocabulary %q, want %q", got, tc.vocab)
			}
			var train []string
			for _, id := range c.Train {
				train = append(train, c.Vocab.Token(id))
			}
			if want := strings.Fields(tc.train); !slices.Equal(train, want) {
				t.Errorf("train %q, want %q", train, want)
			}
			if c.UnkRate != tc.unk {
				t.Errorf("UnkRate %v, want %v", c.UnkRate, tc.unk)
			}
			if got := c.Vocab.ID("no such token"); got != Unk {
				t.Errorf("ID of an unknown token = %d", got)
			}
		})
	}
}

func TestUnkRates(t *testing.T) {
	// 40 words: 36 for training, of which 9 are rare; 2 of validation; in the
	// test one that is known and one that isn't.
	s := strings.Repeat("a a a r ", 9) + "a a a new"
	c := build(t, s, Options{Level: Word, MaxVocab: 2})
	if c.TrainUnkRate != 0.25 || c.UnkRate != 0.5 {
		t.Errorf("rates %v and %v, want 0.25 and 0.5", c.TrainUnkRate, c.UnkRate)
	}
}

func TestBuildErrors(t *testing.T) {
	long := strings.Repeat("word ", 20)
	for _, tc := range []struct {
		name, text string
		opt        Options
		want       string
	}{
		{"empty", "", Options{}, "0 at level char, at least 20"},
		{"one character", "x", Options{}, "1 at level char, at least 20"},
		{"one word", "word", Options{Level: Word}, "1 at level word, at least 20"},
		{"only white space", strings.Repeat(" \n", 50), Options{Level: Word}, "0 at level word"},
		{"one too few", strings.Repeat("語", 19), Options{}, "19 at level char"},
		{"negative vocabulary", long, Options{MaxVocab: -1}, "vocabulary of -1"},
		{"room for <unk> only", long, Options{MaxVocab: 1}, "vocabulary of 1"},
		{"no such level", long, Options{Level: 7}, "Level(7)"},
		{"<unk> alone", strings.Repeat("<unk> ", 20), Options{Level: Word}, "is <unk> alone in its training part"},
		{"<unk> alone, counted", strings.Repeat("<unk> ", 20), Options{Level: Word, MinCount: 2, MaxVocab: 5}, "is <unk> alone in its training part"},
		{"<unk> alone to train on", strings.Repeat("<unk> ", 19) + "word", Options{Level: Word}, "is <unk> alone in its training part"},
		{"<unk> and rare words", strings.Repeat("<unk> ", 17) + "one two three", Options{Level: Word, MinCount: 2}, "has no token 2 times"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Build(New("test", []byte(tc.text)), tc.opt)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, tc.want)
			}
		})
	}
}

func TestBuildCarriesWhatTheTextSays(t *testing.T) {
	text := Synthetic(3, 1000)
	text.BadBytes = 5
	c, err := Build(text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != text.Name || c.SHA256 != text.SHA256 || c.Bytes != 1000 || c.BadBytes != 5 || !c.Synthetic || c.Level != Char {
		t.Errorf("corpus %+v", c)
	}
}

func TestLevel(t *testing.T) {
	for s, want := range map[string]Level{"char": Char, "word": Word} {
		if got, err := ParseLevel(s); err != nil || got != want || got.String() != s {
			t.Errorf("ParseLevel(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "Char", "words", "1"} {
		if _, err := ParseLevel(s); err == nil || !strings.Contains(err.Error(), "char or word") {
			t.Errorf("ParseLevel(%q): error %v", s, err)
		}
	}
}

// fuzzLimit is the largest text that FuzzBuild reads, in bytes.
const fuzzLimit = 1 << 20

// reference returns what raw holds as text and how many of its bytes are bad, by the
// standard library where it has a word to say. readable is false if raw is compressed data that
// is damaged.
func reference(raw []byte) (plain string, bad int, readable bool) {
	if r, compressed, err := decompress(newBuffer(bytes.NewReader(raw)), fuzzLimit); compressed {
		if err != nil {
			return "", 0, false
		}
		if raw, err = io.ReadAll(io.LimitReader(r, fuzzLimit+1)); err != nil || len(raw) > fuzzLimit {
			return "", 0, false
		}
	}
	has := func(mark string) bool { return bytes.HasPrefix(raw, []byte(mark)) }
	for _, e := range []struct {
		mark  string
		width int
		order binary.ByteOrder
	}{
		{"\xff\xfe\x00\x00", 4, binary.LittleEndian}, {"\x00\x00\xfe\xff", 4, binary.BigEndian},
		{"\xff\xfe", 2, binary.LittleEndian}, {"\xfe\xff", 2, binary.BigEndian},
	} {
		if !has(e.mark) {
			continue
		}
		raw = raw[len(e.mark):]
		units := make([]uint16, 0, len(raw))
		var runes []rune
		for len(raw) >= e.width {
			if e.width == 2 {
				units = append(units, e.order.Uint16(raw))
			} else if r := rune(e.order.Uint32(raw)); utf8.ValidRune(r) {
				runes = append(runes, r)
			} else {
				runes, bad = append(runes, utf8.RuneError), bad+4
			}
			raw = raw[e.width:]
		}
		if e.width == 2 {
			runes = utf16.Decode(units)
			own := 0 // U+FFFD of the text
			for _, u := range units {
				if u == utf8.RuneError {
					own++
				}
			}
			bad = 2 * (strings.Count(string(runes), "\uFFFD") - own)
		}
		if len(raw) > 0 {
			runes, bad = append(runes, utf8.RuneError), bad+len(raw)
		}
		return string(runes), bad, true
	}
	if has("\xef\xbb\xbf") {
		raw = raw[3:]
	}
	plain = string([]rune(string(raw))) // replaces each bad byte
	return plain, (len(plain) - len(raw)) / 2, true
}

// FuzzBuild reads any bytes and holds the promises of Read and Build to them.
func FuzzBuild(f *testing.F) {
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), true, 0)
	f.Add([]byte(strings.Repeat("to be or not to be ", 10)), false, 4)
	f.Add([]byte("\xff\xfe\x00t\x00e\xed\xa0\x80xt \xf0\x9f\x98\x80 \xe2\x82 \xef\xbf\xbd"), true, 2)
	f.Add([]byte("\xc3\x28\u0085\u2028<unk> <unk>"), false, -1)
	f.Add([]byte(strings.Repeat("<unk> ", 30)), false, 0)
	f.Add([]byte("\xef\xbb\xbf\xef\xbb\xbfto be or not to be"), true, 0)
	f.Add([]byte("\xfe\xff\x00t\xd8\x3d\xde\x00\xde\x00\xd8\x3d\x00a\xd8"), true, 0)
	f.Add([]byte("\xff\xfe\x00\x00t\x00\x00\x00\x00\xf6\x01\x00\x00\xd8\x00\x00\xff\xff\xff\xffab"), true, 0)
	f.Add([]byte(gzipped("the quick brown fox jumps over the lazy dog")), true, 0)
	f.Add([]byte(zstandard("\xff\xfet\x00h\x00e\x00")), true, 0)
	f.Fuzz(func(t *testing.T, raw []byte, char bool, maxVocab int) {
		text, err := Input{Paths: []string{"-"}, Force: true}.read(bytes.NewReader(raw), fuzzLimit)
		plain, bad, readable := reference(raw)
		if (err == nil) != (readable && len(plain) > 0) {
			t.Fatalf("Read of %d bytes: error %v", len(raw), err)
		}
		if err != nil {
			return
		}
		if !utf8.Valid(text.Data) {
			t.Fatal("not valid UTF-8 after the repair")
		}
		if string(text.Data) != plain || text.BadBytes != bad {
			t.Fatalf("read %q with %d bad bytes, want %q with %d", text.Data, text.BadBytes, plain, bad)
		}
		// A stream is read alike, but for the repair.
		stream, err := newReader(iotest.OneByteReader(bytes.NewReader(raw)), fuzzLimit)
		if err != nil {
			t.Fatal(err)
		}
		if streamed, err := io.ReadAll(stream); err != nil || string([]rune(string(streamed))) != plain {
			t.Fatalf("as a stream %q, want %q, error %v", streamed, plain, err)
		}
		// What is refused is a matter of bad bytes alone.
		few := !strings.Contains(plain[:min(len(plain), 8000)], "\x00") && (bad+strings.Count(plain, "\x00") <= 4 || 1000*(bad+strings.Count(plain, "\x00")) <= len(raw))
		_, err = Input{Paths: []string{"-"}}.read(bytes.NewReader(raw), fuzzLimit)
		if _, compressed, _ := decompress(newBuffer(bytes.NewReader(raw)), fuzzLimit); !compressed && few != (err == nil) {
			t.Fatalf("%d bad bytes of %d: error %v", bad, len(raw), err)
		}

		opt := Options{Level: Word, MaxVocab: maxVocab}
		want := strings.Fields(string(text.Data))
		if char {
			opt.Level = Char
			want = strings.Split(string(text.Data), "")
		}
		c, err := Build(text, opt)
		ok := maxVocab >= 0 && maxVocab != 1 && len(want) >= heldOut &&
			slices.ContainsFunc(want[:max(len(want)-2*(len(want)/heldOut), 0)], func(token string) bool { return token != UnkToken })
		if ok != (err == nil) {
			t.Fatalf("%d tokens, vocabulary %d: error %v", len(want), maxVocab, err)
		}
		if err != nil {
			return
		}
		if len(c.Train) == 0 || len(c.Valid) == 0 || len(c.Test) == 0 || c.Tokens() != len(want) {
			t.Fatalf("split %d/%d/%d of %d tokens", len(c.Train), len(c.Valid), len(c.Test), len(want))
		}
		if maxVocab > 0 && c.Vocab.Len() > maxVocab {
			t.Fatalf("vocabulary of %d, limit %d", c.Vocab.Len(), maxVocab)
		}
		for i, id := range slices.Concat(c.Train, c.Valid, c.Test) {
			if got := c.Vocab.ID(want[i]); got != id {
				t.Fatalf("token %d is %q: id %d, but the vocabulary says %d", i, want[i], id, got)
			}
			if id != Unk && c.Vocab.Token(id) != want[i] {
				t.Fatalf("token %d is %q, not %q", i, c.Vocab.Token(id), want[i])
			}
		}
		known := make(map[string]bool)
		for _, token := range tokensOf(c.Vocab) {
			if known[token] {
				t.Fatalf("%q is in the vocabulary twice", token)
			}
			known[token] = true
		}
	})
}

// TestVocabFile writes a vocabulary and reads it again, and takes no other file for one.
func TestVocabFile(t *testing.T) {
	v := build(t, strings.Repeat("the cat sat on the mat, the mat sat on the cat ", 5), Options{Level: Word}).Vocab
	file := v.Append(nil)
	got, err := ParseVocab(file, v.Len())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tokensOf(got), tokensOf(v)) {
		t.Errorf("%q came back, %q were written", tokensOf(got), tokensOf(v))
	}
	longest := string(binary.AppendUvarint([]byte("\x05<unk>"), maxToken)) + strings.Repeat("x", maxToken)
	if got, err := ParseVocab([]byte(longest), 2); err != nil || got.Len() != 2 {
		t.Errorf("the longest token: error %v", err)
	}
	if got, err := ParseVocab([]byte("\x05<unk>\x01a"), 2); err != nil || got.Len() != 2 {
		t.Errorf("two tokens: error %v", err)
	}
	for name, test := range map[string]struct {
		file []byte
		want int
	}{
		"no tokens":       {nil, 0},
		"none wanted":     {file, 0},
		"one more wanted": {file, v.Len() + 1},
		"one less wanted": {file, v.Len() - 1},
		"many wanted":     {file, 1 << 40},
		"cut":             {file[:len(file)-1], v.Len()},
		"a cut length":    {append(slices.Clone(file), 0x80), v.Len() + 1},
		"not UTF-8":       {[]byte("\x05<unk>\x01\xff"), 2},
		"a token twice":   {[]byte("\x05<unk>\x01a\x01a"), 3},
	} {
		if _, err := ParseVocab(test.file, test.want); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestBuildWithVocabulary: another text's vocabulary stays as it is, and what it lacks is
// <unk>, in every part.
func TestBuildWithVocabulary(t *testing.T) {
	vocab, err := NewVocabulary([]string{UnkToken, "c", "a", "z"})
	if err != nil {
		t.Fatal(err)
	}
	source := New("letters", []byte(strings.Repeat("abc", 40)))
	c, err := Build(source, Options{Level: Char, Vocab: vocab, MaxVocab: 2, MinCount: 1000})
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(c.Train, c.Valid, c.Test)
	if c.Vocab != vocab || !slices.Equal(all, slices.Repeat([]int32{2, Unk, 1}, 40)) {
		t.Errorf("ids %v in %v", all, c.Vocab)
	}
	if !slices.Equal(c.TestUnk, []string{"b", "b"}) || !(c.UnkRate > 0.3 && c.UnkRate < 0.4) || c.TrainUnkRate != 1.0/3 || len(c.Rare) != 36 || c.Rare[0] != "b" {
		t.Errorf("unknown %q, %v of the test, %v of the training, rare %q", c.TestUnk, c.UnkRate, c.TrainUnkRate, c.Rare)
	}
}
