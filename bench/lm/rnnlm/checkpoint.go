package rnnlm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/rnn"
)

// A checkpoint has these sections, as package durable writes them. Each begins with its
// version, a uint32:
//
//	training    JSON: an identity
//	vocabulary  see text.Vocab.Append
//	progress    JSON: a progressRecord
//	model       the parameters, float32 in the order of rnn.Model.Slab
//	optimiser   Adam's first moments, then the second; Adagrad's sums; nothing of SGD
//	state       of all streams, [L,B,H], into the next step; c of an LSTM follows h
//	best        the parameters of the lowest validation loss; empty before one
const (
	checkpointMagic   = "\x89RNNCP\r\n" // a text-mode copy damages it
	checkpointVersion = 1
	sectionVersion    = 1 // of all sections, so far
	maxRecord         = 64 << 10
)

// identity identifies the training of a checkpoint: it holds all that determines the
// training's bits. An error names the first field that differs.
type identity struct {
	Text  string `json:"SHA-256 of the text"`
	Level string `json:"level"`
	// ValidText is that of a validation text of its own.
	ValidText string `json:"SHA-256 of the validation text"`

	Hidden    int           `json:"hidden"`
	Budget    time.Duration `json:"a budget of time"`
	Layers    int           `json:"layers"`
	Cell      rnn.CellKind  `json:"cell"`
	Tokens    int64         `json:"a budget of tokens"`
	Seed      uint64        `json:"seed"`
	Streams   int           `json:"streams"`
	Steps     int           `json:"steps"`
	Rate      float64       `json:"rate"`
	Clip      float64       `json:"clip"`
	Optimizer string        `json:"optimizer"`
	Embedding int           `json:"embedding"`
	Cutoffs   []int         `json:"cutoffs"`
	Tied      bool          `json:"tied"`
	Dropout   float64       `json:"dropout"`
	Halve     bool          `json:"halve"`
	Patience  int           `json:"patience"`
	Shards    int           `json:"shards"`
	Init      string        `json:"SHA-256 of the network to go on from"`

	Vocab int `json:"tokens in the vocabulary"`
	Train int `json:"tokens to train on"`
	Valid int `json:"tokens to validate on"`
}

// identityOf returns the identity of a training that has not begun.
func identityOf(o Options, c *text.Corpus) identity {
	init := ""
	if o.Init != nil {
		sum := sha256.New()
		File{o.Init}.WriteTo(sum) // a hash takes everything
		init = hex.EncodeToString(sum.Sum(nil))
	}
	return identity{
		Optimizer: o.Optimizer, Init: init,
		Hidden: o.Hidden, Layers: o.Layers, Cell: o.Cell, Budget: o.Budget, Tokens: o.Tokens, Seed: o.Seed,
		Streams: o.Streams, Steps: o.Steps, Rate: o.Rate, Clip: o.Clip,
		Embedding: o.Embedding, Cutoffs: append([]int{}, o.Cutoffs...), Tied: o.Tied, Dropout: o.Dropout, Halve: o.Halve, Patience: o.Patience, Shards: o.Shards,
		Text: c.SHA256, ValidText: c.ValidSource.SHA256, Level: c.Level.String(), Vocab: c.Vocab.Len(), Train: len(c.Train), Valid: len(c.Valid),
	}
}

// progressRecord holds the state of a trainer apart from its arrays.
type progressRecord struct {
	Elapsed time.Duration `json:"elapsed"`
	Steps   time.Duration `json:"steps"`
	Tokens  int64         `json:"tokens"` // also counts the steps of the optimiser and the masks of dropout
	Loss    float64       `json:"loss"`
	Valid   float64       `json:"valid"`

	Validated   int64         `json:"validated"`
	ValidCost   int64         `json:"valid_cost"`
	ValidTook   time.Duration `json:"valid_took"`
	ValidTokens int           `json:"valid_tokens"`
	Cut         bool          `json:"cut"`
	Worse       int           `json:"worse"`
	Halvings    int           `json:"halvings"`
	Extended    bool          `json:"extended,omitempty"` // see Stats

	Offset int    `json:"offset"` // of the streams
	At     int    `json:"at"`
	Random []byte `json:"random"` // PCG, as it marshals itself

	// Of a text of sentences, in place of the streams.
	Passes    int64           `json:"passes,omitempty"`
	Sentences *sentenceRecord `json:"sentences,omitempty"`
}

