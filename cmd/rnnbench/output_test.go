package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// smallModel trains a model of n-grams, which takes milliseconds, and returns its file.
func smallModel(t *testing.T, text string, more ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.lm")
	args := append([]string{"train", "--corpus", text, "--kind", "ngram", "--order", "2", "--out", file}, more...)
	if status, _, stderr := runArgs("", args...); status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	return file
}

// everyJSON lists a quick call of every command that has --json.
func everyJSON(t *testing.T, text, model string) map[string][]string {
	return map[string][]string{
		"ram":       {"--corpus", text, "--max-order", "1", "--cell", "rnn", "--hidden", "4", "--budget", "20ms", "--threads", "1"},
		"train":     {"--corpus", text, "--kind", "ngram", "--order", "1", "--out", filepath.Join(t.TempDir(), "out.lm")},
		"eval":      {model, "--corpus", text},
		"sample":    {model, "--length", "3"},
		"score":     {model},
		"rescore":   {model},
		"inspect":   {model},
		"kernels":   {"--isa", "generic", "--time", "1us", "--largest", "1,1,8,8"},
		"speed":     {"--neighbours", "--hidden", "4", "--batch", "1", "--threads", "2", "--time", "1us"},
		"gradients": {"--cell", "lstm", "--lengths", "3", "--updates", "1", "--threads", "1"},
	}
}

// formats wants one or more JSON objects, each with a format.
func formats(t *testing.T, what, text string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	for n := 0; d.More() || n == 0; n++ {
		var v struct{ Format int }
		if err := d.Decode(&v); err != nil || v.Format != 1 {
			t.Fatalf("%s: object %d: format %d, error %v in %.300s", what, n, v.Format, err, text)
		}
	}
}

// Every command takes the flag in every form, before its argument and after it.
func TestJSONMeansTheSameEverywhere(t *testing.T) {
	manyCommands(t)
	text := writeText(t)
	model := smallModel(t, text)
	for command, args := range everyJSON(t, text, model) {
		run := func(args ...string) (stdout, stderr string) {
			t.Helper()
			status, stdout, stderr := runArgs("a-1 line\n", args...)
			if status != 0 {
				t.Errorf("%v: exit status %d\n%s", args, status, stderr)
			}
			return stdout, stderr
		}
		after := append([]string{command}, args...)
		stdout, _ := run(append(slices.Clone(after), "--json")...)
		formats(t, command+" --json", stdout)
		if command == "sample" || command == "inspect" || command == "eval" || command == "score" || command == "rescore" {
			before := append([]string{command, "--json"}, args...)
			stdout, _ := run(before...)
			formats(t, command+" with --json first", stdout)
		}
		if command == "kernels" || command == "speed" || command == "gradients" {
			continue // they share the code below, and take seconds
		}
		file := filepath.Join(t.TempDir(), "r.json")
		for _, form := range [][]string{{"--json", file}, {"--json=" + file}} {
			stdout, _ := run(append(slices.Clone(after), form...)...)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			formats(t, command+" "+form[0], string(b))
			if strings.HasPrefix(stdout, "{") || stdout == "" {
				t.Errorf("%s %v: the text is %.100q", command, form, stdout)
			}
			os.Remove(file)
		}
		stdout, _ = run(append(slices.Clone(after), "--json", "-", "--quiet")...)
		formats(t, command+" --json -", stdout)
		for _, bad := range []string{"--json=", "--json=" + filepath.Join(file, "none", "x")} {
			status, stdout, stderr := runArgs("a-1 line\n", append(slices.Clone(after), bad)...)
			if status == 0 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--json: ") {
				t.Errorf("%s %s: exit status %d, %q, %q", command, bad, status, stdout, stderr)
			}
		}
	}
}

