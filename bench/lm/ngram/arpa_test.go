package ngram

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// smallARPA is a file as lmplz writes it, its n-grams in no order of ours.
const smallARPA = `\data\
ngram 1=5
ngram 2=5
ngram 3=3

\1-grams:
-1.5	<unk>	0
0	<s>	-0.5
-0.6	</s>	0
-0.4	b	-0.2
-0.7	a	-0.3

\2-grams:
-0.2	b </s>	0
-0.1	<s> a	-0.25
-0.3	a b	-0.15
-0.35	b b	-0.1
-0.9	a a	0

\3-grams:
-0.05	a b </s>
-0.07	<s> a b
-0.04	b b </s>

\end\
`

func mustReadARPA(t testing.TB, text string) (*Estimates, []string) {
	t.Helper()
	e, words, err := ReadARPA(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkEstimates(e); err != nil {
		t.Fatal(err)
	}
	return e, words
}

func TestReadARPA(t *testing.T) {
	e, words := mustReadARPA(t, smallARPA)
	if want := []string{"<unk>", "<s>", "</s>", "b", "a"}; !slices.Equal(words, want) {
		t.Fatalf("words %q, want %q", words, want)
	}
	const unk, start, end, b, a = 0, 1, 2, 3, 4
	for _, c := range []struct {
		history []int32
		word    int32
		want    float64
	}{
		{nil, unk, -1.5},
		{[]int32{start}, a, -0.1},
		{[]int32{start, a}, b, -0.07},
		{[]int32{start, a}, a, -0.25 + -0.9},
		{[]int32{start, a}, end, -0.25 + -0.3 + -0.6},
		{[]int32{a, b}, end, -0.05},
		{[]int32{a, b}, a, -0.15 + -0.2 + -0.7},
		{[]int32{b, unk}, b, -0.4},
		{[]int32{unk, b}, b, -0.35},
	} {
		if got := (backoff{e}).log10(c.history, c.word); !within(got, c.want, 1e-6) {
			t.Errorf("log10 p(%d|%v) = %v, want %v", c.word, c.history, got, c.want)
		}
	}
}

// What ReadARPA takes beside what WriteARPA writes.
func TestReadARPAVariants(t *testing.T) {
	want, _ := mustReadARPA(t, smallARPA)
	for _, c := range []struct{ name, text string }{
		{"CR LF", strings.ReplaceAll(smallARPA, "\n", "\r\n")},
		{"tabs between words", regexp.MustCompile(`(?m)([</su>ab]) ([</su>ab])`).ReplaceAllString(smallARPA, "$1\t$2")},
		{"several blanks and tabs", strings.NewReplacer("\t", " \t ", "a b", "a   b", "<s> a", "<s> \t a").Replace(smallARPA)},
		{"one blank for everything", strings.ReplaceAll(smallARPA, "\t", " ")},
		{"blanks around every line", regexp.MustCompile(`(?m)^(.+)$`).ReplaceAllString(smallARPA, " \t$1\t ")},
		{"padded counts", strings.NewReplacer("ngram 1=", "ngram  1=         ", "ngram 2=", "ngram\t2 =\t", "ngram 3=3", "ngram 03=3 ").Replace(smallARPA)},
		{"prose before \\data\\", "Written by a toolkit,\nngram 1=7 and more\n\n" + smallARPA},
		{"back-offs of 0 left out where n-grams go on", strings.ReplaceAll(strings.ReplaceAll(smallARPA, "a b\t-0.15", "a b"), "b\t-0.2\n", "b\n")},
		{"blank lines and # before \\data\\", "\n# Input file: x\n# Token count: 3\n" + smallARPA},
		{"no blank lines between sections", strings.ReplaceAll(smallARPA, "\n\n", "\n")},
		{"many blank lines between sections", strings.ReplaceAll(smallARPA, "\n\n", "\n\n \n\n")},
		{"CR LF, no line end at the end", strings.TrimSuffix(strings.ReplaceAll(smallARPA, "\n", "\r\n"), "\n")},
		{"no line end at the end", strings.TrimSuffix(smallARPA, "\n")},
		{"blank lines at the end", smallARPA + "\n\n"},
		{"no back-off where nothing goes on", strings.ReplaceAll(smallARPA, "\t0\n", "\n")},
		{"back-off 0 in the highest order", strings.ReplaceAll(smallARPA, "-0.05\ta b </s>", "-0.05\ta b </s>\t0")},
		{"blanks around a count", strings.ReplaceAll(smallARPA, "ngram 2=5", "ngram 2= 5 ")},
		{"exponents", strings.ReplaceAll(smallARPA, "-0.05", "-5e-02")},
	} {
		if c.text == smallARPA {
			t.Fatalf("%s: nothing replaced", c.name)
		}
		want := want
		if strings.Contains(c.name, "left out") {
			want, _ = mustReadARPA(t, strings.ReplaceAll(strings.ReplaceAll(smallARPA, "a b\t-0.15", "a b\t0"), "b\t-0.2\n", "b\t0\n"))
		}
		got, _ := mustReadARPA(t, c.text)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: other estimates", c.name)
		}
	}
	e, _ := mustReadARPA(t, strings.ReplaceAll(smallARPA, "b b\t-0.1", "b b\t0.1"))
	if got := (backoff{e}).log10([]int32{3, 3}, 0); !within(got, 0.1-0.2-1.5, 1e-6) {
		t.Errorf("a back-off above 0 is not kept: %v", got)
	}
	const words = "\\data\\\nngram 1=2\nngram 2=0\n\\1-grams:\n-9\t<unk>\n-99\ta\n"
	with, _ := mustReadARPA(t, words+"\\2-grams:\n\\end\\\n")
	without, _ := mustReadARPA(t, words+"\\end\\\n")
	if with.Orders[1].Len() != 0 || !reflect.DeepEqual(with, without) {
		t.Errorf("an order without n-grams, with its section %+v, without %+v", with, without)
	}
}

