package rnnlm

import (
	"encoding/json"
	"fmt"
	"io"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
)

// A Checkpoint says what a checkpoint of a training holds.
type Checkpoint struct {
	Options Options // those that decide the training's bits, without Init and Checkpoint
	Stats   Stats   // so far; Interrupted
	Level   string
	// TextSHA256 is that of the text. ValidSHA256 is that of a text of its own for
	// validation, or "".
	TextSHA256, ValidSHA256 string
	GoesOn                  bool // from another network
	Vocab                   *text.Vocab
	Version                 int
	Sections                []durable.Section
	Parameters              int64 // of the network
}

// DescribeCheckpoint reads a checkpoint of size bytes, and checks its checksums.
func DescribeCheckpoint(r io.Reader, size int64) (c Checkpoint, err error) {
	s, err := durable.NewReader(r, size, "a checkpoint", checkpointMagic, checkpointVersion)
	if err != nil {
		return c, err
	}
	raw, err := record(s, "training", maxRecord)
	if err != nil {
		return c, err
	}
	was := identity{Optimizer: Adam, Shards: 1} // as in recognise
	if err := json.Unmarshal(raw, &was); err != nil {
		return c, fmt.Errorf("training: %w: damaged", err)
	}
	if raw, err = record(s, "vocabulary", s.Left()); err != nil {
		return c, err
	}
	if c.Vocab, err = text.ParseVocab(raw, was.Vocab); err != nil {
		return c, fmt.Errorf("vocabulary: %w", err)
	}
	if raw, err = record(s, "progress", maxRecord); err != nil {
		return c, err
	}
	var p progressRecord
	if err := json.Unmarshal(raw, &p); err != nil {
		return c, fmt.Errorf("progress: %w: damaged", err)
	}
	for _, name := range []string{"model", "optimiser", "state", "best"} {
		if err := s.Section(name, s.Left(), func(r io.Reader, size int64) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}); err != nil {
			return c, err
		}
	}
	if err := s.Close(); err != nil {
		return c, err
	}
	c.Options = Options{
		Cell: was.Cell, Hidden: was.Hidden, Layers: was.Layers, Embedding: was.Embedding, Cutoffs: was.Cutoffs, Tied: was.Tied,
		Budget: was.Budget, Tokens: was.Tokens, Seed: was.Seed,
		Streams: was.Streams, Steps: was.Steps, Rate: was.Rate, Clip: was.Clip, Optimizer: was.Optimizer,
		Dropout: was.Dropout, Halve: was.Halve, Patience: was.Patience, Shards: was.Shards,
	}
	c.Stats = Stats{Progress: Progress{Elapsed: p.Elapsed, Tokens: p.Tokens, Valid: p.Valid}, Options: c.Options, Interrupted: true}
	c.Level, c.TextSHA256, c.ValidSHA256, c.GoesOn = was.Level, was.Text, was.ValidText, was.Init != ""
	c.Version, c.Sections = checkpointVersion, s.Sections()
	for _, section := range c.Sections {
		if section.Name == "model" {
			c.Parameters = (section.Bytes - 4) / 4
		}
	}
	return c, nil
}
