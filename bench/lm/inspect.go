package lm

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"time"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/onnx"
)

// The kinds of files that [Inspect] reads.
const (
	ModelFile       = "model"       // of [Model.WriteTo]
	CheckpointFile  = "checkpoint"  // of a training, see rnnlm.Checkpoint
	NgramFile       = "ngram"       // of ngram.Model.WriteTo
	NetworkFile     = "network"     // of rnnlm.File
	ARPAFile        = "arpa"        // see [ReadARPA]
	SafetensorsFile = "safetensors" // see package safetensors
	ONNXFile        = "onnx"        // see package onnx
)

// An Inspection says what is in a file.
type Inspection struct {
	Format   int       `json:"format"` // jsonFormat
	File     string    `json:"file"`
	Bytes    int64     `json:"file_bytes"`
	SHA256   string    `json:"file_sha256"`
	Modified time.Time `json:"modified"`  // by the file system; the file itself holds no time
	Kind     string    `json:"file_kind"` // such as ModelFile

	// Of files in sections, and of parts of them.
	Version      int           `json:"file_version,omitempty"`
	ModelVersion int           `json:"model_version,omitempty"` // of the section that holds the model
	Sections     []FileSection `json:"sections,omitempty"`

	// Of language models, also of one in training.
	Model       *Config  `json:"model,omitempty"`
	MemoryBytes int64    `json:"bytes,omitempty"`      // in memory, without the vocabulary
	Parameters  int64    `json:"parameters,omitempty"` // of networks and other tensors
	NotFinite   bool     `json:"not_finite,omitempty"` // some of them are NaN or infinite
	Activation  string   `json:"activation,omitempty"` // of vanilla cells
	Cutoffs     []int    `json:"cutoffs,omitempty"`    // of an adaptive softmax
	Store       string   `json:"store,omitempty"`      // of n-grams
	Ngrams      []int    `json:"ngrams,omitempty"`     // of each order
	FirstTokens []string `json:"first_tokens,omitempty"`

	Compression string `json:"compression,omitempty"` // of an ARPA file

	Networks []FileNetwork   `json:"networks,omitempty"` // of tensors; those that rnn.Load finds
	Tensors  []FileTensor    `json:"tensors,omitempty"`
	Graph    *FileGraph      `json:"graph,omitempty"` // of an ONNX file
	Metadata []MetadataEntry `json:"metadata,omitempty"`

	// Missing says what the file lacks for some use of it, a sentence each.
	Missing []string `json:"missing"`
}

// A FileSection is one section of a model's file. Its checksum is right.
type FileSection struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	CRC32C string `json:"crc32c"`
}

// A MetadataEntry is what a file says of itself under one key.
type MetadataEntry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// firstTokens is the number of Inspection.FirstTokens: with <unk> those with the lowest
// ids, which are the most frequent in the training text.
const firstTokens = 20

// Inspect reads a file of any of the kinds above, which it knows by the first bytes, and
// says what is in it. It reads all of the file, and checks the checksums in it. A file
// that is damaged or of no such kind gives an error of one line, which names it.
func Inspect(path string, e *kernels.Engine, on func(fraction float64)) (Inspection, error) {
	i := Inspection{Format: jsonFormat, File: path, Missing: []string{}}
	err := i.read(path, e, on)
	if err == nil {
		err = i.file(path)
	}
	if err != nil {
		return Inspection{}, fmt.Errorf("model %q: %w", path, durable.WithoutPath(err))
	}
	return i, nil
}

// The first bytes of files of [rnnlm], [ngram] and others.
const (
	checkpointMagic = "\x89RNNCP\r\n"
	networkMagic    = "\x89RNNLM\r\n"
	ngramMagic      = "\x89NGRAM\r\n"
	zipMagic        = "PK\x03\x04"

	// mostHead is more than any text before \data\ in an ARPA file.
	mostHead = 1 << 20
)

