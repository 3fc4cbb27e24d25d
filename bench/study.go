package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
)

// StudyOptions say what a [Study] measures; as [Options], but for what is said.
type StudyOptions struct {
	Corpus   string
	Levels   []text.Level
	Vocab    *int // of words; characters all stay
	MinCount *int // of words
	MaxOrder int
	Hidden   []int
	Budget   time.Duration // of each RNN; 0 takes one that suits the length of the text
	Threads  int
	Seed     uint64
}

// level returns o as the options of one level's comparison.
func (o StudyOptions) level(l text.Level) Options {
	one := Options{Corpus: o.Corpus, Level: l, MaxOrder: o.MaxOrder, Hidden: o.Hidden, Budget: o.Budget, Threads: o.Threads, Seed: o.Seed}
	if l == text.Word {
		one.Vocab, one.MinCount = o.Vocab, o.MinCount
	}
	return one
}

// Validate returns an [OptionError] for the first option that makes no sense,
// as far as that can be told without the corpus.
func (o StudyOptions) Validate() error {
	switch {
	case len(o.Levels) == 0:
		return misuse("--level", "no level is given: give char, word or char,word")
	case o.Vocab != nil && len(o.Levels) == 1 && o.Levels[0] == text.Char:
		return misuse("--vocab", "all characters stay: leave it out, or add word to --level")
	case o.MinCount != nil && len(o.Levels) == 1 && o.Levels[0] == text.Char:
		return misuse("--min-count", "all characters stay: leave it out, or add word to --level")
	case o.Budget < 0:
		return misuse("--budget", "%v leaves no time to train: give a duration such as 20s or 3m", o.Budget)
	}
	for i, l := range o.Levels {
		for _, other := range o.Levels[:i] {
			if l == other {
				return misuse("--level", "%v is given twice: give each level once", l)
			}
		}
		one := o.level(l)
		if one.Budget == 0 {
			one.Budget = time.Second // for one that depends on the text
		}
		if err := one.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// ParseLevels reads levels with commas between them, with an [OptionError].
func ParseLevels(s string) (levels []text.Level, err error) {
	for field := range strings.SplitSeq(s, ",") {
		l, err := ParseLevel(strings.TrimSpace(field))
		if err != nil {
			return nil, err
		}
		levels = append(levels, l)
	}
	return levels, nil
}

// ParseBudget reads a training time, "" for one that suits the text. Its error is
// an [OptionError].
func ParseBudget(given *time.Duration) (time.Duration, error) {
	if given == nil {
		return 0, nil
	}
	if *given <= 0 {
		return 0, misuse("--budget", "%v leaves no time to train: give a duration such as 20s or 3m", *given)
	}
	return *given, nil
}

// budgetFor is the training time of each RNN on a text of so many bytes: 30
// seconds for the 567 KB of the default text, which leaves six RNNs and all the
// rest under five minutes, and 160 for the 3.2 MB of War and Peace.
func budgetFor(bytes int) time.Duration {
	const perMB = 51 * time.Second
	d := time.Duration(float64(bytes) / 1e6 * float64(perMB)).Round(time.Second)
	return min(max(d, 10*time.Second), 4*time.Minute)
}

// A Store keeps what a study has done, for people and for a study that goes on
// later.
type Store interface {
	Keep(StudyResult) error // all of it, after each row
	SaveModel(name string, m io.WriterTo) error
	LoadModel(name string, e *kernels.Engine) (*lm.Model, error)
}

// A Study is the whole comparison, at one level or both: memory, quality, speed
// and the mixture of the two kinds.
type Study struct {
	options StudyOptions
	text    *text.Text
	engine  *kernels.Engine
	command string
	store   Store
	known   map[string]Row // finished rows of an earlier run, by their Config
	planned []string       // the Configs of all rows but the mixtures

	result StudyResult
	on     func(Event)
	nth    int
}

// NewStudy reads the corpus and makes the engine; errors are those of [New].
// known are the rows of an earlier run, which are not measured again where
// nothing that matters has changed. command is printed in the result. The caller
// closes the Study.
func NewStudy(o StudyOptions, store Store, known []Row, command string, stdin io.Reader) (*Study, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	engine, err := newEngine(o.Threads)
	if err != nil {
		return nil, err
	}
	s := &Study{options: o, engine: engine, command: command, store: store, known: map[string]Row{}}
	if s.text, err = readText(o.Corpus, o.Seed, stdin); err != nil {
		s.Close()
		return nil, err
	}
	if s.options.Budget == 0 {
		s.options.Budget = budgetFor(len(s.text.Data))
	}
	for _, r := range known {
		if !r.Interrupted && !r.Unscored {
			s.known[r.Config] = r
		}
	}
	s.result = StudyResult{
		Format: StudyFormat, Command: command, Seed: o.Seed, BudgetSeconds: s.options.Budget.Seconds(),
		Corpora: []Corpus{}, Rows: []Row{}, Notes: []string{}, Limits: limits,
	}
	// What can't work at one level is said before the other has taken minutes.
	for _, l := range o.Levels {
		c, err := s.comparison(l)
		if err != nil {
			s.Close()
			return nil, err
		}
		heading := c.Heading()
		s.result.Machine = heading.Machine
		s.result.Corpora = append(s.result.Corpora, heading.Corpus)
		for order := 1; order <= o.MaxOrder; order++ {
			for _, store := range ngram.Stores {
				s.planned = append(s.planned, s.ngramConfig(heading, order, store))
			}
		}
		for _, hidden := range o.Hidden {
			s.planned = append(s.planned, s.rnnConfig(heading, c.rnnOptions(hidden)))
		}
	}
	return s, nil
}

// Close stops the engine.
func (s *Study) Close() { s.engine.Close() }

// Result returns what has been measured so far, with the rows of an earlier run
// that this one has yet to come to: a run that ends early must not lose them.
func (s *Study) Result() StudyResult {
	r := s.result
	r.Rows = slices.Clone(r.Rows)
	for _, config := range s.planned {
		row, ok := s.known[config]
		if ok && !slices.ContainsFunc(r.Rows, func(r Row) bool { return r.Config == config }) {
			r.Rows = append(r.Rows, row)
		}
	}
	return r
}

// base is what every row of a level depends on.
func base(heading Result) string {
	m, c := heading.Machine, heading.Corpus
	return config("v3", m.CPU, m.ISA, c.SHA256, c.Level, fmt.Sprint("vocab ", c.Vocab))
}

// ngramConfig is the Config of an n-gram model's row.
func (s *Study) ngramConfig(heading Result, order int, store ngram.Store) string {
	return config(base(heading), fmt.Sprint("ngram ", order), ngram.KneserNey, store)
}

// rnnConfig is the Config of an RNN's row.
func (s *Study) rnnConfig(heading Result, o rnnlm.Options) string {
	return config(base(heading), fmt.Sprint("rnn ", o.Hidden), fmt.Sprint("cutoffs ", o.Cutoffs), fmt.Sprint("budget ", o.Budget),
		fmt.Sprint("dropout ", o.Dropout), fmt.Sprint("halve ", o.Halve),
		fmt.Sprint("seed ", o.Seed), fmt.Sprint("threads ", s.engine.Threads()))
}

// comparison returns the comparison of one level.
func (s *Study) comparison(l text.Level) (*Comparison, error) {
	c := &Comparison{options: s.options.level(l), engine: s.engine}
	return c, c.build(s.text)
}

// Run measures every row that is not known, tells on about its progress and the
// store about its rows. When ctx ends, Run returns soon with what has been
// measured so far, Interrupted set, and without an error. An error comes with
// what was measured before it.
func (s *Study) Run(ctx context.Context, on func(Event)) (StudyResult, error) {
	s.on = on
	var err error
	for _, l := range s.options.Levels {
		if err = s.level(ctx, l); err != nil {
			break
		}
	}
	if IsInterrupt(err) {
		s.result.Interrupted = true
		err = nil
	}
	return s.Result(), err
}

// level measures the rows of one level.
func (s *Study) level(ctx context.Context, l text.Level) error {
	c, err := s.comparison(l)
	if err != nil {
		return err
	}
	at := &levelStudy{Study: s, c: c, heading: c.Heading()}
	defer at.finish()
	if err := at.ngrams(ctx); err != nil {
		return err
	}
	if err := at.rnns(ctx); err != nil {
		return err
	}
	return at.mixture(ctx)
}

// StudyCommand is the command line that measures the same again.
func StudyCommand(o StudyOptions, out string) string {
	var b strings.Builder
	b.WriteString("rnnbench report")
	flag := func(name, value string) {
		if strings.ContainsFunc(value, func(r rune) bool {
			return !strings.ContainsRune("+,-./:=@_", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
		}
		fmt.Fprintf(&b, " --%s %s", name, value)
	}
	if o.Corpus != "" {
		flag("corpus", o.Corpus)
	}
	levels := make([]string, len(o.Levels))
	for i, l := range o.Levels {
		levels[i] = l.String()
	}
	flag("level", strings.Join(levels, ","))
	if o.Vocab != nil {
		flag("vocab", strconv.Itoa(*o.Vocab))
	}
	if o.MinCount != nil {
		flag("min-count", strconv.Itoa(*o.MinCount))
	}
	flag("max-order", strconv.Itoa(o.MaxOrder))
	flag("hidden", strings.ReplaceAll(strings.Trim(fmt.Sprint(o.Hidden), "[]"), " ", ","))
	if o.Budget > 0 {
		flag("budget", o.Budget.String())
	}
	flag("threads", strconv.Itoa(o.Threads))
	flag("seed", strconv.FormatUint(o.Seed, 10))
	flag("out", out)
	return b.String()
}
