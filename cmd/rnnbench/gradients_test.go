package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/gradients"
)

func TestGradients(t *testing.T) {
	dir := t.TempDir()
	plot := filepath.Join(dir, "g.png")
	args := []string{"gradients", "--cell", "rnn,lstm,gru", "--lengths", "4,12", "--updates", "5", "--seed", "7", "--threads", "2"}
	status, stdout, stderr := runArgs("", append(args, "--json", "-", "--plot", plot)...)
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	var r gradients.Result
	decodeStrictly(t, stdout, &r)
	wantFields(t, stdout, "models", "task", "length", "network", "cell", "clip", "learning_rate", "accuracy", "loss", "baseline", "chance",
		"clipped", "largest_norm", "diverged", "at_start", "trained")
	if len(r.Models) != 56 || r.Seed != 7 || r.Interrupted {
		t.Errorf("%d models, seed %d", len(r.Models), r.Seed)
	}
	text := joined(stderr)
	for _, want := range []string{"rnnbench gradients --cell rnn,lstm,gru --lengths 4,12 --updates 5 --remember 1 --threads 2 --seed 7",
		"Adding problem", "Copy task", "the best without looking 4 7.8 0.1667", "ReLU, identity, skip", "LSTM, chrono", "GRU, chrono", "adding problem, T = 12",
		"The copy task at T = 12:", "Before training the gradient of “tanh” vanishes"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	b, err := os.ReadFile(plot)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(b)); err != nil {
		t.Error(err)
	}

	svg, file := filepath.Join(dir, "g.svg"), filepath.Join(dir, "g.json")
	if status, stdout, stderr := runArgs("", append(args, "--plot", svg, "--json", file)...); status != 0 || !strings.Contains(stdout, "Copy task") {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	if b, err := os.ReadFile(svg); err != nil || !bytes.Contains(b, []byte("distance from the loss")) {
		t.Errorf("the plot as SVG: %v, %d bytes", err, len(b))
	}
}

func TestBadInputOfGradients(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing", "out")
	same := filepath.Join(t.TempDir(), "same.png")
	for _, test := range []struct {
		status int
		want   string // what the error line must name
		args   []string
	}{
		{2, "stray", []string{"stray"}},
		{2, "rnnbench gradients --help", []string{"--budget", "1s"}},
		{2, "--cell", []string{"--cell", "elman"}},
		{2, "--cell", []string{"--cell", ""}},
		{2, "--cell", []string{"--cell", "gru,gru"}},
		{2, "--cell", []string{"--cell", "rnn,gru-reset-before"}},
		{2, "--lengths", []string{"--lengths", "1"}},
		{2, "--lengths", []string{"--lengths", "5,5"}},
		{2, "--lengths", []string{"--lengths", ""}},
		{2, "--lengths", []string{"--lengths", "long"}},
		{2, "--updates", []string{"--updates", "-1"}},
		{2, "--remember", []string{"--remember", "11"}},
		{2, "--threads", []string{"--threads", "0"}},
		{2, "--seed", []string{"--seed", "-1"}},
		{2, "--json", []string{"--json", ""}},
		{1, "--json", []string{"--json", missing}},
		{2, "--plot", []string{"--plot", "g.pdf"}},
		{1, "--plot", []string{"--plot", missing + ".png"}},
		{2, "--plot", []string{"--json", same, "--plot", same}},
	} {
		status, stdout, stderr := runArgs("", append([]string{"gradients"}, test.args...)...)
		if status != test.status || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("%v: exit status %d, standard output %q, standard error %q, want %d and one line that names %s",
				test.args, status, stdout, stderr, test.status, test.want)
		}
	}
}