// --out - writes to standard output what the file would hold, and nothing else.
func TestOutOnStandardOutput(t *testing.T) {
	text := writeText(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir()) // where a model goes that can't be written
	file := func(name string) string { return filepath.Join(dir, name) }
	train := []string{"train", "--corpus", text, "--hidden", "4", "--epochs", "1", "--threads", "1", "--out"}
	for _, test := range []struct {
		name string
		args []string // up to the name of --out
	}{
		{"m.lm", train},
		{"m.safetensors", []string{"export", file("m.lm"), "--out"}},
		{"q.lm", []string{"quantise", file("m.lm"), "--out"}},
		{"n.lm", []string{"import", file("m.lm"), "--weights", file("m.safetensors"), "--out"}},
	} {
		status, _, stderr := runArgs("", append(slices.Clone(test.args), file(test.name))...)
		if status != 0 {
			t.Fatalf("%v: exit status %d\n%s", test.args, status, stderr)
		}
		want, err := os.ReadFile(file(test.name))
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{"-", "/dev/stdout", "/dev/fd/1"} {
			status, stdout, stderr := runArgs("", append(slices.Clone(test.args), out)...)
			if status != 0 || stdout != string(want) || !strings.Contains(stderr, "saved    standard output, ") {
				t.Errorf("%v %s: exit status %d, %d bytes instead of %d, %s", test.args, out, status, len(stdout), len(want), stderr)
			}
		}
		var broken bytes.Buffer
		if status := run(append(slices.Clone(test.args), "-"), nil, brokenWriter{}, &broken); status != 1 || !strings.Contains(broken.String(), "--out: standard output") {
			t.Errorf("%v into nothing: exit status %d, %s", test.args, status, broken.String())
		}
	}
	if _, err := os.Stat("-"); err == nil {
		t.Error("there is a file named -")
	}
}

// No two outputs go to one place.
func TestCollidingOutputs(t *testing.T) {
	text := writeText(t)
	model := smallModel(t, text)
	out := filepath.Join(t.TempDir(), "out")
	train := []string{"train", "--corpus", text, "--hidden", "4", "--epochs", "1"}
	for _, args := range [][]string{
		append(slices.Clone(train), "--out", "-", "--json"),
		append(slices.Clone(train), "--out", "-", "--json=-"),
		append(slices.Clone(train), "--out", "/dev/stdout", "--json=/dev/fd/1"),
		append(slices.Clone(train), "--out", out, "--json", out),
		append(slices.Clone(train), "--out", out, "--checkpoint", out+"c", "--json", out+"c"),
		append(slices.Clone(train), "--out", out, "--json", text),
		{"ram", "--corpus", text, "--json", out, "--csv", out},
		{"ram", "--corpus", text, "--json", "--csv", "-"},
		{"eval", model, "--corpus", text, "--json", text},
		{"eval", model, "--corpus", text, "--json", model},
		{"sample", model, "--json", model},
		{"score", model, "--json", model},
		{"inspect", model, "--json", model},
		{"gradients", "--json", out + ".svg", "--plot", out + ".svg"},
	} {
		before, err := os.ReadFile(model)
		if err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := runArgs("a-1 line\n", args...)
		if status != exitMisuse || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit status %d, %q, %q", args, status, stdout, stderr)
		}
		if after, err := os.ReadFile(model); err != nil || !bytes.Equal(before, after) {
			t.Fatalf("%v: the model was overwritten: %v", args, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%v: a file was written all the same", args)
		}
	}
}

