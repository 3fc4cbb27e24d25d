package durable

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
)

// A Scratch is a file that only this process uses, and that is gone once it is closed. On
// Unix it has no name, so that nothing is left of it after the process, however that ends.
// Elsewhere [RemoveTemporary] removes it too.
type Scratch struct {
	*os.File
	name string // "" if it has none
}

// NewScratch creates an empty Scratch in a folder. Its errors name the folder alone.
func NewScratch(folder string) (*Scratch, error) {
	if f, err := openNameless(folder); err == nil {
		return &Scratch{File: f}, nil
	}
	name := filepath.Join(folder, scratchPrefix+rand.Text()[:10]+besideSuffix)
	temporary.add(name)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		temporary.remove(name)
		return nil, fmt.Errorf("no file can be made in %q: %w", folder, WithoutPath(err))
	}
	if os.Remove(name) == nil { // not on Windows
		temporary.remove(name)
		name = ""
	}
	return &Scratch{File: f, name: name}, nil
}

const scratchPrefix = ".rnnbench-scratch-"

// Close closes the file and removes it.
func (s *Scratch) Close() error {
	err := s.File.Close()
	if s.name != "" {
		os.Remove(s.name)
		temporary.remove(s.name)
	}
	return err
}