// read reads the file.
func (i *Inspection) read(path string, e *kernels.Engine, on func(fraction float64)) error {
	f, size, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := f.ReadAt(head, 0)
	if head = head[:n]; err != nil && err != io.EOF {
		return err
	}
	begins := func(magic string) bool {
		k := min(len(head), len(magic))
		return k > 0 && string(head[:k]) == magic[:k]
	}
	told := &toldReader{r: f, size: size, on: on}
	switch {
	case begins(fileMagic) || size == 0:
		return i.model(told, size, e)
	case begins(checkpointMagic):
		return i.checkpoint(told, size)
	case begins(networkMagic):
		return i.network(told, size, e)
	case begins(ngramMagic):
		return i.ngrams(told, size)
	case isSafetensors(head):
		return i.safetensors(f, size, e)
	case onnx.IsModel(head):
		return i.onnx(told)
	case begins(zipMagic):
		return errors.New("is a zip archive, as torch.save writes: save the state_dict with safetensors.torch.save_file, or the model with torch.onnx.export")
	}
	found, err := isARPA(f)
	switch {
	case err != nil:
		return err
	case !found:
		return errors.New("not a model file, and no ARPA, safetensors or ONNX file")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return i.arpa(told, size)
}

// isARPA says whether a file, which may be compressed, has a line \data\ near its start.
func isARPA(r io.Reader) (bool, error) {
	plain, _, err := text.Decompress(r)
	if err != nil {
		return false, err
	}
	b := bufio.NewReaderSize(plain, mostHead)
	head, err := b.Peek(mostHead)
	if regexp.MustCompile(`(?m)^[ \t]*\\data\\[ \t\r]*$`).Match(head) {
		return true, nil
	}
	if err == io.EOF {
		err = nil
	}
	return false, err
}

// model describes a file of [Model.WriteTo].
func (i *Inspection) model(r io.Reader, size int64, e *kernels.Engine) error {
	i.Kind = ModelFile
	m, err := Read(r, size, e)
	if err != nil {
		return err
	}
	i.Version, i.ModelVersion = fileVersion, int(m.modelVersion)
	i.takeSections(m.sections)
	i.takeModel(m)
	if m.level != text.Char && m.Speller == nil {
		i.miss("the spelling of unknown words: no adjusted figures and no bits per byte")
	}
	return nil
}

// takeModel sets what is known of a language model.
func (i *Inspection) takeModel(m *Model) {
	i.Model, i.MemoryBytes = &m.Config, m.Bytes()
	i.takeVocab(m.Vocab)
	if m.rnn == nil {
		i.takeNgrams(m.ngram)
		return
	}
	i.Parameters, i.Cutoffs = int64(m.rnn.Config.Params()), m.rnn.Cutoffs
	if m.rnn.Cell == rnn.Vanilla {
		i.Activation = m.rnn.Activation.String()
	}
	i.weights(m.rnn)
}

// weights says what a network's parameters lack. Those of int8 are finite.
func (i *Inspection) weights(m *rnn.Model) {
	if m.Int8 {
		i.miss("weights of float32: no further training and no export")
		return
	}
	n := 0
	for _, v := range m.Slab {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			n++
		}
	}
	if i.NotFinite = n > 0; i.NotFinite {
		i.miss("finite parameters: %d of %d are NaN or infinite, and no text has a cost under them", n, len(m.Slab))
	}
}

func (i *Inspection) takeNgrams(m *ngram.Model) {
	i.MemoryBytes, i.Store, i.Ngrams = m.Bytes(), m.Store().String(), m.Entries()
	for k, n := range i.Ngrams {
		if n == 0 {
			i.miss("n-grams of order %d", k+1)
		}
	}
}

func (i *Inspection) takeVocab(v *text.Vocab) {
	for id := range min(firstTokens, v.Len()) {
		i.FirstTokens = append(i.FirstTokens, v.Token(int32(id)))
	}
}

func (i *Inspection) takeSections(sections []durable.Section) {
	for _, s := range sections {
		i.Sections = append(i.Sections, FileSection{s.Name, s.Bytes, fmt.Sprintf("%08x", s.Checksum)})
	}
}

func (i *Inspection) takeMetadata(metadata map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		i.Metadata = append(i.Metadata, MetadataEntry{key, metadata[key]})
	}
}

// miss adds a sentence to what is missing.
func (i *Inspection) miss(format string, a ...any) {
	i.Missing = append(i.Missing, fmt.Sprintf(format, a...))
}

// checkpoint describes a training that has not ended.
func (i *Inspection) checkpoint(r io.Reader, size int64) error {
	i.Kind = CheckpointFile
	c, err := rnnlm.DescribeCheckpoint(r, size)
	if err != nil {
		return err
	}
	i.Version = c.Version
	i.takeSections(c.Sections)
	i.takeVocab(c.Vocab)
	o := c.Options
	config := TrainedConfig(o, c.Stats)
	config.Kind, config.Level, config.Vocab, config.SHA256 = RNN, c.Level, c.Vocab.Len(), c.TextSHA256
	config.Hidden, config.BudgetTokens = o.Hidden, o.Tokens
	config.setNetwork(rnn.Config{Cell: o.Cell, Layers: o.Layers, Embedding: o.Embedding, Cutoffs: o.Cutoffs, Tied: o.Tied})
	i.Model, i.Cutoffs, i.Parameters = &config, o.Cutoffs, c.Parameters
	i.miss("a model: the training writes it when it ends")
	i.miss("the names of its texts: their SHA-256 tells them")
	return nil
}

// ngrams describes a file of [ngram.Model.WriteTo].
func (i *Inspection) ngrams(r io.Reader, size int64) error {
	i.Kind = NgramFile
	m, err := ngram.Read(r, size)
	if err != nil {
		return err
	}
	i.takeNgrams(m)
	i.miss("a vocabulary: its words are numbers from 0 to %d", m.Vocab()-1)
	return nil
}

// arpa describes an ARPA file.
func (i *Inspection) arpa(r io.Reader, size int64) error {
	i.Kind = ARPAFile
	plain, compression, err := text.Decompress(r)
	if err != nil {
		return err
	}
	i.Compression = compression
	m, noUnk, err := ReadARPA(plain, size, nil, nil)
	if err != nil {
		return err
	}
	i.takeModel(m)
	if noUnk {
		i.miss("<unk>: an unknown word has a log10 probability of %d", ngram.MissingUnk)
	}
	if m.level == text.Word {
		i.miss("<s> and </s>, or n-grams with them: it is no model of sentences")
	}
	if m.level != text.Char {
		i.miss("the spelling of unknown words: no adjusted figures and no bits per byte")
	}
	i.miss("the training text: its name and its SHA-256")
	return nil
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
