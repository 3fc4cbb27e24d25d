package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"batchrnn/rnn/streams"
)

const defaultTokens = 100

// A summary is the last event of a text.
type summary struct {
	Reason       string `json:"reason"` // length, stop, closed, shutdown or error
	Error        string `json:"error,omitempty"`
	PromptTokens int    `json:"prompt_tokens"`
	PromptUnk    int    `json:"prompt_unk"` // tokens of the prompt that are not in the vocabulary
	Tokens       int    `json:"tokens"`     // drawn
	State        *state `json:"state,omitempty"`
}

// generate reads a prompt and streams the text that follows.
func (s *server) generate(w http.ResponseWriter, r *http.Request) error {
	in := struct {
		Prompt    string `json:"prompt"`
		MaxTokens int    `json:"max_tokens"`
		Stop      string `json:"stop"`
	}{MaxTokens: defaultTokens}
	if err := s.decode(w, r, &in); err != nil {
		return err
	}
	if in.MaxTokens < 1 || in.MaxTokens > s.maxTokens {
		return badRequest("max_tokens: %d, give 1 to %d", in.MaxTokens, s.maxTokens)
	}
	m := s.model.Load()
	ids, err := encodePrompt(m, in.Prompt)
	if err != nil {
		return err
	}
	if len(ids) > s.maxTokens {
		return badRequest("prompt: %d tokens, give at most %d, the others in further requests", len(ids), s.maxTokens)
	}
	ctx, done, err := s.begin(r.Context())
	if err != nil {
		return err
	}
	defer done()
	x, err := s.claim(r.PathValue("id"))
	if err != nil {
		return err
	}
	defer s.release(x)

	out := newEvents(w, s.write)
	sum := summary{Reason: "length", PromptTokens: len(ids), PromptUnk: unknown(ids)}
	tail := "" // of the text, shorter than stop
	for sum.Tokens < in.MaxTokens && sum.Reason == "length" {
		var piece string
		if piece, err = x.next(ctx, s.model.Load(), ids); err != nil {
			break
		}
		ids = nil
		sum.Tokens++
		s.metrics.drawn.Add(1)
		if err := out.send("token", map[string]string{"text": piece}); err != nil {
			return nil // a reader too slow, or gone
		}
		if in.Stop != "" {
			if tail += piece; strings.Contains(tail, in.Stop) {
				sum.Reason = "stop"
			}
			tail = tail[max(0, len(tail)-len(in.Stop)+1):]
		}
	}
	switch {
	case err == nil:
	case r.Context().Err() != nil: // nobody reads on
		return nil
	case errors.Is(err, streams.ErrClosed):
		sum.Reason = "closed"
	case s.cut.Err() != nil:
		sum.Reason = "shutdown"
		if sum.State, err = x.save(s.model.Load()); err != nil {
			sum.Error = err.Error()
		}
	default:
		sum.Reason, sum.Error = "error", err.Error()
	}
	out.send("done", sum)
	return nil
}

// events writes server-sent events. A reader too slow for one ends the answer.
type events struct {
	w    http.ResponseWriter
	ctl  *http.ResponseController
	time time.Duration
}

func newEvents(w http.ResponseWriter, time time.Duration) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	return &events{w, http.NewResponseController(w), time}
}

func (e *events) send(name string, data any) error {
	b, err := json.Marshal(data) // has no line ends
	if err != nil {
		return err
	}
	e.ctl.SetWriteDeadline(time.Now().Add(e.time)) // not every ResponseWriter of a test has one
	if _, err := e.w.Write([]byte("event: " + name + "\ndata: " + string(b) + "\n\n")); err != nil {
		return err
	}
	return e.ctl.Flush()
}

// begin counts a piece of work, which ends with done. Its context ends with the client's,
// or when the server no longer waits.
func (s *server) begin(client context.Context) (ctx context.Context, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return nil, nil, errDraining
	}
	s.work.Add(1)
	ctx, cancel := context.WithCancel(client)
	stop := context.AfterFunc(s.cut, cancel)
	return ctx, func() { stop(); cancel(); s.work.Done() }, nil
}
