package rnnlm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"batchrnn/internal/durable"
	"batchrnn/rnn"
)

// full is a disk with room for some bytes.
type full struct {
	w     io.Writer
	room  int
	short bool // it writes less, and says so only by the number
}

func (f *full) Write(b []byte) (int, error) {
	if len(b) <= f.room {
		f.room -= len(b)
		return f.w.Write(b)
	}
	n, err := f.w.Write(b[:f.room])
	f.room = 0
	if err == nil && !f.short {
		err = syscall.ENOSPC
	}
	return n, err
}

// TestFullDiskLeavesTheLastCheckpoint: a training that can't write its checkpoints says
// so, and goes on to the same bits. The one before stays, for a training that resumes.
func TestFullDiskLeavesTheLastCheckpoint(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	o := byTokens()["plain"]
	slab, _ := train(t, e, c, o)
	dir := t.TempDir()
	o.Checkpoint = filepath.Join(dir, "checkpoint")
	broken(t, e, c, o, 100)
	good, err := os.ReadFile(o.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	var rooms []int
	for _, at := range append(sections(good), 0) {
		for _, near := range []int{at - 1, at, at + 1, at + durable.LengthBytes, at + durable.LengthBytes + 4, at + 99} {
			if near >= 0 && near < len(good)-20 { // the next one is about as long
				rooms = append(rooms, near)
			}
		}
	}
	for i, room := range rooms {
		o.Every = 1
		tr, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		short := i%2 == 1
		tr.writeFile = func(path string, write func(io.Writer) error) error {
			return durable.WriteFile(path, func(w io.Writer) error { return write(&full{w, room, short}) })
		}
		if err := tr.resume(); err != nil {
			t.Fatal(err)
		}
		want := error(syscall.ENOSPC)
		if short {
			want = io.ErrShortWrite
		}
		tr.started = time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 { // it tries again
			if err := tr.step(t.Context()); err != nil {
				t.Fatal(err)
			}
			tr.save()
			err := tr.progress.Unsaved
			if !errors.Is(err, want) || !strings.Contains(err.Error(), o.Checkpoint) || strings.Contains(err.Error(), "\n") {
				t.Errorf("room for %d bytes: error %v", room, err)
			}
		}
		cancel()
		if err := tr.run(ctx, func(Progress) {}); err != nil || !errors.Is(tr.progress.Unsaved, want) {
			t.Errorf("room for %d bytes: error %v, %v", room, err, tr.progress.Unsaved)
		}
		if now, err := os.ReadFile(o.Checkpoint); err != nil || !bytes.Equal(now, good) {
			t.Fatalf("room for %d bytes: the last checkpoint has changed: %v", room, err)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v %v", names, err)
	}
	got, _ := train(t, e, c, o)
	if i := firstDifference(got, slab); i >= 0 {
		t.Errorf("parameter %d differs after full disks", i)
	}
}

// TestTrainingOutlivesItsDisk: a disk that is full for a while changes nothing of what is
// learned. The training tells when it begins and when it ends, and whether the last
// checkpoint was written.
func TestTrainingOutlivesItsDisk(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	o := byTokens()["adaptive"]
	slab, want := train(t, e, c, o)
	o.Every = 1
	for name, test := range map[string]struct {
		full func(nth int) bool
		last bool // the last checkpoint fails
	}{
		"for a while": {func(nth int) bool { return nth > 5 && nth < 20 }, false},
		"to the end":  {func(nth int) bool { return nth > 5 }, true},
	} {
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		tr, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		writes := 0
		tr.writeFile = func(path string, write func(io.Writer) error) error {
			if writes++; test.full(writes) {
				return syscall.ENOSPC
			}
			return write(io.Discard)
		}
		if err := tr.run(t.Context(), func(Progress) {}); err != nil {
			t.Fatal(err)
		}
		if i := firstDifference(tr.model.Slab, slab); i >= 0 {
			t.Errorf("%s: parameter %d differs", name, i)
		}
		got := tr.stats(t.Context())
		if errors.Is(got.Unsaved, syscall.ENOSPC) != test.last || writes < 30 {
			t.Errorf("%s: %d checkpoints, the last one %v", name, writes, got.Unsaved)
		}
		if got.Unsaved = nil; got.comparable() != want.comparable() {
			t.Errorf("%s: %+v instead of %+v", name, got, want)
		}
	}
}

// TestFileBytes: files are as large as the check of free space takes them to be.
func TestFileBytes(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for _, cell := range []rnn.CellKind{rnn.Vanilla, rnn.LSTM} {
		for _, optimizer := range Optimizers {
			o := Options{Cell: cell, Hidden: 48, Layers: 2, Tokens: 1e6, Optimizer: optimizer, Rate: 1e-3, Checkpoint: filepath.Join(t.TempDir(), "c")}
			tr, err := newTrainer(e, c, o.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			tr.started = time.Now()
			if err := tr.step(t.Context()); err != nil {
				t.Fatal(err)
			}
			tr.progress.Valid = 1 // so that there are best parameters
			tr.save()
			checkpoint, err := os.Stat(o.Checkpoint)
			if err != nil {
				t.Fatal(tr.progress.Unsaved)
			}
			model, err := File{tr.model}.WriteTo(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			around := int64(len(c.Vocab.Append(nil))) + 4096
			wantModel, wantCheckpoint := FileBytes(c.Vocab.Len(), o)
			states := int64(4 * 2 * o.Hidden * defaultStreams) // of cells that an LSTM alone has
			if model < wantModel || model > wantModel+around || checkpoint.Size() < wantCheckpoint-states || checkpoint.Size() > wantCheckpoint+around {
				t.Errorf("%v, %s: %d and %d bytes, FileBytes says %d and %d", cell, optimizer, model, checkpoint.Size(), wantModel, wantCheckpoint)
			}
		}
	}
}
