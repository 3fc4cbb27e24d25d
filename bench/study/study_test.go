package study

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// memoryStore is a Store that is no folder.
type memoryStore struct {
	models map[string][]byte
	kept   []Result
}

func (s *memoryStore) Keep(r Result) error {
	s.kept = append(s.kept, r)
	return nil
}

func (s *memoryStore) SaveModel(name string, m io.WriterTo) error {
	var b bytes.Buffer
	_, err := m.WriteTo(&b)
	s.models[name] = b.Bytes()
	return err
}

func (s *memoryStore) LoadModel(name string, e *kernels.Engine) (*lm.Model, error) {
	b, ok := s.models[name]
	if !ok {
		return nil, errors.New("no such model")
	}
	return lm.Read(bytes.NewReader(b), int64(len(b)), e)
}

func studyOptions(corpusPath string) Options {
	return Options{Corpus: text.Input{Paths: []string{corpusPath}}, Levels: []text.Level{text.Char, text.Word}, MaxOrder: 2, Cells: []rnn.CellKind{rnn.Vanilla}, Hidden: []int{6, 8},
		Budget: lasting(150 * time.Millisecond), Threads: 1, Seed: 1, Full: true}
}

// runStudy runs a study to its end, or until on cancels it, and returns the names
// of the rows that were measured.
func runStudy(t *testing.T, o Options, store Store, earlier *Result, on func(Event, context.CancelFunc)) (r Result, measured []string) {
	t.Helper()
	s, err := New(o, store, earlier, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err = s.Run(ctx, func(e Event) {
		if e.Nth < 1 || e.Nth > e.Of || e.Left <= 0 {
			t.Errorf("event %+v", e)
		}
		if e.Measured != nil {
			measured = append(measured, e.Model)
		}
		if on != nil {
			on(e, cancel)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, measured
}

var allRows = []string{
	"char 1-gram", "char 2-gram", "char RNN 6", "char RNN 6 int8", "char RNN 8", "char RNN 8 int8", "char mixture",
	"word 1-gram", "word 2-gram", "word RNN 6", "word RNN 6 int8", "word RNN 8", "word RNN 8 int8", "word mixture",
}

// rowsOfAll is how many rows these have: the n-gram models one for each store.
var rowsOfAll = len(allRows) + 4*(len(ngram.Stores)-1)

func TestStudyMeasuresAndResumes(t *testing.T) {
	o := studyOptions(writeText(t))
	store := &memoryStore{models: map[string][]byte{}}
	first, measured := runStudy(t, o, store, nil, nil)
	if !slices.Equal(measured, allRows) || len(first.Rows) != rowsOfAll || first.Interrupted || len(store.kept) != rowsOfAll || len(store.models) != 4 {
		t.Fatalf("measured %q, %d rows, kept %d times, %d models", measured, len(first.Rows), len(store.kept), len(store.models))
	}
	for i, r := range first.Rows {
		if r.Store == Int8Store {
			if float := first.Rows[i-1]; r.Label != float.Label+" int8" || !(r.BytesPredicted < float.BytesPredicted) || r.TrainTokens != float.TrainTokens {
				t.Errorf("%+v follows %+v", r, float)
			}
		}
		for what, v := range map[string]float64{"bytes": float64(r.BytesPredicted), "bits": r.BitsPerToken, "validation bits": r.ValidBits,
			"perplexity": float64(r.Perplexity), "training": r.TrainSeconds, "latency": r.LatencySeconds} {
			if !(v > 0) || math.IsInf(v, 0) {
				t.Errorf("%s in %s: %s is %v", r.Label, r.Store, what, v)
			}
		}
		if r.Kind != KindMixture {
			if !(r.BatchSeconds > 0) || r.BatchStreams < 1 || r.BatchThreads < 1 {
				t.Errorf("%s in %s: batch %v s, %d streams", r.Label, r.Store, r.BatchSeconds, r.BatchStreams)
			}
			continue
		}
		// On what its weight was chosen by, a mixture is at least as good as both.
		for _, other := range first.OneStoreAt(r.Level) {
			if other.Store != Int8Store && !(r.ValidBits <= other.ValidBits+1e-4) {
				t.Errorf("%s: %.4f bits on validation, %s alone %.4f", r.Label, r.ValidBits, other.Label, other.ValidBits)
			}
		}
		if r.Weight < 0 || r.Weight > 1 || len(r.Parts) != 2 || r.Store != "dense + trie" || strings.Contains(r.Label, "int8") {
			t.Errorf("mixture %+v", r)
		}
	}

	again, measured := runStudy(t, o, store, &first, nil)
	if len(measured) != 0 || len(again.Rows) != len(first.Rows) {
		t.Errorf("measured again: %q", measured)
	}
	for i := range again.Rows {
		if again.Rows[i].Config != first.Rows[i].Config || again.Rows[i].TrainSeconds != first.Rows[i].TrainSeconds {
			t.Errorf("row %d is another", i)
		}
	}

	// A report without rows of int8 gets them of the models that were saved.
	floats := slices.DeleteFunc(slices.Clone(first.Rows), func(r Row) bool { return r.Store == Int8Store })
	more, measured := runStudy(t, o, store, &Result{Rows: floats}, nil)
	if want := []string{"char RNN 6 int8", "char RNN 8 int8", "word RNN 6 int8", "word RNN 8 int8"}; !slices.Equal(measured, want) {
		t.Errorf("without rows of int8: measured %q, want %q", measured, want)
	}
	for i, r := range more.Rows {
		if was := first.Rows[i]; r.Config != was.Config || r.BitsPerToken != was.BitsPerToken {
			t.Errorf("%s has %v bits, had %v", r.Label, r.BitsPerToken, was.BitsPerToken)
		}
	}

	// What is new is measured, and nothing else.
	o.MaxOrder, o.Hidden = 3, []int{6, 7, 8}
	_, measured = runStudy(t, o, store, &first, nil)
	for _, row := range []string{"char 3-gram", "char RNN 7", "word 3-gram", "word RNN 7"} {
		if !slices.Contains(measured, row) {
			t.Errorf("with more of everything: measured %q, want %q too", measured, row)
		}
	}
	if slices.Contains(measured, "char 2-gram") || slices.Contains(measured, "word RNN 8") {
		t.Errorf("measured again: %q", measured)
	}

	keepsEarlier(t, studyOptions(o.Corpus.Paths[0]), store, first)

	// A run that is stopped keeps the rows of the earlier one that it did not come to.
	path := o.Corpus.Paths[0]
	o = studyOptions(path)
	known := slices.DeleteFunc(slices.Clone(first.Rows), func(r Row) bool { return r.Label == "1-gram" && r.Level == "char" })
	stopped, _ := runStudy(t, o, store, &Result{Rows: known}, func(_ Event, cancel context.CancelFunc) { cancel() })
	if n := len(stopped.Rows); !stopped.Interrupted || n < rowsOfAll-6 || n > rowsOfAll-5 {
		t.Errorf("a stopped run kept %d rows", n)
	}

	// A row without its model is no help to the mixture. That of int8 is of other weights
	// than those of a new training.
	o.Levels = o.Levels[1:]
	delete(store.models, "word-rnn-8.lm")
	cut, _ := runStudy(t, o, store, &Result{Rows: first.RowsAt("word")}, func(_ Event, cancel context.CancelFunc) { cancel() })
	if last := cut.Rows[len(cut.Rows)-1]; last.Label != "RNN 8" || !cut.Interrupted {
		t.Errorf("stopped in the new training: the last row is %+v", last)
	}
	_, measured = runStudy(t, o, store, &Result{Rows: first.RowsAt("word")}, nil)
	if len(measured) < 2 || measured[0] != "word RNN 8" || measured[1] != "word RNN 8 int8" {
		t.Errorf("without a model: measured %q", measured)
	}
}

// keepsEarlier checks that a study goes on from an earlier result only if it keeps all of
// its complete rows. first is that of o.
func keepsEarlier(t *testing.T, o Options, store Store, first Result) {
	t.Helper()
	first.Command = "the old command"
	other := filepath.Join(t.TempDir(), "other.txt")
	if err := os.WriteFile(other, []byte(strings.Repeat("Another text, of other words. ", 300)), 0o600); err != nil {
		t.Fatal(err)
	}
	nothing := first
	nothing.Rows = nil
	elsewhere := first
	elsewhere.Machine.CPU, elsewhere.Rows = "Some CPU", slices.Clone(first.Rows)
	for i := range elsewhere.Rows {
		elsewhere.Rows[i].Config = strings.Replace(elsewhere.Rows[i].Config, first.Machine.CPU, "Some CPU", 1)
	}
	vocab := 5
	for name, test := range map[string]struct {
		earlier *Result
		change  func(*Options)
		want    []string
	}{
		"text":             {&first, func(o *Options) { o.Corpus.Paths = []string{other} }, []string{o.Corpus.Paths[0], first.Corpora[0].SHA256[:12], other}},
		"text, no row yet": {&nothing, func(o *Options) { o.Corpus.Paths = []string{other} }, []string{o.Corpus.Paths[0], other}},
		"two texts":        {&first, func(o *Options) { o.Corpus.Paths = []string{o.Corpus.Paths[0], other} }, []string{other}},
		"fewer levels":     {&first, func(o *Options) { o.Levels = o.Levels[:1] }, []string{"1-gram in a map of words"}},
		"fewer orders":     {&first, func(o *Options) { o.MaxOrder = 1 }, []string{"2-gram in a map of characters"}},
		"fewer widths":     {&first, func(o *Options) { o.Hidden = o.Hidden[1:] }, []string{"RNN 6 of characters"}},
		"smoothing":        {&first, func(o *Options) { o.Smoothing = ngram.Absolute }, []string{"1-gram in a map"}},
		"vocabulary":       {&first, func(o *Options) { o.Vocab = &vocab }, []string{"1-gram in a map of words"}},
		"budget":           {&first, func(o *Options) { o.Budget = lasting(time.Second) }, []string{"RNN 6"}},
		"seed":             {&first, func(o *Options) { o.Seed = 2 }, []string{"RNN 6"}},
		"threads":          {&first, func(o *Options) { o.Threads = 2 }, []string{"RNN 6"}},
		"machine":          {&elsewhere, func(*Options) {}, []string{"Some CPU with ", first.Machine.CPU}},
	} {
		changed := studyOptions(o.Corpus.Paths[0])
		changed.Command = "the new command"
		test.change(&changed)
		_, err := New(changed, store, test.earlier, nil)
		if !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Resume: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("another %s: error %v", name, err)
			continue
		}
		if !strings.Contains(name, "text") && name != "machine" {
			test.want = append(test.want, "the old command", "the new command")
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("another %s: no %q in %v", name, want, err)
			}
		}
	}
}

// TestStudyOfCells wants gated cells of as many bytes beside vanilla ones, and nothing
// lost by going on from a study of other cells.
func TestStudyOfCells(t *testing.T) {
	o := studyOptions(writeText(t))
	o.Levels, o.MaxOrder, o.Hidden = o.Levels[:1], 1, []int{64}
	store := &memoryStore{models: map[string][]byte{}}
	first, _ := runStudy(t, o, store, nil, nil)
	known := slices.Clone(first.Rows)
	for i := range known {
		known[i].Cell = "" // as programs wrote that knew vanilla cells alone
	}
	o.Cells = []rnn.CellKind{rnn.Vanilla, rnn.GRU, rnn.LSTM, rnn.GRUResetBefore}
	r, measured := runStudy(t, o, store, &Result{Rows: known}, nil)
	// The mixture is measured anew only if a gated cell is the best RNN.
	measured = slices.DeleteFunc(measured, func(name string) bool { return strings.HasSuffix(name, " int8") })
	if len(measured) < 3 || slices.Contains(measured, "char RNN 64") || len(store.models) != 4 {
		t.Fatalf("measured %q, %d models", measured, len(store.models))
	}
	rnns := slices.DeleteFunc(slices.Clone(r.Rows), func(r Row) bool { return r.Kind != KindRNN || r.Store == Int8Store })
	for i, cell := range o.Cells {
		row := rnns[i]
		if row.Cell != cell.String() || row.Label != fmt.Sprintf("%s %d", lm.CellName(row.Cell), row.Hidden) || measured[max(i, 1)-1] != "char "+row.Label && i > 0 {
			t.Errorf("row %d is %q of %s cells", i, row.Label, row.Cell)
		}
		if size := row.BytesPredicted; size > rnns[0].BytesPredicted || 2*size < rnns[0].BytesPredicted {
			t.Errorf("%s takes %d bytes, %s %d", row.Label, size, rnns[0].Label, rnns[0].BytesPredicted)
		}
	}
	if all := strings.Join(r.Notes, " "); !strings.Contains(all, "RNN, GRU, LSTM and GRU (reset before)") {
		t.Errorf("notes %s", all)
	}
	mixture := r.Rows[len(r.Rows)-1]
	if mixture.Kind != KindMixture || !strings.HasPrefix(mixture.Label, lm.CellName(mixture.Cell)) {
		t.Errorf("mixture %+v", mixture)
	}
	if _, measured := runStudy(t, o, store, &r, nil); len(measured) > 0 {
		t.Errorf("measured again: %q", measured)
	}
	o.Cells = o.Cells[1:]
	if _, err := New(o, store, &Result{Rows: known}, nil); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Cell: ") || !strings.Contains(err.Error(), "RNN 64") {
		t.Errorf("without the cells of the study before: error %v", err)
	}
}

// A large vocabulary has an adaptive softmax, and is told how fast a full one is.
func TestStudyOfManyWords(t *testing.T) {
	var source strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&source, "w%d ", i*7%3001)
	}
	path := filepath.Join(t.TempDir(), "words.txt")
	if err := os.WriteFile(path, []byte(source.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	o := studyOptions(path)
	o.Levels, o.MaxOrder, o.Hidden, o.Cells = o.Levels[1:], 1, []int{8}, []rnn.CellKind{rnn.Vanilla, rnn.GRU}
	for vocab, large := range map[int]bool{1000: false, 2000: true} {
		o.Vocab = &vocab
		r, _ := runStudy(t, o, &memoryStore{models: map[string][]byte{}}, nil, nil)
		vanilla, gru, small := r.Rows[len(r.Rows)-5], r.Rows[len(r.Rows)-3], r.Rows[len(r.Rows)-2]
		if small.Softmax != gru.Softmax || small.Store != Int8Store || small.FullTrainTokensPerSecond != 0 {
			t.Errorf("vocabulary of %d: row %+v", vocab, small)
		}
		for _, row := range []Row{vanilla, gru} {
			if got := row.Softmax == "adaptive"; got != large || (row.FullTrainTokensPerSecond > 0) != large || row.Kind != KindRNN {
				t.Errorf("vocabulary of %d: row %+v", vocab, row)
			}
		}
		embedding := 0
		if large {
			embedding = gru.Hidden / 2
		}
		if vanilla.Embedding != 0 || gru.Cell != "gru" || gru.Embedding != embedding || strings.Contains(gru.Config, "embedding") != large ||
			gru.BytesPredicted > vanilla.BytesPredicted || 3*gru.BytesPredicted < 2*vanilla.BytesPredicted {
			t.Errorf("vocabulary of %d: rows %+v, %+v", vocab, vanilla, gru)
		}
		for _, note := range []string{"adaptive softmax", "Networks of GRU cells read embeddings"} {
			if got := strings.Contains(strings.Join(r.Notes, " "), note); got != large {
				t.Errorf("vocabulary of %d: notes %q", vocab, r.Notes)
			}
		}
	}
}

func TestStudyKeepsWhatItHasWhenCancelled(t *testing.T) {
	o := studyOptions(writeText(t))
	store := &memoryStore{models: map[string][]byte{}}
	first, _ := runStudy(t, o, store, nil, func(e Event, cancel context.CancelFunc) {
		if e.Model == "char RNN 8" {
			cancel()
		}
	})
	if n := len(first.Rows); !first.Interrupted || n < 10 || n > 11 || len(first.Notes) == 0 {
		t.Fatalf("interrupted %v, %d rows", first.Interrupted, n)
	}
	for _, r := range store.kept[len(store.kept)-1].Rows[:10] {
		if r.Interrupted {
			t.Errorf("%s is said to be interrupted", r.Label)
		}
	}
	second, measured := runStudy(t, o, store, &first, nil)
	if !slices.Equal(measured, allRows[4:]) || len(second.Rows) != rowsOfAll || second.Interrupted {
		t.Errorf("resumed: measured %q, %d rows", measured, len(second.Rows))
	}
}

// fullStore is a store on a disk that is full for a while.
type fullStore struct {
	memoryStore
	full func() bool
}

var errFull = errors.New("no room")

func (s *fullStore) Keep(r Result) error {
	if s.full() {
		return errFull
	}
	return s.memoryStore.Keep(r)
}

func (s *fullStore) SaveModel(name string, m io.WriterTo) error {
	if s.full() {
		return errFull
	}
	return s.memoryStore.SaveModel(name, m)
}

// TestStudyOutlivesItsDisk: a disk that is full for a while, or to the end, costs no
// measurement. A model that was not saved is an error in the end, and measured again by
// the next run.
func TestStudyOutlivesItsDisk(t *testing.T) {
	o := studyOptions(writeText(t))
	o.Levels, o.MaxOrder, o.Hidden = o.Levels[:1], 1, []int{6}
	const rows = 4 + 2 // the stores of an order, and those of the RNN
	for name, test := range map[string]struct {
		full func(calls int) bool
		lost bool
	}{
		"for a while": {func(calls int) bool { return calls == 2 || calls == 3 }, false},
		"to the end":  {func(calls int) bool { return calls >= 2 }, true},
	} {
		calls := 0
		store := &fullStore{memoryStore{models: map[string][]byte{}}, func() bool { calls++; return test.full(calls) }}
		s, err := New(o, store, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var told []bool
		r, err := s.Run(t.Context(), func(e Event) {
			if full := errors.Is(e.Unsaved, errFull); len(told) == 0 || told[len(told)-1] != full {
				told = append(told, full)
			}
		})
		s.Close()
		if errors.Is(err, errFull) != test.lost || (err == nil) == test.lost || len(r.Rows) < rows || r.Interrupted {
			t.Errorf("%s: %d rows, error %v", name, len(r.Rows), err)
		}
		if test.lost && (!slices.Equal(told, []bool{false, true}) || len(r.Rows) > rows || !strings.Contains(strings.Join(r.Notes, " "), "its RNN was not saved")) {
			t.Errorf("%s: events tell %v; %d rows, notes %q", name, told, len(r.Rows), r.Notes)
		}
		if !test.lost && (told[len(told)-1] || len(store.kept[len(store.kept)-1].Rows) != len(r.Rows)) {
			t.Errorf("%s: events tell %v; %d of %d rows are kept", name, told, len(store.kept[len(store.kept)-1].Rows), len(r.Rows))
		}
	}
}

func TestStudyValidate(t *testing.T) {
	vocab := 100
	for name, test := range map[string]struct {
		option string
		set    func(*Options)
	}{
		"no level":            {"Level", func(o *Options) { o.Levels = nil }},
		"level twice":         {"Level", func(o *Options) { o.Levels = []text.Level{text.Char, text.Char} }},
		"vocab of characters": {"Vocab", func(o *Options) { o.Levels, o.Vocab = o.Levels[:1], &vocab }},
		"count of characters": {"MinCount", func(o *Options) { o.Levels, o.MinCount = o.Levels[:1], &vocab }},
		"order":               {"MaxOrder", func(o *Options) { o.MaxOrder = 10 }},
		"budget":              {"Budget", func(o *Options) { o.Budget = lasting(-1) }},
	} {
		o := studyOptions("")
		test.set(&o)
		if err := o.Validate(); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), test.option+": ") {
			t.Errorf("%s: error %v, want one about %s", name, err, test.option)
		}
	}
}

