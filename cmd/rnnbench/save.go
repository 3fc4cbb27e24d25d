package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"batchrnn/bench/report"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

// freeSpace is durable.FreeSpace, except in tests.
var freeSpace = durable.FreeSpace

// pageBytes is more than the page, plots and figures of a report take.
const pageBytes = 8 << 20

// checkSpace returns an error if a file, or a folder, is known to have no room for so many
// more bytes.
func checkSpace(flag, path string, bytes int64) error {
	if free, known := freeSpace(path); known && free < bytes {
		return option.Failure(flag, "%q takes %s, and %s are free there: make room, or name a file elsewhere",
			path, figures.Bytes(bytes), figures.Bytes(free))
	}
	return nil
}

// checkTrainSpace returns an error if there is no room for the files of a training. Two
// checkpoints are there at once: a new one takes the place of the one before once it is
// complete.
func checkTrainSpace(out, checkpoint string, modelBytes, checkpointBytes int64) error {
	if checkpoint != "" {
		need := 2 * checkpointBytes
		if _, err := os.Stat(checkpoint); err == nil {
			need -= checkpointBytes
		}
		if err := checkSpace("--checkpoint", checkpoint, need); err != nil {
			return err
		}
	}
	if out == report.Stdout {
		return nil
	}
	return checkSpace("--out", out, modelBytes)
}

// saveModel writes a model to path, as [writeOut] does. If that fails, it writes it to a
// new folder for temporary files, so that a training isn't lost, and returns an error that
// says so. saved is where the model is, empty if nowhere.
func saveModel(path string, stdout io.Writer, model io.WriterTo) (saved string, size int64, err error) {
	write := func(w io.Writer) (err error) {
		size, err = model.WriteTo(w)
		return err
	}
	if err = writeOut(path, stdout, write); err == nil {
		return path, size, nil
	}
	folder, elsewhere := os.MkdirTemp("", "rnnbench-")
	if elsewhere == nil {
		name := filepath.Base(path)
		if path == report.Stdout {
			name = "model.lm"
		}
		saved = filepath.Join(folder, name)
		if elsewhere = durable.WriteFile(saved, write); elsewhere == nil {
			return saved, size, fmt.Errorf("%w: the model is in %q instead", err, saved)
		}
		os.Remove(folder)
	}
	return "", 0, fmt.Errorf("%w, nor in %s: %v", err, os.TempDir(), durable.WithoutPath(elsewhere))
}

// removeCheckpoint removes the checkpoint of a training that is complete.
func removeCheckpoint(path string) error {
	if err := os.Remove(durable.Resolve(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--checkpoint: %q is of no more use, and can't be removed: %w", path, durable.WithoutPath(err))
	}
	return nil
}
