package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/streams"
)

// A sampling is an [rnn.Sampling] in JSON.
type sampling struct {
	Seed        uint64  `json:"seed"`
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	TopP        float64 `json:"top_p"`
}

func (o sampling) sampler(e *kernels.Engine) (*rnn.Sampler, error) {
	s, err := rnn.NewSampler(e, rnn.Sampling{Temperature: o.Temperature, TopK: o.TopK, TopP: o.TopP, Seed: o.Seed})
	if err != nil {
		return nil, badRequest("%v", err)
	}
	return s, nil
}

// A session is a text, with a stream that has read all of it but the last token.
type session struct {
	id     string
	stream *streams.Stream
	idle   *time.Timer // ends the session

	mu       sync.Mutex // held during a request; a second one is refused
	used     time.Time
	sampling sampling
	sampler  *rnn.Sampler
	last     int32 // the token that the stream has not read
	read     int   // the number of tokens that it has read
	feed     []int32
	logits   []float32 // [V]
}

// open opens a session. Its text begins with the token that precedes a text.
func (s *server) open(o sampling) (*session, error) {
	sampler, err := o.sampler(s.engine)
	if err != nil {
		return nil, err
	}
	stream, err := s.batcher.Open()
	if err != nil {
		return nil, err
	}
	m := s.model.Load()
	x := &session{
		id: rand.Text(), stream: stream, used: time.Now(), sampling: o, sampler: sampler,
		last: m.Vocab.Start(m.Level()), logits: make([]float32, m.Vocab.Len()),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		stream.Close()
		return nil, errDraining
	}
	x.idle = time.AfterFunc(s.options.idle, func() { s.expire(x) })
	s.sessions[x.id] = x
	return x, nil
}

// claim returns a session for a request, which ends with release.
func (s *server) claim(id string) (*session, error) {
	s.mu.Lock()
	x := s.sessions[id]
	s.mu.Unlock()
	switch {
	case x == nil:
		return nil, errNoSession
	case !x.mu.TryLock():
		return nil, streams.ErrBusy
	}
	return x, nil
}

func (s *server) release(x *session) {
	x.used = time.Now()
	x.idle.Reset(s.options.idle)
	x.mu.Unlock()
}

// expire ends a session that had no request for a time.
func (s *server) expire(x *session) {
	if !x.mu.TryLock() {
		return // release sets the timer again
	}
	defer x.mu.Unlock()
	if time.Since(x.used) >= s.options.idle {
		s.remove(x.id)
	}
}

// remove ends a session. A request under way ends with it.
func (s *server) remove(id string) error {
	s.mu.Lock()
	x := s.sessions[id]
	delete(s.sessions, id)
	s.mu.Unlock()
	if x == nil {
		return errNoSession
	}
	x.idle.Stop()
	x.stream.Close()
	return nil
}

// next reads the last token and ids, draws a token, and returns how it is written. If ctx
// ends first, the text ends at the first token that the stream has not read.
func (x *session) next(ctx context.Context, m *lm.Model, ids []int32) (piece string, err error) {
	x.feed = append(append(x.feed[:0], x.last), ids...)
	feed, start := x.feed, m.Vocab.Start(m.Level())
	for i := len(feed) - 1; i >= 0; i-- {
		if ends(m, feed[i]) { // a sentence knows nothing of those before it
			if err := x.stream.SetState(m.Network().NewState(1)); err != nil {
				return "", err
			}
			feed = feed[i:]
			feed[0] = start
			break
		}
	}
	n, err := x.stream.Step(ctx, streams.Call{IDs: feed, Logits: x.logits})
	x.read += n
	if n < len(feed) {
		x.last = feed[n]
	}
	if err != nil {
		return "", err
	}
	first := text.Unk + 1 // <unk> is not drawn
	if m.Level() == text.Sentence {
		x.logits[start] = float32(math.Inf(-1)) // it is never predicted
	}
	id, err := x.sampler.Draw(x.logits[first:])
	if err != nil {
		return "", err
	}
	id += first
	var before []byte
	if last := feed[len(feed)-1]; x.read > 1 && !(m.Level() == text.Sentence && last == start) {
		before = m.AppendText(nil, last)
	}
	x.last = id
	return string(m.AppendText(before, id)[len(before):]), nil
}

// A state is a session in JSON.
type state struct {
	Model string `json:"model"` // see shape
	sampling
	Position []byte `json:"position"` // in the random sequence
	Last     int32  `json:"last"`
	Read     int    `json:"read"`
	H        []byte `json:"h"` // float32, little-endian
	C        []byte `json:"c,omitempty"`
}

// save returns the state of a claimed session.
func (x *session) save(m *lm.Model) (*state, error) {
	of := m.Network().NewState(1)
	if err := x.stream.State(of); err != nil {
		return nil, err
	}
	out := &state{Model: shape(m), sampling: x.sampling, Last: x.last, Read: x.read}
	var err error
	if out.Position, err = x.sampler.MarshalBinary(); err != nil {
		return nil, err
	}
	if out.H, err = binary.Append(nil, binary.LittleEndian, of.H); err != nil {
		return nil, err
	}
	out.C, err = binary.Append(nil, binary.LittleEndian, of.C)
	return out, err
}

// maxRead is the largest number that JSON holds exactly everywhere.
const maxRead = 1 << 53

// restore makes a claimed session go on from a state, or changes nothing.
func (x *session) restore(e *kernels.Engine, m *lm.Model, from *state) error {
	switch {
	case from.Model != shape(m):
		return badRequest("the state is of %q, but this server has %q: restore it on a server with its model", from.Model, shape(m))
	case from.Last < 0 || int(from.Last) >= m.Vocab.Len():
		return badRequest("last: %d is no token of %d", from.Last, m.Vocab.Len())
	case from.Read < 0 || from.Read > maxRead:
		return badRequest("read: %d is no number of tokens, give 0 to %d", from.Read, maxRead)
	}
	to := m.Network().NewState(1)
	if err := decodeFloats(to.H, from.H); err != nil {
		return badRequest("h: %v", err)
	}
	if err := decodeFloats(to.C, from.C); err != nil {
		return badRequest("c: %v", err)
	}
	sampler, err := from.sampler(e)
	if err != nil {
		return err
	}
	if err := sampler.UnmarshalBinary(from.Position); err != nil {
		return badRequest("position: %v", err)
	}
	if err := x.stream.SetState(to); err != nil {
		return err
	}
	x.sampling, x.sampler, x.last, x.read = from.sampling, sampler, from.Last, from.Read
	return nil
}

func decodeFloats(dst []float32, src []byte) error {
	if len(src) != 4*len(dst) {
		return fmt.Errorf("%d bytes, want %d", len(src), 4*len(dst))
	}
	if _, err := binary.Decode(src, binary.LittleEndian, dst); err != nil {
		return err
	}
	for i, v := range dst {
		if v-v != 0 {
			return fmt.Errorf("value %d is %v, want a finite number", i, v)
		}
	}
	return nil
}
