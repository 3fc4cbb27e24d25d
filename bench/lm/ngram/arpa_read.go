package ngram

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// ReadARPA reads an ARPA file. It returns the estimates and the words by id, numbered
// in the order of the file. An error names the line.
//
// Lines may end in CR LF. Blank lines and lines that begin with # may precede \data\. A
// missing back-off means 0; it may be missing where no listed n-gram continues the
// n-gram. The highest order has none, or 0. Back-offs may be above 0, as pruned models
// have them; log-probabilities may not.
//
// The file must be complete: as many n-grams as the header says, then \end\ and nothing
// after it. No n-gram is listed twice. For every n-gram, its prefix without the last
// word is listed.
//
// The suffix without the first word may be missing, because programs that prune or mix
// models leave it out (lmplz doesn't). It is then added with the probability that
// backing off gives, so every text scores as it would without. Counts in the header
// only serve for comparison: memory grows with what has been read.
func ReadARPA(r io.Reader) (*Estimates, []string, error) {
	a := arpaReader{Estimates: new(Estimates), r: bufio.NewReader(r), ids: make(map[string]int32)}
	if err := a.read(); err != nil {
		return nil, nil, fmt.Errorf("ngram: ARPA file, line %d: %w", a.line, err)
	}
	return a.Estimates, a.words, nil
}

type arpaReader struct {
	*Estimates // read so far
	words      []string
	ids        map[string]int32

	r     *bufio.Reader
	long  []byte // a line longer than r's buffer
	line  int    // the number of the line read last, or of the line in error
	ended bool   // \end\ was read

	// children[n-1][i] is where the n-grams of order n that continue n-gram i of the
	// order below begin. children[n-1][i+1] is where they end. Order 1 has none.
	children [][]uint32
	suffix   []uint32 // [n-grams] of the order read last: place of the suffix in the order below, or noSuffix

	incomplete bool // suffix contains a noSuffix
}

func (a *arpaReader) read() error {
	counts, err := a.header()
	if err != nil {
		return err
	}
	for n := 1; n <= len(counts); n++ {
		s, err := a.section(n, counts[n-1], n == len(counts))
		if err != nil {
			return err
		}
		if n == 1 {
			a.Vocab = len(s.word)
			a.Orders = append(a.Orders, Order{Word: s.word, Prob: s.prob, Backoff: s.backoff})
			a.children = append(a.children, nil)
			continue
		}
		if err := a.sort(n, s); err != nil {
			return err
		}
	}
	for i := range a.Orders {
		backoff := a.Orders[i].Backoff
		for j, b := range backoff {
			if math.IsNaN(float64(b)) {
				backoff[j] = 0
			}
		}
	}
	if err := a.end(); err != nil {
		return err
	}
	if a.incomplete {
		if err := a.addSuffixes(a.words); err != nil {
			return err
		}
	}
	a.Orders[len(counts)-1].Backoff = nil
	return nil
}

var errTruncated = errors.New(`the file ends before \end\: truncated`)

// next returns the next line without its end, valid until the next call, or io.EOF.
// Before \end\, an unterminated last line counts as missing.
func (a *arpaReader) next() ([]byte, error) {
	a.line++
	line, err := a.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		a.long = a.long[:0]
		for err == bufio.ErrBufferFull && len(a.long) <= maxARPALine {
			a.long = append(a.long, line...)
			line, err = a.r.ReadSlice('\n')
		}
		a.long = append(a.long, line...)
		line = a.long
	}
	if len(line) > maxARPALine {
		return nil, fmt.Errorf("longer than %d bytes: no ARPA file", maxARPALine)
	}
	cut := err == io.EOF && len(line) > 0
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if cut {
		if err = nil; !a.ended && string(line) != `\end\` {
			err = errTruncated
		}
	}
	return line, err
}

// nextFilled returns the next line that is not blank.
func (a *arpaReader) nextFilled() ([]byte, error) {
	for {
		line, err := a.next()
		if err == io.EOF {
			err = errTruncated
		}
		if err != nil || !isBlank(line) {
			return line, err
		}
	}
}

func isBlank(line []byte) bool { return len(bytes.Trim(line, arpaBlanks)) == 0 }

// header reads up to the heading of the 1-grams. It returns the announced number of
// n-grams of each order.
func (a *arpaReader) header() (counts []int, err error) {
	line, err := a.nextFilled()
	for err == nil && line[0] == '#' {
		line, err = a.nextFilled()
	}
	if err != nil {
		return nil, err
	}
	if string(line) != `\data\` {
		return nil, fmt.Errorf(`want \data\, not %s: no ARPA file`, quote(string(line)))
	}
	for {
		if line, err = a.nextFilled(); err != nil {
			return nil, err
		}
		if line[0] == '\\' {
			break
		}
		var count int64
		text, isCount := strings.CutPrefix(string(line), fmt.Sprintf("ngram %d=", len(counts)+1))
		if isCount {
			count, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		}
		if !isCount || err != nil || count < 0 {
			return nil, fmt.Errorf("want \"ngram %d=\" and a count, not %s", len(counts)+1, quote(string(line)))
		}
		if len(counts) == MaxOrder {
			return nil, fmt.Errorf("more than %d orders", MaxOrder)
		}
		if count > MaxEntries {
			return nil, fmt.Errorf("%d n-grams of order %d: at most %d can be held", count, len(counts)+1, MaxEntries)
		}
		counts = append(counts, int(count))
	}
	if len(counts) == 0 || counts[0] == 0 {
		return nil, errors.New("the header announces no words")
	}
	return counts, wantHeading(line, `\1-grams:`)
}

func wantHeading(line []byte, want string) error {
	if string(line) != want {
		return fmt.Errorf("want %s, not %s", want, quote(string(line)))
	}
	return nil
}

// section reads the n-grams of order n. For order 1 the heading has been read already.
func (a *arpaReader) section(n, count int, highest bool) (*arpaSection, error) {
	if n > 1 {
		line, err := a.nextFilled()
		if err != nil {
			return nil, err
		}
		if isNGram(line) {
			return nil, fmt.Errorf("more than the %d n-grams of order %d that the header announces", len(a.Orders[n-2].Word), n-1)
		}
		if err := wantHeading(line, fmt.Sprintf(`\%d-grams:`, n)); err != nil {
			return nil, err
		}
	}
	s := &arpaSection{firstLine: a.line + 1}
	for i := range count {
		line, err := a.next()
		switch {
		case err == io.EOF:
			return nil, errTruncated
		case err != nil:
			return nil, err
		case !isNGram(line):
			return nil, fmt.Errorf("order %d has %d n-grams, the header announces %d", n, i, count)
		}
		if err := a.ngram(n, string(line), highest, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// isNGram reports whether a line is neither blank nor a heading.
func isNGram(line []byte) bool { return !isBlank(line) && line[0] != '\\' }

// end reads the end of the file: \end\ and nothing after it.
func (a *arpaReader) end() error {
	line, err := a.nextFilled()
	if err != nil {
		return err
	}
	if isNGram(line) {
		n := len(a.Orders)
		return fmt.Errorf("more than the %d n-grams of order %d that the header announces", a.Orders[n-1].Len(), n)
	}
	if err := wantHeading(line, `\end\`); err != nil {
		return err
	}
	a.ended = true
	for {
		line, err := a.next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case !isBlank(line):
			return fmt.Errorf(`%s after \end\`, quote(string(line)))
		}
	}
}