func TestReadARPAErrors(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"empty", smallARPA, "", `line 1: no \data\ in it: no ARPA file, or truncated`},
		{"other text", smallARPA, "Call me Ishmael.\n", `line 2: no \data\ in it: no ARPA file`},
		{"other file", smallARPA, "\x7fELF\x02\x00\n", `line 1: want \data\, not "\x7fELF\x02\x00": no ARPA file`},
		{"no \\data\\", "\\data\\\n", "", `line 5: want \data\, not "\\1-grams:": no ARPA file`},
		{"no blank in a count", "ngram 2=5", "ngram2=5", `line 3: want "ngram 2=" and a count, not "ngram2=5"`},
		{"no order in a count", "ngram 2=5", "ngram =5", `line 3: want "ngram 2=" and a count, not "ngram =5"`},
		{"a section of an order not of 0 missing", smallARPA[strings.Index(smallARPA, "\\3-grams:"):], "\\end\\\n", `line 20: want \3-grams:, not "\\end\\"`},
		{"n-grams of an order of 0", "ngram 3=3", "ngram 3=0", `line 21: more than the 0 n-grams of order 3 that the header announces`},
		{"no counts", "ngram 1=5\nngram 2=5\nngram 3=3\n", "", "line 3: the header announces no words"},
		{"no words", "ngram 1=5", "ngram 1=0", "the header announces no words"},
		{"orders out of turn", "ngram 2=5", "ngram 3=5", `line 3: want "ngram 2=" and a count, not "ngram 3=5"`},
		{"no count", "ngram 2=5", "ngram 2=five", `line 3: want "ngram 2=" and a count`},
		{"negative count", "ngram 2=5", "ngram 2=-5", `line 3: want "ngram 2=" and a count`},
		{"giant count", "ngram 2=5", "ngram 2=9999999999", "line 3: 9999999999 n-grams of order 2: at most"},
		{"count beyond 64 bits", "ngram 2=5", "ngram 2=99999999999999999999", `line 3: want "ngram 2=" and a count`},
		{"too many orders", "ngram 3=3\n", "ngram 3=3\nngram 4=1\nngram 5=1\nngram 6=1\nngram 7=1\nngram 8=1\nngram 9=1\nngram 10=1\n", "line 11: more than 9 orders"},
		{"a section missing", `\2-grams:`, `\3-grams:`, `line 13: want \2-grams:, not "\\3-grams:"`},
		{"count too large", "ngram 2=5", "ngram 2=6", "line 19: order 2 has 5 n-grams, the header announces 6"},
		{"count too large, order 1", "ngram 1=5", "ngram 1=1000000000", "line 12: order 1 has 5 n-grams, the header announces 1000000000"},
		{"count too small", "ngram 2=5", "ngram 2=4", "line 18: more than the 4 n-grams of order 2 that the header announces"},
		{"count too small, highest order", "ngram 3=3", "ngram 3=2", "line 23: more than the 2 n-grams of order 3 that the header announces"},
		{"no number", "-0.1\t<s> a", "x\t<s> a", `line 15: log-probability "x" is not a finite number`},
		{"nothing for a number", "-0.1\t<s> a", "\t<s> a", `line 15: log-probability "<s>" is not a finite number`},
		{"NaN", "-0.1\t<s> a", "nan\t<s> a", `line 15: log-probability "nan" is not a finite number`},
		{"infinite", "-0.1\t<s> a", "-inf\t<s> a", `line 15: log-probability "-inf" is not a finite number`},
		{"beyond float32", "-0.1\t<s> a", "-1e39\t<s> a", `line 15: log-probability "-1e39" is not a finite number`},
		{"hexadecimal", "-0.1\t<s> a", "-0x1p-2\t<s> a", `line 15: log-probability "-0x1p-2" is not a finite number`},
		{"positive", "-0.1\t<s> a", "0.1\t<s> a", `line 15: log-probability "0.1" is above 0`},
		{"back-off NaN", "<s> a\t-0.25", "<s> a\tNaN", `line 15: back-off "NaN" is not a finite number`},
		{"back-off infinite", "<s> a\t-0.25", "<s> a\tInf", `line 15: back-off "Inf" is not a finite number`},
		{"back-off in the highest order", "<s> a b", "<s> a b\t-0.1", `line 22: back-off "-0.1" in the highest order`},
		{"a field too many", "<s> a\t-0.25", "<s> a\t-0.25\t-0.1", `line 15: want a log-probability, 2 words and a back-off, and nothing more: "-0.1\t<s> a\t-0.25\t-0.1"`},
		{"a word missing", "-0.1\t<s> a", "-0.1\t<s>", `line 15: word "-0.25" of "<s> -0.25" is not among the 1-grams`},
		{"a word and the back-off missing", "-0.1\t<s> a\t-0.25", "-0.1\t<s>", `line 15: want a log-probability and 2 words, not 1: "-0.1\t<s>"`},
		{"no words in the line", "-0.1\t<s> a\t-0.25", "-0.1", `line 15: want a log-probability and 2 words, not 0: "-0.1"`},
		{"a word too many", "-0.1\t<s> a", "-0.1\t<s> a b", `line 15: want a log-probability, 2 words and a back-off, and nothing more: "-0.1`},
		{"a word for the back-off", "-0.1\t<s> a\t-0.25", "-0.1\t<s> a b", `line 15: back-off "b" is not a finite number`},
		{"fifty words", "-0.1\t<s> a", "-0.1\t" + strings.Repeat("a ", 49) + "b", `line 15: want a log-probability, 2 words and a back-off, and nothing more: "-0.1`},
		{"a word missing in order 3", "-0.07\t<s> a b", "-0.07\t<s>  b", `line 22: want a log-probability and 3 words, not 2`},
		{"unknown word", "-0.1\t<s> a", "-0.1\t<s> c", `line 15: word "c" of "<s> c" is not among the 1-grams`},
		{"word twice", "-0.7\ta", "-0.7\tb", `line 11: "b" is listed already, in line 10`},
		{"CR in a word", "-0.7\ta", "-0.7\ta\rc", `line 11: word "a\rc" has a blank`},
		{"NUL in a word", "-0.7\ta", "-0.7\ta\x00c", `line 11: word "a\x00c" has a blank`},
		{"n-gram twice", "-0.9\ta a", "-0.9\ta b", `line 18: "a b" is listed already, in line 16`},
		{"prefix not listed", "-0.04\tb b </s>", "-0.04\tb a </s>", `line 23: "b a </s>" is listed, but the first 2 of its words are not`},
		{"no end", "\n\\end\\\n", "", `line 24: the file ends before \end\: truncated`},
		{"cut within a line", smallARPA[strings.Index(smallARPA, " b </s>\n\n\\end"):], " b", `line 23: the file ends before \end\: truncated`},
		{"text after the end", "\\end\\\n", "\\end\\\nmore\n", `line 26: "more" after \end\`},
		{"a megabyte", "-0.7\ta", "-0.7\t" + strings.Repeat("a", 1<<20), "line 11: longer than 1048576 bytes"},
		{"a megabyte of blanks", "\\2-grams:", strings.Repeat(" ", 1<<20), "line 13: longer than 1048576 bytes"},
		{"a long word", "-0.7\ta", "-0.7\t" + strings.Repeat("a", 1<<17), "line 11: word \"aaaa"},
	} {
		text := strings.Replace(smallARPA, c.old, c.new, 1)
		if text == smallARPA {
			t.Fatalf("%s: nothing replaced", c.name)
		}
		_, _, err := ReadARPA(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %s", c.name, err, c.want)
			continue
		}
		if msg := err.Error(); len(msg) > 250 || strings.Contains(msg, "\n") || !strings.HasPrefix(msg, "ngram: ARPA file, line ") {
			t.Errorf("%s: not one short line that names the line of the file: %s", c.name, msg)
		}
	}
}

// A file that is cut off anywhere is refused.
func TestReadARPARefusesTruncation(t *testing.T) {
	whole := len(strings.TrimSuffix(smallARPA, "\n"))
	for n := range whole {
		if _, _, err := ReadARPA(strings.NewReader(smallARPA[:n])); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a whole file", n, whole)
		}
	}
}

func TestReadARPAAllocatesLittleForALyingHeader(t *testing.T) {
	text := "\\data\\\nngram 1=1000000000\nngram 2=1000000000\n\n\\1-grams:\n-1\ta\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := ReadARPA(strings.NewReader(text)); err == nil {
		t.Fatal("no error")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes were allocated for a file of %d", got, len(text))
	}
}

// failing fails after n bytes.
type failing struct {
	r io.Reader
	n int
}

var errDisk = errors.New("disk on fire")

func (f *failing) Read(b []byte) (int, error) {
	if f.n <= 0 {
		return 0, errDisk
	}
	n, err := f.r.Read(b[:min(len(b), f.n)])
	f.n -= n
	return n, err
}

func (f *failing) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errDisk
	}
	return len(b), nil
}

func TestARPAReportsInputAndOutputErrors(t *testing.T) {
	if _, _, err := ReadARPA(&failing{strings.NewReader(smallARPA), 100}); !errors.Is(err, errDisk) {
		t.Errorf("ReadARPA: error %v, want %v", err, errDisk)
	}
	e, words := mustReadARPA(t, smallARPA)
	if err := WriteARPA(&failing{n: 100}, e, words); !errors.Is(err, errDisk) {
		t.Errorf("WriteARPA: error %v, want %v", err, errDisk)
	}
}

func TestWriteARPA(t *testing.T) {
	e, words := mustReadARPA(t, smallARPA)
	var b bytes.Buffer
	if err := WriteARPA(&b, e, words); err != nil {
		t.Fatal(err)
	}
	// The same lines, those of an order sorted.
	want := strings.NewReplacer(
		"-0.2\tb </s>\t0\n-0.1\t<s> a\t-0.25\n-0.3\ta b\t-0.15\n-0.35\tb b\t-0.1\n-0.9\ta a\t0\n",
		"-0.1\t<s> a\t-0.25\n-0.2\tb </s>\t0\n-0.35\tb b\t-0.1\n-0.3\ta b\t-0.15\n-0.9\ta a\t0\n",
		"-0.05\ta b </s>\n-0.07\t<s> a b\n-0.04\tb b </s>\n",
		"-0.07\t<s> a b\n-0.04\tb b </s>\n-0.05\ta b </s>\n").Replace(smallARPA)
	if b.String() != want {
		t.Errorf("written:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestARPARoundTrip(t *testing.T) {
	estimateCases(func(name string, text []int32, c Config) {
		words := make([]string, c.Vocab)
		for i := range words {
			words[i] = fmt.Sprintf("w%d", i)
		}
		words[0] = "<unk>"
		for _, c.Order = range []int{1, 2, 3, MaxOrder} {
			e, _ := mustEstimate(t, text, c)
			var b bytes.Buffer
			if err := WriteARPA(&b, e, words); err != nil {
				t.Fatal(err)
			}
			got, gotWords, err := ReadARPA(&b)
			if err != nil {
				t.Fatalf("%s: order %d: %v", name, c.Order, err)
			}
			if !reflect.DeepEqual(got, e) || !slices.Equal(gotWords, words) {
				t.Fatalf("%s: order %d: other estimates than were written", name, c.Order)
			}
		}
	})
}

func TestWriteARPAErrors(t *testing.T) {
	e, _ := mustReadARPA(t, smallARPA)
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"a", "b"}, "2 words for a vocabulary of 5"},
		{[]string{"a", "b", "c", "d", "b"}, `words 1 and 4 are both "b"`},
		{[]string{"a", "b", "", "d", "e"}, "word 2: empty"},
		{[]string{"a", "b", "c", "d e", "f"}, `word 3: "d e" has a blank`},
		{[]string{"a", "b", "c", "d\n", "f"}, `word 3: "d\n" has a blank`},
		{[]string{strings.Repeat("a", 1<<17), "b", "c", "d", "f"}, "longer than 65536 bytes"},
	} {
		var b bytes.Buffer
		if err := WriteARPA(&b, e, c.words); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: error %v, want one with %q", c.words, err, c.want)
		}
		if b.Len() > 0 {
			t.Errorf("%.60q: %d bytes were written", c.words, b.Len())
		}
	}
}

// Whatever is read keeps the promises of Estimates, and is written and read
// again as it is.
func FuzzReadARPA(f *testing.F) {
	f.Add([]byte(smallARPA))
	rng := rand.New(rand.NewPCG(15, 16))
	for range 20 {
		damaged := []byte(smallARPA)
		for range 1 + rng.IntN(3) {
			damaged[rng.IntN(len(damaged))] = smallARPA[rng.IntN(len(smallARPA))]
		}
		f.Add(damaged)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, words, err := ReadARPA(bytes.NewReader(data))
		if err != nil {
			return
		}
		if err := checkEstimates(e); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := WriteARPA(&b, e, words); err != nil {
			t.Fatal(err)
		}
		again, againWords, err := ReadARPA(&b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, e) || !slices.Equal(againWords, words) {
			t.Fatal("other estimates than were written")
		}
	})
}
