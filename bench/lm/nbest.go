package lm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/figures"
	"batchrnn/kernels"
)

// Limits of one list: a longer one is an error.
const (
	maxList       = maxLine // bytes of its lines
	maxHypotheses = 1 << 18 // a short one takes some hundred bytes beside its line
)

// A Rescored is what one hypothesis of a list costs, or the total of all lists.
type Rescored struct {
	Format    int    `json:"format"`              // jsonFormat
	Line      int    `json:"line,omitempty"`      // from 1; 0 of a total
	Utterance string `json:"utterance,omitempty"` // not of a total
	Words     string `json:"words,omitempty"`     // the hypothesis, as written

	Lines      int `json:"lines,omitempty"`      // of a total
	Utterances int `json:"utterances,omitempty"` // of a total

	Tokens int `json:"tokens"`
	Unk    int `json:"unk"` // tokens that are not in the vocabulary of the model

	// LogProb is ln p of the hypothesis, or of all of a total.
	LogProb float64 `json:"log_probability"`
	// Score is the score on the line and the weighted LogProb, where a weight is given.
	Score *float64 `json:"score,omitempty"`
	// Best says that no hypothesis of the list scores better, and none before it as well.
	Best bool `json:"best,omitempty"`

	Model  *Config  `json:"model,omitempty"`  // of a total
	Ngram  *Config  `json:"ngram,omitempty"`  // of a total, if there is one
	Lambda *float64 `json:"lambda,omitempty"` // of a total with Ngram

	Input string `json:"-"` // the line, without its end
}

// Value is what hypotheses are compared by: Score, or LogProb without one.
func (r *Rescored) Value() float64 {
	if r.Score != nil {
		return *r.Score
	}
	return r.LogProb
}

// A NBestForm is how a file of lists is written.
type NBestForm int

const (
	// Keyed is Kaldi's form: "utterance-n words". Blanks part the words from the key, in
	// which the utterance ends at the last hyphen.
	Keyed NBestForm = iota
	// Fielded is that of Moses: "utterance ||| words ||| features ||| score", of which the
	// first two fields must be there.
	Fielded
)

// fieldMark parts the fields of a line. It is a word by itself.
const fieldMark = "|||"

// RescoreLists reads lists of hypotheses and scores each as r does. Lines that follow each
// other and name the same utterance are one list. An utterance that comes back later has
// another list. The first line says what form all have. Lines are read as [ScoreLines]
// reads them. A hypothesis may be empty.
//
// With a weight the score of a hypothesis is the number in the last field of its line, the
// third or a later one, and weight times its log-probability. So the form must be Fielded.
//
// RescoreLists calls on with each list as soon as its last line is known: the next
// utterance has begun, or the input has ended. Memory is that of one list, of at most 64
// MiB of text and 262,144 hypotheses.
func RescoreLists(r *Rescorer, in io.Reader, weight *float64, on func(list []Rescored, form NBestForm) error) (total Rescored, err error) {
	m := r.model.model
	total.Format, total.Model = jsonFormat, &m.Config
	if r.mixture.Ngram != nil {
		total.Ngram, total.Lambda = &r.mixture.Ngram.Config, &r.mixture.Lambda
	}
	b, err := text.NewReader(in)
	if err != nil {
		return total, fmt.Errorf("standard input: %w", err)
	}
	var form NBestForm
	var list nbest
	var line []byte
	lines := 0
	finish := func() error {
		if len(list.rows) == 0 {
			return nil
		}
		if err := list.score(r, weight); err != nil {
			return err
		}
		total.Utterances++
		total.Lines += len(list.rows)
		for _, h := range list.rows {
			total.Tokens += h.Tokens
			total.Unk += h.Unk
			total.LogProb += h.LogProb
		}
		err := on(list.rows, form)
		list.clear()
		return err
	}
	for {
		line, err = readLine(b, line[:0])
		lines++
		switch {
		case err == io.EOF && lines == 1:
			return total, errors.New("standard input is empty: give it lists of hypotheses")
		case err == io.EOF:
			return total, finish()
		case errors.Is(err, errLongLine):
			return total, fmt.Errorf("standard input: line %d is longer than %s: break it up", lines, figures.Bytes(maxLine))
		case err != nil:
			return total, fmt.Errorf("standard input: line %d: %w", lines, err)
		}
		row := Rescored{Format: jsonFormat, Line: lines, Input: string(line)}
		if _, _, fielded := cutField(row.Input); lines == 1 && fielded {
			form = Fielded
		}
		score, err := row.parse(form, weight != nil)
		if err != nil {
			return total, fmt.Errorf("standard input: line %d: %w", lines, err)
		}
		if err := m.level.CheckMarks([]byte(row.Words), lines); err != nil {
			return total, fmt.Errorf("standard input: %w", err)
		}
		if len(list.rows) > 0 && list.rows[0].Utterance != row.Utterance {
			if err := finish(); err != nil {
				return total, err
			}
		}
		if list.bytes += len(line); list.bytes > maxList && len(list.rows) > 0 {
			return total, fmt.Errorf("standard input: line %d: the list of utterance %.60q is longer than %s: break it up", lines, row.Utterance, figures.Bytes(maxList))
		}
		if len(list.rows) == maxHypotheses {
			return total, fmt.Errorf("standard input: line %d: the list of utterance %.60q has more than %s hypotheses: break it up", lines, row.Utterance, figures.Count(maxHypotheses))
		}
		list.rows, list.scores, list.texts = append(list.rows, row), append(list.scores, score), append(list.texts, row.Words)
	}
}

