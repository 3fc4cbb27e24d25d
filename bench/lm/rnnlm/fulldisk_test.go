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

// TestFullDiskLeavesTheLastCheckpoint: a training that can't write its checkpoint
// ends with an error, and resumes from the one before with the same bits.
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
		err = tr.run(t.Context(), func(Progress) {})
		want := syscall.ENOSPC.Error()
		if short {
			want = io.ErrShortWrite.Error()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), o.Checkpoint) || strings.Contains(err.Error(), "\n") {
			t.Errorf("room for %d bytes: error %v", room, err)
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

// A disk that fails on Ctrl-C, too, is an error.
func TestInterruptedCheckpointFails(t *testing.T) {
	tr, err := newTrainer(newEngine(t), tinyCorpus(t), Options{Hidden: 4, Tokens: 1e6, Checkpoint: "x"}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tr.started = time.Now()
	if err := tr.step(); err != nil {
		t.Fatal(err)
	}
	tr.writeFile = func(string, func(io.Writer) error) error { return syscall.EIO }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.run(ended, func(Progress) {}); !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v", err)
	}
}
