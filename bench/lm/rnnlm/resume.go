package rnnlm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"reflect"

	"batchrnn/internal/durable"
)

// resume restores the trainer from the checkpoint, if the file exists. After an error
// the trainer can't be used; the file is unchanged.
func (t *trainer) resume() error {
	path := t.options.Checkpoint
	var err error
	if t.ranks.alone() {
		var f *os.File
		var size int64
		if f, size, err = openCheckpoint(path); f != nil {
			defer f.Close()
			err = t.readCheckpoint(f, size)
		}
		if err == nil {
			err = durable.RemoveLeftovers(path)
		}
	} else {
		err = t.resumeTogether()
	}
	if err != nil {
		return fmt.Errorf("checkpoint %q: %w", path, durable.WithoutPath(err))
	}
	return nil
}

// openCheckpoint opens a checkpoint and returns its size. It returns no file if there is
// none yet, and one can be written there.
func openCheckpoint(path string) (*os.File, int64, error) {
	// Stat comes before Open, because opening a pipe waits for a writer.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, durable.CheckWritable(path)
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, errors.New("not a regular file: name another")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// readCheckpoint reads size bytes that save wrote. The training tells the length of
// each section, so no length in the file decides an allocation.
func (t *trainer) readCheckpoint(r io.Reader, size int64) error {
	err := t.readSections(r, size)
	if err == nil || errors.Is(err, errOther) {
		return err
	}
	return fmt.Errorf("%w: name another file, or remove this one to train from the start", err)
}

func (t *trainer) readSections(r io.Reader, size int64) error {
	s, err := durable.NewReader(r, size, "a checkpoint", checkpointMagic, checkpointVersion)
	if err != nil {
		return err
	}
	raw, err := record(s, "training", maxRecord)
	if err != nil {
		return err
	}
	if err := t.recognise(raw); err != nil {
		return err
	}
	vocab := t.vocab.Append(nil)
	if raw, err = record(s, "vocabulary", int64(len(vocab))); err != nil {
		return err
	}
	if !bytes.Equal(raw, vocab) {
		return fmt.Errorf("%w another vocabulary than this one: train as before, or name another file", errOther)
	}
	if raw, err = record(s, "progress", maxRecord); err != nil {
		return err
	}
	if err := t.setProgress(raw); err != nil {
		return fmt.Errorf("progress: %w: damaged", err)
	}
	for _, section := range []struct {
		name   string
		floats []floats
	}{
		{"model", t.parameters()}, {"optimiser", t.moments()}, {"state", t.state()}, {"best", t.bestSoFar()},
	} {
		if err := arrays(s, section.name, section.floats); err != nil {
			return err
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	if !t.ranks.alone() {
		moveRows(t.carried.H, t.whole.H, t.model.Layers, t.ranks.own, true)
		moveRows(t.carried.C, t.whole.C, t.model.Layers, t.ranks.own, true)
	}
	t.ws.SetState(t.carried)
	if t.sentences != nil {
		copy(t.sentences.carried.H, t.carried.H)
		copy(t.sentences.carried.C, t.carried.C)
	}
	t.model.Update()
	return nil
}

var errOther = errors.New("of a training with")

// recognise returns an error if the checkpoint belongs to another training.
func (t *trainer) recognise(raw []byte) error {
	was := identity{Optimizer: Adam, Shards: 1} // the only ones of earlier versions, whose files don't name them
	if err := json.Unmarshal(raw, &was); err != nil {
		return fmt.Errorf("training: %w: damaged", err)
	}
	if t.extends(was) {
		t.extended = true
		was.Budget, was.Tokens = t.identity.Budget, t.identity.Tokens
	}
	have, want := reflect.ValueOf(was), reflect.ValueOf(t.identity)
	for i := range have.NumField() {
		if a, b := have.Field(i).Interface(), want.Field(i).Interface(); !reflect.DeepEqual(a, b) {
			return fmt.Errorf("%w %s %v, where this one has %v: train as before, name another file, or remove this one",
				errOther, have.Type().Field(i).Tag.Get("json"), a, b)
		}
	}
	return nil
}

// extends reports whether this training has a larger budget than was, of the same unit.
func (t *trainer) extends(was identity) bool {
	now := t.identity
	return was.Budget == 0 && was.Tokens > 0 && now.Tokens > was.Tokens || was.Tokens == 0 && was.Budget > 0 && now.Budget > was.Budget
}

// setProgress sets the progress from a progressRecord, or returns an error if it is
// impossible for this training.
func (t *trainer) setProgress(raw []byte) error {
	var p progressRecord
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	switch {
	case p.Elapsed < 0 || p.Elapsed > math.MaxInt64/2 || p.Steps < 0 || p.ValidTook < 0 || p.Validated < 0 || p.ValidCost < 0 || p.ValidCost > math.MaxInt64/(2*validateShare):
		return errors.New("a time that can't be")
	case p.Valid < 0 || p.Worse < 0 || p.Halvings < 0:
		return errors.New("less than nothing")
	case p.ValidTokens < 0 || p.ValidTokens > len(t.valid) || p.ValidTokens == 0 && p.Valid != 0:
		return fmt.Errorf("a validation of %d tokens, where there are %d", p.ValidTokens, len(t.valid))
	}
	if err := t.setPlace(p); err != nil {
		return err
	}
	t.progress = Progress{Elapsed: p.Elapsed, Steps: p.Steps, Tokens: p.Tokens, Loss: p.Loss, Valid: p.Valid, Resumed: p.Tokens}
	t.validated, t.validCost, t.validTook = p.Validated, p.ValidCost, p.ValidTook
	t.worse, t.halvings = p.Worse, p.Halvings
	if !t.extended || p.Valid > 0 { // a larger budget may have room for the first validation
		t.valid, t.cut = t.valid[:p.ValidTokens], p.Cut
	}
	t.extended = t.extended || p.Extended
	if t.optimizer.taken != nil {
		*t.optimizer.taken = int(t.passes)
	}
	t.ws.SkipDropout(uint64(t.passes))
	return nil
}

// setPlace goes on where the training stood in its text.
func (t *trainer) setPlace(p progressRecord) error {
	if t.sentences != nil {
		if p.Passes < 1 || p.Tokens < p.Passes || p.Tokens > maxTokens || p.Tokens > p.Passes*int64(t.sentences.steps*len(t.sentences.rows)) {
			return fmt.Errorf("%d tokens in %d steps", p.Tokens, p.Passes)
		}
		t.passes = p.Passes
		return t.sentences.resume(p.Sentences)
	}
	s := t.streams
	perStep := int64(s.steps * s.count)
	switch {
	case p.Tokens < perStep || p.Tokens%perStep != 0 || p.Tokens > maxTokens:
		return fmt.Errorf("%d tokens in steps of %d", p.Tokens, perStep)
	case p.Offset < 0 || p.Offset > len(s.tokens)-1-s.count*s.length || p.At < s.steps || p.At > s.length:
		return fmt.Errorf("streams at %d+%d of %d tokens", p.Offset, p.At, s.length)
	}
	t.passes, s.offset, s.at = p.Tokens/perStep, p.Offset, p.At
	return s.random.UnmarshalBinary(p.Random)
}

// record reads a section of bytes, at most limit after its version.
func record(s *durable.Reader, name string, limit int64) ([]byte, error) {
	raw, err := s.Bytes(name, 4+limit)
	if err != nil {
		return nil, err
	}
	return raw[min(4, len(raw)):], version(name, raw)
}

// arrays reads a section of floats.
func arrays(s *durable.Reader, name string, to []floats) error {
	want := payload{floats: to}.Size()
	return s.Section(name, want, func(r io.Reader, size int64) error {
		if size != want {
			return fmt.Errorf("%s of %d bytes instead of %d: damaged", name, size, want)
		}
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return err
		}
		if err := version(name, b[:]); err != nil {
			return err
		}
		for _, f := range to {
			if err := f.readFrom(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// version checks the version at the beginning of a section.
func version(name string, b []byte) error {
	if len(b) < 4 {
		return fmt.Errorf("%s of %d bytes: %w", name, len(b), durable.ErrTruncated)
	}
	if v := binary.LittleEndian.Uint32(b); v != sectionVersion {
		return fmt.Errorf("%s of version %d: this program reads version %d", name, v, sectionVersion)
	}
	return nil
}
