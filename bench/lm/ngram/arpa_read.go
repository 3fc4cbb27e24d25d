package ngram

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReadARPA reads an ARPA file. It returns the estimates and the words by id: <unk>, then
// <s> and </s> where the file lists them, then the others in the order of the file. An
// error names the line.
//
// <UNK> counts as <unk>, unless the file lists both. Where it lists neither, <unk> is
// added with [MissingUnk]. Sentence marks that [WriteARPA] has added are left out.
//
// It takes what KenLM, SRILM, IRSTLM and Sphinx write. Tabs or blanks separate the fields
// of a line, and may stand around them. Lines may end in CR LF. Any text may precede
// \data\. An order announced as 0 may lack its section. A missing back-off means 0. The
// highest order has none, or 0. Back-offs may be above 0, as pruned models have them;
// log-probabilities may not.
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
	counts, heading, err := a.header()
	if err != nil {
		return err
	}
	for n, count := range counts {
		n++
		if count == 0 && heading != headingOf(n) { // the section is left out
			if err := a.sort(n, new(arpaSection)); err != nil {
				return err
			}
			continue
		}
		if err := wantHeading(heading, headingOf(n)); err != nil {
			return err
		}
		s, err := a.section(n, count, n == len(counts))
		if err != nil {
			return err
		}
		if n == 1 {
			a.unigrams(s)
		} else if err := a.sort(n, s); err != nil {
			return err
		}
		if heading, err = a.heading(n, count); err != nil {
			return err
		}
	}
	if err := a.end(heading); err != nil {
		return err
	}
	if a.incomplete {
		if err := a.addSuffixes(a.words); err != nil {
			return err
		}
	}
	a.Orders[len(counts)-1].Backoff = nil
	if a.marksUnused(a.words) {
		a.words = a.dropMarks(a.words)
	}
	return nil
}

var errTruncated = errors.New(`the file ends before \end\: truncated`)

// next returns the next line without its end and the blanks around it, valid until the
// next call, or io.EOF. Before \end\, an unterminated last line counts as missing.
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
	line = bytes.Trim(bytes.TrimSuffix(line, []byte("\n")), " \t\r")
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

// header reads up to the heading of the 1-grams, which it returns. It also returns the
// announced number of n-grams of each order.
func (a *arpaReader) header() (counts []int, heading string, err error) {
	if err := a.preamble(); err != nil {
		return nil, "", err
	}
	for {
		line, err := a.nextFilled()
		if err != nil {
			return nil, "", err
		}
		if line[0] == '\\' {
			heading = string(line)
			break
		}
		count, ok := parseCount(string(line), len(counts)+1)
		if !ok {
			return nil, "", fmt.Errorf("want \"ngram %d=\" and a count, not %s", len(counts)+1, quote(string(line)))
		}
		if len(counts) == MaxOrder {
			return nil, "", fmt.Errorf("more than %d orders", MaxOrder)
		}
		if count > MaxEntries {
			return nil, "", fmt.Errorf("%d n-grams of order %d: at most %d can be held", count, len(counts)+1, MaxEntries)
		}
		counts = append(counts, int(count))
	}
	if len(counts) == 0 || counts[0] == 0 {
		return nil, "", errors.New("the header announces no words")
	}
	return counts, heading, nil
}

// preamble reads up to \data\. It refuses a NUL, because then the file is no text, and
// another heading, because then \data\ is damaged.
func (a *arpaReader) preamble() error {
	for {
		line, err := a.next()
		switch {
		case err == io.EOF:
			return errors.New(`no \data\ in it: no ARPA file, or truncated`)
		case err != nil:
			return err
		case string(line) == `\data\`:
			return nil
		case len(line) > 0 && line[0] == '\\' || bytes.IndexByte(line, 0) >= 0:
			return fmt.Errorf(`want \data\, not %s: no ARPA file`, quote(string(line)))
		}
	}
}

// parseCount parses the line with the number of n-grams of order n. Programs pad its
// numbers in different ways.
func parseCount(line string, n int) (count int64, ok bool) {
	text, ok := strings.CutPrefix(line, "ngram")
	order, number, equals := strings.Cut(text, "=")
	if !ok || !equals || !strings.HasPrefix(order, " ") && !strings.HasPrefix(order, "\t") {
		return 0, false
	}
	if got, err := strconv.Atoi(strings.TrimSpace(order)); err != nil || got != n {
		return 0, false
	}
	count, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	return count, err == nil && count >= 0
}

func headingOf(n int) string { return fmt.Sprintf(`\%d-grams:`, n) }

func wantHeading(line, want string) error {
	if line != want {
		return fmt.Errorf("want %s, not %s", want, quote(line))
	}
	return nil
}

// heading returns the heading after the count n-grams of order n.
func (a *arpaReader) heading(n, count int) (string, error) {
	line, err := a.nextFilled()
	if err == nil && isNGram(line) {
		err = fmt.Errorf("more than the %d n-grams of order %d that the header announces", count, n)
	}
	return string(line), err
}

// section reads the n-grams of order n, whose heading has been read.
func (a *arpaReader) section(n, count int, highest bool) (*arpaSection, error) {
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

// end reads the end of the file: nothing after \end\, the heading read last.
func (a *arpaReader) end(heading string) error {
	if err := wantHeading(heading, `\end\`); err != nil {
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
