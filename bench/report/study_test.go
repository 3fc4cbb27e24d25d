package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/bench/study"
	"batchrnn/internal/option"
)

// sampleStudy is a study at both levels, made from sample.
func sampleStudy() study.Result { return studyOf(sample()) }

func studyOf(one study.LevelResult) study.Result {
	r := study.Result{
		Format: study.Format, Command: "rnnbench report --corpus 'a <b>.txt' --out out", Machine: one.Machine, Seed: 1, BudgetSeconds: 40,
		Notes: []string{"A note with <unk> & co."}, Limits: []string{"A limit."},
	}
	for _, level := range []string{"char", "word"} {
		c := one.Corpus
		c.Level, c.Name = level, "a <b>.txt"
		r.Corpora = append(r.Corpora, c)
		for i, m := range one.Models {
			r.Rows = append(r.Rows, study.Row{Level: level, Label: m.Name(), Model: m, ValidBits: m.BitsPerToken, Perplexity: 5.25, Adjusted: 7.125,
				LatencySeconds: 1e-7 * float64(i+1), BatchSeconds: 0.7e-7 * float64(i+1), BatchStreams: 32, BatchThreads: 1, Config: fmt.Sprint(level, i)})
		}
		r.Rows = append(r.Rows, study.Row{Level: level, Label: "RNN 256 + 7-gram", Perplexity: 3.1, Weight: 0.625, Parts: []string{"RNN 256", "7-gram"},
			Model: study.Model{Kind: study.KindMixture, BytesPredicted: 2e7, BitsPerToken: 1.625}, LatencySeconds: 2e-6})
	}
	return r
}

// oddStudies are results that a run may end with.
func oddStudies() map[string]study.Result {
	nothing := sampleStudy()
	nothing.Rows, nothing.Interrupted = nil, true
	unscored := sampleStudy()
	unscored.Rows = unscored.Rows[7:8]
	unscored.Rows[0].Unscored, unscored.Rows[0].Interrupted = true, true
	unscored.Rows[0].BitsPerToken, unscored.Rows[0].LatencySeconds, unscored.Rows[0].BatchSeconds = 0, 0, 0
	one := sampleStudy()
	one.Rows = one.Rows[:1]
	return map[string]study.Result{"whole": sampleStudy(), "nothing": nothing, "an unscored row": unscored, "one row": one}
}

func pageOf(t *testing.T, r study.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageIsWellFormedAndNeedsNothingElse(t *testing.T) {
	for name, r := range oddStudies() {
		html := pageOf(t, r)
		d := xml.NewDecoder(strings.NewReader(html))
		d.Entity = xml.HTMLEntity
		svgs, scrolls := 0, false
		ids := map[string]bool{}
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if start, ok := token.(xml.StartElement); ok {
				if start.Name.Local == "table" && !scrolls {
					t.Errorf("%s: a table that doesn't scroll", name)
				}
				scrolls = slices.Contains(start.Attr, xml.Attr{Name: xml.Name{Local: "class"}, Value: "wide"}) ||
					slices.Contains(start.Attr, xml.Attr{Name: xml.Name{Local: "class"}, Value: "wide models"})
				if start.Name.Local == "svg" {
					svgs++
				}
				if slices.Contains([]string{"script", "link", "img", "iframe", "image", "use"}, start.Name.Local) {
					t.Errorf("%s: <%s>", name, start.Name.Local)
				}
				for _, a := range start.Attr {
					if a.Name.Local == "id" {
						if ids[a.Value] {
							t.Errorf("%s: two elements with the id %s", name, a.Value)
						}
						ids[a.Value] = true
					}
					if slices.Contains([]string{"src", "href", "srcset", "action"}, a.Name.Local) {
						t.Errorf("%s: %s=%q", name, a.Name.Local, a.Value)
					}
				}
			}
		}
		for _, bad := range []string{"://", "url(", "@import", "NaN", "Inf"} {
			if strings.Contains(html, bad) {
				t.Errorf("%s: holds %q", name, bad)
			}
		}
		want := 0
		for _, level := range []string{"char", "word"} {
			for _, fig := range drawings(r, level) {
				want += 2 + len(fig.Legend()) // for wide and narrow pages, and what the legend shows
			}
		}
		if svgs != want {
			t.Errorf("%s: %d drawings, want %d", name, svgs, want)
		}
	}
}