// An nbest is a list of hypotheses that is read and scored.
type nbest struct {
	rows   []Rescored
	scores []float64 // those on the lines
	texts  []string
	bytes  int // of the lines
}

func (l *nbest) clear() {
	clear(l.rows) // strings
	clear(l.texts)
	*l = nbest{rows: l.rows[:0], scores: l.scores[:0], texts: l.texts[:0]}
}

// score sets what the hypotheses cost, and which is the best.
func (l *nbest) score(r *Rescorer, weight *float64) error {
	all, err := r.Score(l.texts)
	if err != nil {
		return err
	}
	best := 0
	for i, h := range all {
		row := &l.rows[i]
		row.LogProb, row.Tokens, row.Unk = h.LogProb, h.Tokens, h.Unk
		if weight != nil {
			sum := l.scores[i] + float64(*weight*h.LogProb)
			if math.IsInf(sum, 0) {
				return fmt.Errorf("standard input: line %d: its score, %v, and %v times its log-probability, %v, are beyond float64: give smaller ones", row.Line, l.scores[i], *weight, h.LogProb)
			}
			row.Score = &sum
		}
		if row.Value() > l.rows[best].Value() {
			best = i
		}
	}
	l.rows[best].Best = true
	return nil
}

// parse sets what the line says, and returns the score on it, if it is asked for.
func (r *Rescored) parse(form NBestForm, scored bool) (score float64, err error) {
	switch {
	case form == Keyed && scored:
		return 0, errors.New("it has no score, which a weight needs: give lines of fields, such as 0 ||| words ||| features ||| score")
	case form == Keyed:
		return 0, r.parseKeyed()
	}
	utterance, rest, ok := cutField(r.Input)
	if !ok {
		return 0, fmt.Errorf("it has no %s, as the first line has: give utterance ||| words", fieldMark)
	}
	if r.Utterance = strings.Trim(utterance, " \t"); r.Utterance == "" {
		return 0, errors.New("the name of its utterance is empty: give one")
	}
	field, rest, more := cutField(rest)
	r.Words = trimBlank(field)
	switch {
	case !scored:
		return 0, nil
	case !more:
		return 0, fmt.Errorf("it has no score: give one as its last field, after %s", fieldMark)
	}
	for more {
		field, rest, more = cutField(rest)
	}
	field = strings.TrimSpace(field)
	score, err = strconv.ParseFloat(field, 64)
	if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
		return 0, fmt.Errorf("its last field, %.60q, is no score: give a finite number", field)
	}
	return score, nil
}

// parseKeyed is parse of the form Keyed.
func (r *Rescored) parseKeyed() error {
	key := r.Input
	if i := strings.IndexAny(key, " \t"); i >= 0 {
		key, r.Words = key[:i], key[i+1:]
	}
	hyphen := strings.LastIndexByte(key, '-')
	if hyphen < 1 || hyphen == len(key)-1 || strings.Trim(key[hyphen+1:], "0123456789") != "" {
		return fmt.Errorf("%.60q is no key of a hypothesis: give utterance-n and its words, such as a-1 the words, or utterance ||| words", key)
	}
	r.Utterance = key[:hyphen]
	return nil
}

// cutField cuts the first field off a line. more is false where it is the only one.
func cutField(line string) (field, rest string, more bool) {
	for at := 0; ; at++ {
		i := strings.Index(line[at:], fieldMark)
		if i < 0 {
			return line, "", false
		}
		at += i
		end := at + len(fieldMark)
		if (at == 0 || isBlank(line[at-1])) && (end == len(line) || isBlank(line[end])) {
			return line[:at], line[end:], true
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// trimBlank returns a field without one blank on either side, which is that of the mark.
func trimBlank(field string) string {
	if len(field) > 0 && isBlank(field[0]) {
		field = field[1:]
	}
	if n := len(field); n > 0 && isBlank(field[n-1]) {
		field = field[:n-1]
	}
	return field
}

// OpenNgrams reads a model to mix with m: a file of an n-gram model, or an ARPA file, which
// may be compressed. noUnk is that of [ReadARPA]. The error is one line.
func OpenNgrams(path string, m *Model, on func(fraction float64)) (other *Model, noUnk bool, err error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	b := bufio.NewReader(&toldReader{r: f, size: size, on: on})
	head, err := b.Peek(len(fileMagic))
	switch {
	case err != nil && err != io.EOF:
		return nil, false, err
	case len(head) == 0:
		return nil, false, errors.New("is empty")
	case string(head) == fileMagic:
		e, err := kernels.New("", 1) // n-grams need none, but it may be an RNN
		if err != nil {
			return nil, false, err
		}
		defer e.Close()
		if other, err = Read(b, size, e); err != nil {
			return nil, false, err
		}
		if other.ngram == nil {
			return nil, false, errors.New("is an RNN")
		}
	default:
		var level *text.Level
		if m.level == text.Char {
			level = &m.level
		}
		if other, noUnk, err = ReadARPA(b, size, level, nil); err != nil {
			return nil, false, err
		}
	}
	return other, noUnk, nil
}
