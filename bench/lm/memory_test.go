package lm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
)

// ngramOptions are those of an n-gram model of a text of 30,000 words.
func ngramOptions(t *testing.T) TrainOptions {
	t.Helper()
	rng := rand.New(rand.NewPCG(81, 82))
	var lines strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&lines, "w%d", int(1/(0.002+rng.Float64())))
		if i%12 == 11 {
			lines.WriteByte('\n')
		} else {
			lines.WriteByte(' ')
		}
	}
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return TrainOptions{TextOptions: TextOptions{Corpus: fileInput(path)}, Kind: Ngram, Threads: 1}
}

// TestMemoryGivesTheSameModel: at every level, to the last byte of the file.
func TestMemoryGivesTheSameModel(t *testing.T) {
	quantised := ngram.Quantised
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		for _, store := range []*ngram.Store{nil, &quantised} {
			o := ngramOptions(t)
			o.Level, o.Store = level, store
			var files [2]bytes.Buffer
			var results [2]Trained
			for i := range files {
				if i == 1 {
					o.Memory, o.Folder = new(int64(2<<20)), t.TempDir()
				}
				training, err := NewTraining(o, nil)
				if err != nil {
					t.Fatal(err)
				}
				m, out, err := training.Run(t.Context(), func(Progress) {})
				if err != nil {
					t.Fatal(err)
				}
				out.TrainSeconds, out.TrainTokensPerSecond = 0, 0
				results[i] = out
				if _, err := m.WriteTo(&files[i]); err != nil {
					t.Fatal(err)
				}
				training.Close()
			}
			if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) || results[0] != results[1] {
				t.Errorf("%v: %d and %d bytes, results\n%+v\n%+v", level, files[0].Len(), files[1].Len(), results[0], results[1])
			}
			if left, err := os.ReadDir(o.Folder); err != nil || len(left) > 0 {
				t.Errorf("files %v are left, error %v", left, err)
			}
		}
	}
}

// TestLeastMemory: an error names the least memory, which then works.
func TestLeastMemory(t *testing.T) {
	o := ngramOptions(t)
	o.Level, o.Folder = text.Word, t.TempDir()
	o.Memory = new(int64(1000))
	_, err := NewTraining(o, nil)
	if !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Memory: 1000 B are too few: the tokens of the text take 117") || !strings.Contains(err.Error(), "rnnbench encode") {
		t.Fatalf("error %v", err)
	}
	o.Memory = nil
	training, err := NewTraining(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	least := training.tokenBytes() + ngram.LeastMemory(training.data.Vocab.Len())
	training.Close()
	for bytes, fits := range map[int64]bool{least - 1: false, least: true, 1 << 60: false} {
		o.Memory = &bytes
		training, err := NewTraining(o, nil)
		if (err == nil) != fits || err != nil && (!option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Memory: ")) {
			t.Errorf("%d bytes: error %v", bytes, err)
		}
		if err == nil {
			if _, _, err := training.Run(t.Context(), func(Progress) {}); err != nil {
				t.Errorf("%d bytes: error %v", bytes, err)
			}
			training.Close()
		}
	}
}

func TestMemoryIsRefused(t *testing.T) {
	hash, hidden := ngram.Hash, 4
	for want, change := range map[string]func(*TrainOptions){
		"Memory: only the estimate of an n-gram model":  func(o *TrainOptions) { o.Kind, o.Hidden = RNN, &hidden },
		"Memory: 0 bytes are no memory":                 func(o *TrainOptions) { o.Memory = new(int64(0)) },
		"Store: a model in a hash is made in one piece": func(o *TrainOptions) { o.Store = &hash },
	} {
		o := ngramOptions(t)
		o.Memory = new(int64(2 << 20))
		change(&o)
		if err := o.Validate(); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestMemoryFails: a training without a place for its files, and an interrupted one.
func TestMemoryFails(t *testing.T) {
	o := ngramOptions(t)
	o.Memory, o.Folder = new(int64(2<<20)), filepath.Join(t.TempDir(), "missing")
	run := func(ctx context.Context) error {
		training, err := NewTraining(o, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer training.Close()
		m, _, err := training.Run(ctx, func(Progress) {})
		if m != nil {
			t.Error("there is a model")
		}
		return err
	}
	if err := run(t.Context()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing folder: error %v", err)
	}
	o.Folder = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx); !IsInterrupt(err) {
		t.Errorf("an interrupt: error %v", err)
	}
}
