package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/measure"
	"batchrnn/bench/study"
)

// sample is a comparison like that of an everyday run.
func sample() study.LevelResult {
	r := study.LevelResult{
		Machine: measure.Machine{CPU: "Some CPU", ISA: "avx2", Threads: 2, Go: "go1.26.0", OS: "linux", Arch: "amd64"},
		Corpus: lm.Corpus{Name: "opticks.txt", SHA256: strings.Repeat("ab", 32), Level: "char",
			Tokens: 567198, Train: 510478, Valid: 28360, Test: 28360, Vocab: 95, MinCount: 1, UnkRate: 0.0001, UnkBits: 20.1},
		Summary: "From order 1 to 7 the n-gram model goes from 380 B to 27.4 MiB.",
		Notes:   []string{"Scoring: one stream on one thread for the n-gram models."},
	}
	size := int64(1520)
	for order := 1; order <= 7; order++ {
		for i, store := range ngram.Stores {
			bytes := size >> i
			bits := 4.5 - 0.4*float64(order)
			if store == ngram.Quantised {
				bits += 0.004
			}
			r.Models = append(r.Models, study.Model{Kind: study.KindNgram, Order: order, Smoothing: "kneser-ney", Store: store.String(), Entries: size / 20,
				BytesPredicted: bytes, BytesResident: bytes + 4096, TrainSeconds: 0.1, TrainTokens: 510478, TrainTokensPerSecond: 5104780,
				ScoreTokensPerSecond: 7.25e6, ScoreRuns: 3, ScoreStreams: 1, BitsPerToken: bits, AdjustedBits: bits + 0.002})
		}
		size *= 6
	}
	for _, hidden := range []int{128, 256} {
		r.Models = append(r.Models, study.Model{Kind: study.KindRNN, Cell: "rnn", Hidden: hidden, Store: "dense", Parameters: int64(hidden * hidden),
			BytesPredicted: int64(hidden*hidden) * 9, BytesResident: int64(hidden*hidden) * 9, TrainSeconds: 40, TrainTokens: 1e7,
			TrainTokensPerSecond: 250000, ScoreTokensPerSecond: 812345, ScoreRuns: 5, ScoreStreams: 32, BitsPerToken: 2.3, AdjustedBits: 2.302})
	}
	return r
}

// withGRU is sample with GRUs of almost as many bytes beside the vanilla networks.
func withGRU() study.LevelResult {
	r := sample()
	for _, hidden := range []int{70, 140} {
		m := r.Models[len(r.Models)-2]
		m.Cell, m.Hidden = "gru", hidden
		m.BytesPredicted -= int64(m.BytesPredicted / 20)
		m.BitsPerToken -= 0.2
		r.Models = append(r.Models, m)
	}
	return r
}

// Where nothing is <unk>, the column would say the same again.
func TestAdjustedBitsAreShownWhereTheyDiffer(t *testing.T) {
	r := sample()
	r.Corpus.UnkRate = 0
	var b bytes.Buffer
	if err := errors.Join(Heading(&b, r.Machine, r.Corpus), Text(&b, r)); err != nil {
		t.Fatal(err)
	}
	if out := b.String(); strings.Contains(out, "adjusted") || strings.Contains(out, "spelled") {
		t.Error(out)
	}
}

func TestTextIsAligned(t *testing.T) {
	var b bytes.Buffer
	if err := errors.Join(Heading(&b, sample().Machine, sample().Corpus), Text(&b, sample())); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	t.Log("\n" + out)
	for _, want := range []string{"Some CPU", "avx2, 2 threads", "opticks.txt", strings.Repeat("ab", 32), "510,478", "0.01 %", "spelled at 20.1 bits", "adjusted", "2.302",
		"7-gram", "RNN 128", "67.6 MiB", "16.9 MiB", "8.5 MiB", "812 k", "7.25 M", "bits/char", "2.300", "1.704", "From order 1", "- Scoring",
		"n-gram models: interpolated modified Kneser-Ney; store: trie"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) { // lines break anywhere
			t.Errorf("no %q in the report", want)
		}
	}
	var widths []int // of the rows of a table
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if n := utf8.RuneCountInString(line); n > tableWidth {
			t.Errorf("line of %d columns: %s", n, line)
		}
		if name := strings.Fields(line + " ."); strings.HasSuffix(name[0], "-gram") || name[0] == "RNN" {
			widths = append(widths, utf8.RuneCountInString(line))
		} else {
			widths = nil
		}
		if n := len(widths); n > 1 && widths[n-1] != widths[0] {
			t.Fatalf("rows of the table end in different columns: %v", widths)
		}
	}
}

func TestUnknownFiguresAreNotZero(t *testing.T) {
	var b bytes.Buffer
	if err := Text(&b, study.LevelResult{Models: []study.Model{{Kind: study.KindRNN, Hidden: 8, Interrupted: true, Unscored: true, ResidentUnknown: true}}}); err != nil {
		t.Fatal(err)
	}
	if out := b.String(); strings.Contains(out, "0.000") || strings.Contains(out, "0 B") || !strings.Contains(out, "* training was stopped") {
		t.Error(out)
	}
}

