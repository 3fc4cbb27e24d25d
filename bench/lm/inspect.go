package lm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"batchrnn/internal/durable"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// An Inspection says what the model in a file is.
type Inspection struct {
	Format   int       `json:"format"` // jsonFormat
	File     string    `json:"file"`
	Bytes    int64     `json:"file_bytes"`
	SHA256   string    `json:"file_sha256"`
	Modified time.Time `json:"modified"` // by the file system; the file itself holds no time

	Version      int           `json:"file_version"`
	ModelVersion int           `json:"model_version"` // of the section that holds the model
	Sections     []FileSection `json:"sections"`

	Model       Config   `json:"model"`
	MemoryBytes int64    `json:"bytes"`                // in memory, without the vocabulary
	Parameters  int64    `json:"parameters,omitempty"` // of an RNN
	Activation  string   `json:"activation,omitempty"` // of vanilla cells
	Cutoffs     []int    `json:"cutoffs,omitempty"`    // of an adaptive softmax
	Store       string   `json:"store,omitempty"`      // of n-grams
	Ngrams      []int    `json:"ngrams,omitempty"`     // of each order
	FirstTokens []string `json:"first_tokens"`
}

// A FileSection is one section of a model's file. Its checksum is right.
type FileSection struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	CRC32C string `json:"crc32c"`
}

// firstTokens is the number of Inspection.FirstTokens: with <unk> those with the lowest
// ids, which are the most frequent in the training text.
const firstTokens = 20

// Inspect reads the model of a file as [OpenTold] does, and says what it is.
func Inspect(path string, e *kernels.Engine, on func(fraction float64)) (Inspection, error) {
	m, err := OpenTold(path, e, on)
	if err != nil {
		return Inspection{}, err
	}
	i := Inspection{
		Format: jsonFormat, File: path, Version: fileVersion, ModelVersion: int(m.modelVersion),
		Model: m.Config, MemoryBytes: m.Bytes(),
	}
	if err := i.file(path); err != nil {
		return Inspection{}, fmt.Errorf("model %q: %w", path, durable.WithoutPath(err))
	}
	for _, s := range m.sections {
		i.Sections = append(i.Sections, FileSection{s.Name, s.Bytes, fmt.Sprintf("%08x", s.Checksum)})
	}
	for id := range min(firstTokens, m.Vocab.Len()) {
		i.FirstTokens = append(i.FirstTokens, m.Vocab.Token(int32(id)))
	}
	if m.rnn != nil {
		i.Parameters, i.Cutoffs = int64(len(m.rnn.Slab)), m.rnn.Cutoffs
		if m.rnn.Cell == rnn.Vanilla {
			i.Activation = m.rnn.Activation.String()
		}
	} else {
		i.Store, i.Ngrams = m.ngram.Store().String(), m.ngram.Entries()
	}
	return i, nil
}

// file sets what is known about the file as a whole.
func (i *Inspection) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	i.Bytes, i.Modified, i.SHA256 = info.Size(), info.ModTime().UTC().Truncate(time.Second), hex.EncodeToString(sum.Sum(nil))
	return nil
}