// What comes of dropout and halving says so.
func TestNotesOfTraining(t *testing.T) {
	for _, m := range []Model{{}, {Dropout: 0.5, Halve: true}, {Dropout: 0.5}, {Halve: true}} {
		m.Kind, m.Hidden = KindRNN, 4
		all := strings.Join(notes(LevelResult{Models: []Model{m}}), " ")
		if strings.Contains(all, "dropout") != (m.Dropout > 0) || strings.Contains(all, "halved") != m.Halve {
			t.Errorf("dropout %v, halving %v: notes %s", m.Dropout, m.Halve, all)
		}
	}
}

func TestBudgetFor(t *testing.T) {
	for bytes, want := range map[int]time.Duration{0: 10 * time.Second, 567_198: 29 * time.Second, 3_200_000: 163 * time.Second, 1 << 30: 4 * time.Minute} {
		if got := budgetFor(bytes); got != want {
			t.Errorf("%d bytes: %v, want %v", bytes, got, want)
		}
	}
}

func TestMixtureWeight(t *testing.T) {
	// Three tokens in four only one model foresees, the fourth only the other.
	var a, b []float32
	for i := range 1000 {
		x, y := float32(0.1), float32(9)
		if i%4 == 0 {
			x, y = y, x
		}
		a, b = append(a, x), append(b, y)
	}
	w := mixtureWeight(a, b)
	if !(math.Abs(w-0.75) <= 0.01) {
		t.Errorf("weight %v, want about 0.75", w)
	}
	for _, other := range []float64{0.01, w - 0.05, w + 0.05, 0.99} {
		if !(mixtureNats(other, a, b) >= mixtureNats(w, a, b)) {
			t.Errorf("a weight of %v is better than %v", other, w)
		}
	}
	if w := mixtureWeight(a, slices.Repeat([]float32{20}, len(a))); w < 0.99 {
		t.Errorf("weight of the better model %v", w)
	}
}