// With --quiet nothing stands on standard error, with --progress json only objects; a
// piped run has no empty line there.
func TestStandardError(t *testing.T) {
	manyCommands(t)
	text := writeText(t)
	model := smallModel(t, text)
	calls := everyJSON(t, text, model)
	calls["report"] = append(slices.Clone(calls["ram"]), "--level", "char", "--out", filepath.Join(t.TempDir(), "report"))
	calls["export"] = []string{filepath.Join(filepath.Dir(model), "rnn.lm"), "--out", filepath.Join(t.TempDir(), "x")}
	if status, _, stderr := runArgs("", "train", "--corpus", text, "--hidden", "4", "--epochs", "1", "--out", calls["export"][0]); status != 0 {
		t.Fatal(stderr)
	}
	for command, args := range calls {
		args = append([]string{command}, args...)
		if command != "report" { // which takes a second
			status, _, stderr := runArgs("a-1 line\n", args...)
			if status != 0 || strings.HasPrefix(stderr, "\n") || strings.Contains(stderr, "\n\n") {
				t.Errorf("%v: exit status %d, standard error %q", args, status, stderr)
			}
			if command == "kernels" || command == "gradients" {
				continue // as speed
			}
			if status, _, stderr := runArgs("a-1 line\n", append(slices.Clone(args), "--quiet")...); status != 0 || stderr != "" {
				t.Errorf("%v --quiet: exit status %d, standard error %q", args, status, stderr)
			}
		}
		status, _, stderr := runArgs("a-1 line\n", append(slices.Clone(args), "--progress", "json")...)
		if status != 0 {
			t.Errorf("%v --progress json: exit status %d, %s", args, status, stderr)
		}
		for line := range strings.Lines(stderr) {
			var o progressLine
			decodeStrictly(t, line, &o)
			if o.Format != 1 || !slices.Contains([]string{"start", "progress", "result"}, o.Event) || !(o.Seconds >= 0) || o.Work == "" && o.Event != "result" ||
				o.Fraction != nil && !(*o.Fraction >= 0 && *o.Fraction <= 1) {
				t.Errorf("%v: %s", args, line)
			}
		}
		if stderr == "" {
			t.Errorf("%v --progress json is silent", args)
		}
	}
	if status, _, stderr := runArgs("", "sample", model, "--quiet", "--length", "0"); status != 2 || !strings.Contains(stderr, "--length") {
		t.Errorf("an error with --quiet: exit status %d, %q", status, stderr)
	}
	for _, args := range [][]string{{"--progress", "xml"}, {"--progress", "json", "--quiet"}} {
		if status, _, stderr := runArgs("", append([]string{"inspect", model}, args...)...); status != 2 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--progress") {
			t.Errorf("%v: exit status %d, %q", args, status, stderr)
		}
	}
}

// TestFullStandardOutput: every command fails if its output can't be written, and says
// once where.
func TestFullStandardOutput(t *testing.T) {
	text := writeText(t)
	model := smallModel(t, text)
	for _, args := range [][]string{
		{"--version"}, {"--help"}, {"score", "--help"}, {"completion", "zsh"},
		{"inspect", model}, {"inspect", model, "--json"},
		{"eval", model, "--corpus", text}, {"eval", model, "--corpus", text, "--json"},
		{"sample", model}, {"sample", model, "--json"},
		{"rescore", model}, {"rescore", model, "--json"}, {"rescore", model, "--json", filepath.Join(t.TempDir(), "s.json")},
		{"score", model}, {"score", model, "--json"}, {"score", model, "--json", filepath.Join(t.TempDir(), "s.json")},
		{"export", model, "--out", "-"},
	} {
		var stderr strings.Builder
		status := run(args, strings.NewReader("a-1 line\n"), brokenWriter{}, &stderr)
		if got := stderr.String(); status != exitFailure || !strings.Contains(got, "standard output: "+io.ErrClosedPipe.Error()+"\n") || strings.Count(got, "standard output") != 1 {
			t.Errorf("%v: exit status %d, %q", args, status, got)
		}
	}
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("there is none here:", err)
	}
	for _, command := range []string{"inspect", "sample", "score", "rescore"} {
		status, _, stderr := runArgs("a-1 line\n", command, model, "--json", full)
		if want := `rnnbench: --json: "/dev/full" was not written: no space left on device` + "\n"; status != exitFailure || !strings.HasSuffix("\n"+stderr, "\n"+want) {
			t.Errorf("%s: exit status %d, %q, want %q", command, status, stderr, want)
		}
	}
}