func TestPageSaysWhatWasMeasured(t *testing.T) {
	html := pageOf(t, sampleStudy())
	for _, want := range []string{"Some CPU", "&#39;a &lt;b&gt;.txt&#39;", "SHA-256", "A note with &lt;unk&gt; &amp; co.", "A limit.",
		"prefers-color-scheme: dark", `name="viewport"`, "RNN 256 &#43; 7-gram", "weight of 0.62", "1.625", "perplexity is 3.1, beside 5.25 of RNN 256 and 5.25 of 7-gram", "5.25", "7.125", "spelled at 20.1 bits each", "300 ns", "138 ns", "8.5 MiB", "var(--line1)"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	// No colour of a plot stays as it is: it would not follow the page's.
	_, body, _ := strings.Cut(html, "<body>")
	if left := regexp.MustCompile(`#[0-9A-Fa-f]{6}\b`).FindString(body); left != "" {
		t.Errorf("a fixed colour: %s", left)
	}
	interrupted := sampleStudy()
	interrupted.Interrupted, interrupted.Rows[7].Interrupted = true, true
	if html := pageOf(t, interrupted); !strings.Contains(html, "stopped early") || !strings.Contains(html, "before its time") {
		t.Error("the page does not say that the run was stopped")
	}
}

func TestFolderHoldsTheWholeReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "report")
	f, err := OpenFolder(dir, text.Input{})
	if err != nil {
		t.Fatal(err)
	}
	if earlier, err := f.Earlier(); err != nil || earlier != nil {
		t.Errorf("a new folder: %+v, error %v", earlier, err)
	}
	studies := oddStudies()
	r := studies["whole"]
	delete(studies, "whole")
	for name, r := range studies {
		if err := f.Write(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.Write(r); err != nil {
		t.Fatal(err)
	}
	want := []string{"models", "report.html", "results.csv", "results.json"}
	for _, level := range []string{"char", "word"} {
		for _, plot := range []string{"memory", "quality", "speed"} {
			want = append(want, plot+"-"+level+".png", plot+"-"+level+".svg")
		}
	}
	slices.Sort(want)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("files %q\nwant %q", got, want)
	}
	earlier, err := f.Earlier()
	if err != nil || len(earlier.Rows) != len(r.Rows) || earlier.Rows[3].Config != r.Rows[3].Config || earlier.Rows[3].BitsPerToken != r.Rows[3].BitsPerToken || earlier.Command != r.Command {
		t.Errorf("%+v came back, error %v", earlier, err)
	}

	// A report is refused if any file that it wrote is the corpus, under its name or
	// another one.
	if err := f.SaveModel("char-rnn-8.lm", strings.NewReader("a model")); err != nil {
		t.Fatal(err)
	}
	got[slices.Index(got, "models")] = filepath.Join("models", "char-rnn-8.lm")
	for _, name := range got {
		other := filepath.Join(t.TempDir(), "link")
		linked(t, os.Symlink(filepath.Join(dir, name), other))
		for _, path := range []string{filepath.Join(dir, name), other} {
			if _, err := OpenFolder(dir, text.Input{Paths: []string{"elsewhere", path}}); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Out: ") || !strings.Contains(err.Error(), name) {
				t.Errorf("the corpus is %s: error %v", name, err)
			}
		}
	}
	if _, err := OpenFolder(dir, text.Input{Paths: []string{dir}}); err != nil {
		t.Errorf("a report in the folder of the corpus: %v", err)
	}
}

func TestResultsHaveEveryPromisedField(t *testing.T) {
	var b bytes.Buffer
	if err := studyJSON(&b, sampleStudy()); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"format", "command", "machine", "seed", "budget_seconds", "corpora", "rows", "notes", "limits", "interrupted"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
	row := got["rows"].([]any)[0].(map[string]any)
	b.Reset()
	s := sampleStudy()
	s.Rows[0].Embedding = 77
	if err := studyCSV(&b, s); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(lines) != 1+len(s.Rows) {
		t.Fatalf("%d lines, error %v", len(lines), err)
	}
	if got := lines[1][slices.Index(lines[0], "embedding")]; got != "77" {
		t.Errorf("an embedding of %s, want 77", got)
	}
	for _, key := range lines[0] {
		if _, ok := row[key]; !ok {
			t.Errorf("the JSON of a row has no %s", key)
		}
	}
}

