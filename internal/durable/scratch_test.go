package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestScratch(t *testing.T) {
	dir := t.TempDir()
	s, err := NewScratch(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); runtime.GOOS != "windows" && got != "" {
		t.Errorf("files %q", got)
	}
	text := []byte("some text")
	if _, err := s.Write(text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := s.ReadAt(got, 5); err != nil || string(got) != "text" {
		t.Errorf("%q, error %v", got, err)
	}
	mapped, unmap, err := s.Map(len(text))
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); got != "" {
		t.Errorf("files %q after the end", got)
	}
	if unmap != nil {
		if !bytes.Equal(mapped, text) {
			t.Errorf("mapped: %q", mapped)
		}
		unmap()
	}
	if len(temporary.set) != 0 {
		t.Errorf("%v are still temporary", temporary.set)
	}
}

// TestNamedScratch: where an open file keeps its name, the end of the process removes it.
func TestNamedScratch(t *testing.T) {
	dir := t.TempDir()
	for _, remove := range []func(*Scratch){func(s *Scratch) { s.Close() }, func(s *Scratch) { s.File.Close(); RemoveTemporary() }} {
		name := filepath.Join(dir, "named")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		temporary.add(name)
		remove(&Scratch{File: f, name: name})
		temporary.remove(name)
		if got := list(t, dir); got != "" {
			t.Errorf("files %q", got)
		}
	}
}

func TestNoScratch(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	s, err := NewScratch(missing)
	if s != nil || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none") || strings.Contains(err.Error(), scratchPrefix) {
		t.Errorf("error %v", err)
	}
	if len(temporary.set) != 0 {
		t.Errorf("%v are still temporary", temporary.set)
	}
}