func TestZeroIsAFigure(t *testing.T) {
	var b bytes.Buffer
	row := study.Model{Kind: study.KindNgram, Order: 1, Entries: 1, BytesPredicted: 4, BitsPerToken: math.Copysign(0, -1),
		TrainSeconds: 2e-6, TrainTokensPerSecond: 1, ScoreTokensPerSecond: 1}
	if err := Text(&b, study.LevelResult{Models: []study.Model{row}}); err != nil {
		t.Fatal(err)
	}
	if out := b.String(); !strings.Contains(out, "   0.000") || !strings.Contains(out, "   0 B") || !strings.Contains(out, "2.0 µs") {
		t.Error(out)
	}
	b.Reset()
	rnn := study.Model{Kind: study.KindRNN, Hidden: 8, BytesPredicted: 400}
	if err := Plot(&b, study.LevelResult{Models: []study.Model{row, rnn}}, "svg"); err != nil || !strings.Contains(b.String(), "0.00 bits") {
		t.Errorf("the plot leaves zero bits out (error %v)", err)
	}
}

// jsonFields are the names that programs rely on.
var jsonFields = map[string][]string{
	"machine": {"cpu", "isa", "threads", "go"},
	"corpus":  {"name", "sha256", "level", "tokens", "vocab", "min_count", "unk_rate", "train_unk_rate", "bits_per_unk"},
	"model": {"kind", "order", "hidden", "smoothing", "store", "entries", "parameters", "bytes_predicted", "bytes_resident",
		"train_seconds", "train_tokens_per_second", "score_tokens_per_second", "bits_per_token", "adjusted_bits_per_token"},
}

func TestJSONHasEveryPromisedField(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Machine map[string]any
		Corpus  map[string]any
		Models  []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Models) != 30 {
		t.Fatalf("%d models, want 30", len(got.Models))
	}
	for name, object := range map[string]map[string]any{"machine": got.Machine, "corpus": got.Corpus, "model": got.Models[29]} {
		for _, field := range jsonFields[name] {
			if _, ok := object[field]; !ok {
				t.Errorf("%s has no field %s", name, field)
			}
		}
	}

	b.Reset()
	if err := JSON(&b, study.LevelResult{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"models": []`) {
		t.Error("no models must be [], not null:\n" + b.String())
	}
}

func TestCSVHasTheFieldsOfJSON(t *testing.T) {
	var b bytes.Buffer
	r := sample()
	r.Models[len(r.Models)-1].Embedding = 77
	if err := CSV(&b, r); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range reflect.TypeFor[study.Model]().NumField() {
		want = append(want, reflect.TypeFor[study.Model]().Field(i).Tag.Get("json"))
	}
	if !reflect.DeepEqual(rows[0], want) {
		t.Errorf("header %q, want %q", rows[0], want)
	}
	if len(rows) != 31 || rows[30][0] != "rnn" || rows[30][2] != "256" || rows[30][4] != "77" || rows[30][len(want)-6] != "2.3" || rows[30][len(want)-5] != "2.302" {
		t.Errorf("rows: %q", rows)
	}
}

func TestPlotFormats(t *testing.T) {
	var b bytes.Buffer
	if err := Plot(&b, sample(), "png"); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size.X != 1520 || size.Y < 900 || size.Y > 1520 {
		t.Errorf("PNG of %v", size)
	}

	b.Reset()
	if err := Plot(&b, withGRU(), "svg"); err != nil {
		t.Fatal(err)
	}
	checkSVG(t, "plot", b.String(), []string{"RNN 256 (2.30 bits)", "GRU 140 (2.10 bits)", " MiB", "modified Kneser-Ney: quantised trie", "RNN 128,", "GRU 70", "4.10", "1.70"})
}

func TestPlotOfOddResults(t *testing.T) {
	full := sample().Models
	for name, models := range map[string][]study.Model{
		"one n-gram":     full[:1],
		"one RNN":        full[29:],
		"one store left": full[4:6],
		"all of a size":  {full[0], full[0], full[0]},
		"nothing known":  {{Kind: study.KindNgram, Order: 1}},
		"terabytes":      {full[0], {Kind: study.KindNgram, Order: 9, BytesPredicted: 1 << 45}},
		"more than hues": append(full[:30:30], full[29], full[29], full[29], full[29], full[29]),
		"many cells":     withGRU().Models,
	} {
		var b bytes.Buffer
		if err := Plot(&b, study.LevelResult{Models: models}, "svg"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkSVG(t, name, b.String(), nil)
	}
	if err := Plot(io.Discard, study.LevelResult{}, "png"); !errors.Is(err, ErrNothingToPlot) {
		t.Errorf("no models: error %v", err)
	}
}

func TestPlotFormat(t *testing.T) {
	for path, want := range map[string]string{"a.png": "png", "b/c.SVG": "svg", "x.svg.png": "png", "a.pdf": "", "png": "", "": ""} {
		if got, err := PlotFormat(path); got != want || (err == nil) != (want != "") {
			t.Errorf("PlotFormat(%q) = %q, %v", path, got, err)
		}
	}
}