func TestBadFolders(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", file, filepath.Join(file, "below")} {
		if _, err := OpenFolder(path, text.Input{}); err == nil || !strings.HasPrefix(err.Error(), "Out: ") {
			t.Errorf("%q: error %v", path, err)
		}
	}
	if _, err := OpenFolder("", text.Input{}); !option.IsMisuse(err) {
		t.Errorf("no name: error %v", err)
	}
	f, err := OpenFolder(dir, text.Input{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, content := range []string{"", "{", "[]", `{"format": 99}`, "text"} {
		if err := os.WriteFile(filepath.Join(dir, "results.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Earlier(); err == nil || !strings.HasPrefix(err.Error(), "Resume: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v", content, err)
		}
	}
}

// TestCellsOfARow names the cells of all rows, in every output.
func TestCellsOfARow(t *testing.T) {
	r := studyOf(withGRU())
	html := pageOf(t, r)
	var table, list bytes.Buffer
	if err := errors.Join(StudyText(&table, r), studyCSV(&list, r)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RNN 256", "GRU 140", "GRU, by width", "RNN, by width"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if !strings.Contains(table.String(), "GRU 140") || !strings.Contains(list.String(), ",140,gru,") || !strings.Contains(list.String(), ",256,rnn,") {
		t.Errorf("no GRU in\n%s%s", table.String(), list.String())
	}
}

// TestRowsOfInt8 wants the rows of int8 in every output but the plot of times.
func TestRowsOfInt8(t *testing.T) {
	r := everyday()
	var table, list, text bytes.Buffer
	if err := errors.Join(StudyText(&table, r), studyCSV(&list, r), Text(&text, r.At("char"))); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"page": pageOf(t, r), "tables": table.String(), "table": text.String()} {
		if !strings.Contains(out, "GRU 140 int8") || !strings.Contains(out, "RNN 256 int8") {
			t.Errorf("no rows of int8 in the %s:\n%s", name, out)
		}
	}
	if !strings.Contains(list.String(), ",int8,") {
		t.Errorf("no rows of int8 in\n%s", list.String())
	}
	for _, fig := range drawings(r, "char") {
		found := 0
		for _, panel := range fig.Panels {
			for _, s := range panel.Series {
				if strings.Contains(s.Name, "int8") {
					found++
				}
			}
		}
		if want := map[string]int{"memory-char": 2, "quality-char": 2, "speed-char": 0}[fig.name]; found != want {
			t.Errorf("%s has %d series of int8, want %d", fig.name, found, want)
		}
	}
}

// TestQualityPlotShowsWhereTheFiguresAre leaves out the orders far above every RNN.
func TestQualityPlotShowsWhereTheFiguresAre(t *testing.T) {
	row := func(kind string, bits float64) study.Row {
		return study.Row{Model: study.Model{Kind: kind, BitsPerToken: bits}}
	}
	for want, rows := range map[int][]study.Row{
		2: {row(study.KindNgram, 4.5), row(study.KindNgram, 1.9), row(study.KindRNN, 2.1)},
		3: {row(study.KindNgram, 4.5), row(study.KindNgram, 1.9), row(study.KindRNN, 4.6)},
		1: {row(study.KindNgram, 4.5)},
	} {
		if in, out := shown(rows); len(in) != want || len(in)+len(out) != len(rows) {
			t.Errorf("%d rows shown and %d left out, want %d shown", len(in), len(out), want)
		}
	}
}

func TestTimesOfTokens(t *testing.T) {
	for seconds, want := range map[float64]string{0: "-", 3e-8: "30 ns", 1.26e-6: "1.3 µs", 99.9e-6: "99.9 µs", 104e-6: "104 µs", 999.7e-6: "1.0 ms", 0.0123: "12.3 ms"} {
		if got := secondsOrNone(seconds); got != want {
			t.Errorf("%g s: %s, want %s", seconds, got, want)
		}
	}
}