// save writes the checkpoint, if Options.Checkpoint is set and a step has been done. If
// that fails, the one before it stays as it is, and the training goes on: only a crash
// would lose more. Its error is that of a lost rank.
func (t *trainer) save() error {
	if t.options.Checkpoint == "" || t.progress.Tokens == 0 {
		return nil
	}
	t.progress.Elapsed = t.elapsed()
	if t.progress.Tokens > t.progress.Resumed { // else carried is still the state from the checkpoint
		t.ws.State(t.carried)
	}
	if !t.ranks.alone() {
		if err := t.gatherState(); err != nil {
			return err
		}
	}
	if !t.ranks.first() {
		return nil
	}
	t.progress.Unsaved = nil
	if err := t.writeFile(t.options.Checkpoint, t.writeCheckpoint); err != nil {
		t.progress.Unsaved = fmt.Errorf("checkpoint %q was not written: %w", t.options.Checkpoint, err)
	}
	return nil
}

func (t *trainer) writeCheckpoint(w io.Writer) error {
	training, err := json.Marshal(t.identity)
	if err != nil {
		return err
	}
	p := t.progress
	record := progressRecord{
		Elapsed: p.Elapsed, Steps: p.Steps, Tokens: p.Tokens, Loss: p.Loss, Valid: p.Valid,
		Validated: t.validated, ValidCost: t.validCost, ValidTook: t.validTook, ValidTokens: len(t.valid),
		Cut: t.cut, Worse: t.worse, Halvings: t.halvings, Extended: t.extended,
	}
	if err := t.recordPlace(&record); err != nil {
		return err
	}
	progress, err := json.Marshal(record)
	if err != nil {
		return err
	}
	out, err := durable.NewWriter(w, checkpointMagic, checkpointVersion)
	for _, s := range []payload{
		{bytes: training},
		{bytes: t.vocab.Append(nil)},
		{bytes: progress},
		{floats: t.parameters()},
		{floats: t.moments()},
		{floats: t.state()},
		{floats: t.bestSoFar()},
	} {
		if err == nil {
			err = out.Section(s)
		}
	}
	return err
}

// recordPlace sets the fields of r that say where the training stands in its text.
func (t *trainer) recordPlace(r *progressRecord) (err error) {
	if t.sentences != nil {
		r.Passes, r.Sentences = t.passes, t.sentences.record()
		return nil
	}
	r.Offset, r.At = t.streams.offset, t.streams.at
	r.Random, err = t.streams.random.MarshalBinary()
	return err
}

// The arrays of a checkpoint, section by section.

func (t *trainer) parameters() []floats { return []floats{t.model.Slab} }

func (t *trainer) moments() []floats { return t.optimizer.state }

func (t *trainer) state() []floats { return []floats{t.whole.H, t.whole.C} }

func (t *trainer) bestSoFar() []floats {
	if t.progress.Valid == 0 {
		return nil
	}
	return []floats{t.best}
}

// A payload is the content of a section: its version, then bytes or arrays.
type payload struct {
	bytes  []byte
	floats []floats
}

// Size returns how many bytes WriteTo writes.
func (p payload) Size() int64 {
	n := 4 + int64(len(p.bytes))
	for _, f := range p.floats {
		n += f.Size()
	}
	return n
}

// WriteTo implements [io.WriterTo].
func (p payload) WriteTo(w io.Writer) (n int64, err error) {
	parts := []io.WriterTo{bytes.NewReader(binary.LittleEndian.AppendUint32(nil, sectionVersion)), bytes.NewReader(p.bytes)}
	for _, f := range p.floats {
		parts = append(parts, f)
	}
	for _, part := range parts {
		k, err := part.WriteTo(w)
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
