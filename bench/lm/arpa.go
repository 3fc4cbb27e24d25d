package lm

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
)

var errNoNgrams = errors.New("an RNN has no n-grams: give an n-gram model")

// WriteARPA writes an n-gram model as [ngram.WriteARPA] does, and returns the number of
// bytes written. The values of a quantised model are its rounded ones.
//
// A blank can't stand in an ARPA file. So a character model writes white space and control
// characters by their code points: <U+0020> is a space. All other characters stand for
// themselves, so [ReadARPA] finds the same characters again.
func (m *Model) WriteARPA(w io.Writer) (int64, error) {
	if m.ngram == nil {
		return 0, errNoNgrams
	}
	words := make([]string, m.Vocab.Len())
	for id := range words {
		words[id] = m.Vocab.Token(int32(id))
		if m.level == text.Char {
			words[id] = escape(words[id])
		}
	}
	out := &counter{w: w}
	err := ngram.WriteARPA(out, m.ngram.Estimates(), words)
	return out.n, err
}

// counter counts the bytes that it passes on.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// arpaMemory is the most bytes of memory that reading takes for a byte of an ARPA file.
const arpaMemory = 4

// ReadARPA returns the model of an ARPA file of size bytes, see [ngram.ReadARPA]. The file
// may be compressed by gzip or zstd. Without a store the model is in a trie. level is what its tokens are, text.Char or text.Word. Without
// it, a file of characters in which WriteARPA has escaped one is a character model, and
// any other a model of words. Words with <s> and </s> among them are a model of sentences.
//
// The file doesn't say how unknown words are spelled, so a model of words has no speller.
// noUnk says that it lists no <unk>, which then has [ngram.MissingUnk].
func ReadARPA(r io.Reader, size int64, level *text.Level, store *ngram.Store) (m *Model, noUnk bool, err error) {
	available := memory.Free()
	tooLarge := func(holds string) error {
		return fmt.Errorf("holds %s, which takes up to %d times as much to read, and %s of memory are free", holds, arpaMemory, figures.Bytes(available))
	}
	if size > available/arpaMemory {
		return nil, false, tooLarge(figures.Bytes(size))
	}
	plain, _, err := text.Decompress(r)
	if err != nil {
		return nil, false, err
	}
	most := &io.LimitedReader{R: plain, N: available/arpaMemory + 1} // compressed data may hold more than size
	estimates, tokens, err := ngram.ReadARPA(most)
	if most.N == 0 {
		return nil, false, tooLarge("more than " + figures.Bytes(available/arpaMemory))
	}
	if err != nil {
		return nil, false, err
	}
	for _, token := range tokens {
		if !utf8.ValidString(token) {
			return nil, false, fmt.Errorf("word %q is not UTF-8: convert the file, as iconv does", token)
		}
	}
	c := &text.Corpus{Level: text.Word}
	characters, escaped, bad := unescapeAll(tokens)
	switch {
	case level != nil:
		c.Level = *level
	case bad == "" && escaped && !slices.Contains(tokens, text.EndToken):
		c.Level = text.Char
	}
	if c.Level == text.Char {
		if bad != "" {
			return nil, false, fmt.Errorf("word %.60q is no character: the model is one of words", bad)
		}
		tokens = characters
	}
	if c.Vocab, err = text.NewVocabulary(tokens); err != nil {
		return nil, false, err
	}
	if _, marked := c.Vocab.Marks(); marked {
		if c.Level == text.Char {
			return nil, false, fmt.Errorf("%s and %s are among the words, and models of characters know no sentences: the model is one of words", text.StartToken, text.EndToken)
		}
		c.Level = text.Sentence
	}
	n, err := ngram.NewModel(estimates, value(store, fileStore))
	if err != nil {
		return nil, false, err
	}
	m = NewNgram(n, c, Config{})
	if c.Level == text.Char {
		m.WithSpeller(spell.OfCharacters(c.Vocab))
	}
	return m, estimates.Orders[0].Prob[text.Unk] == ngram.MissingUnk, nil
}

// escape returns a character as it stands in an ARPA file. <unk> stays.
func escape(token string) string {
	r, n := utf8.DecodeRuneInString(token)
	if n == len(token) && (unicode.IsSpace(r) || unicode.IsControl(r)) {
		return fmt.Sprintf("<U+%04X>", r)
	}
	return token
}

// unescapeAll returns the characters that escape wrote, and whether it escaped any. bad is
// a word that is neither a character nor one of the special words.
func unescapeAll(words []string) (tokens []string, escaped bool, bad string) {
	tokens = make([]string, len(words))
	for i, word := range words {
		tokens[i] = word
		if utf8.RuneCountInString(word) == 1 || word == text.UnkToken || word == text.StartToken || word == text.EndToken {
			continue
		}
		code, ok := strings.CutPrefix(word, "<U+")
		r, err := strconv.ParseUint(strings.TrimSuffix(code, ">"), 16, 32)
		if !ok || err != nil || escape(string(rune(r))) != word {
			return nil, false, word
		}
		tokens[i], escaped = string(rune(r)), true
	}
	return tokens, escaped, ""
}
