package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/kernels"
	"batchrnn/rnn/streams"
)

// A server holds a model and the sessions of its clients.
type server struct {
	options
	engine  *kernels.Engine
	batcher *streams.Batcher
	model   atomic.Pointer[lm.Model] // reload sets it
	mux     *http.ServeMux
	metrics metrics

	mu       sync.Mutex
	sessions map[string]*session
	draining bool           // no work begins
	work     sync.WaitGroup // generate and score
	cut      context.Context
	cutNow   context.CancelFunc
}

func newServer(e *kernels.Engine, m *lm.Model, o options) (*server, error) {
	b, err := streams.New(m.Network(), streams.Options{MaxStreams: o.streams})
	if err != nil {
		return nil, err
	}
	s := &server{options: o, engine: e, batcher: b, mux: http.NewServeMux(), sessions: map[string]*session{}}
	s.model.Store(m)
	s.cut, s.cutNow = context.WithCancel(context.Background())
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"POST /sessions":               s.postSession,
		"DELETE /sessions/{id}":        s.deleteSession,
		"GET /sessions/{id}/state":     s.getState,
		"PUT /sessions/{id}/state":     s.putState,
		"POST /sessions/{id}/generate": s.generate,
		"POST /score":                  s.score,
		"GET /metrics":                 s.getMetrics,
		"GET /healthz":                 s.getHealth,
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.fail(w, err)
			}
		})
	}
	return s, nil
}

// ServeHTTP answers a request and counts it.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin, c := time.Now(), &coded{ResponseWriter: w}
	s.mux.ServeHTTP(c, r)
	s.metrics.observe(r.Pattern, c.code, time.Since(begin))
}

// coded remembers the status code of an answer. 0 means that nothing was written.
type coded struct {
	http.ResponseWriter
	code int
}

func (c *coded) WriteHeader(code int) {
	if c.code == 0 {
		c.code = code
	}
	c.ResponseWriter.WriteHeader(code)
}

func (c *coded) Write(b []byte) (int, error) {
	if c.code == 0 {
		c.code = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController].
func (c *coded) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (s *server) postSession(w http.ResponseWriter, r *http.Request) error {
	o := sampling{Seed: uint64(rand.Uint32()), Temperature: 0.8, TopP: 1} // a seed that any language's JSON holds
	if err := s.decode(w, r, &o); err != nil {
		return err
	}
	x, err := s.open(o)
	if err != nil {
		return err
	}
	return s.answer(w, http.StatusCreated, struct {
		ID string `json:"id"`
		sampling
	}{x.id, o})
}

func (s *server) deleteSession(w http.ResponseWriter, r *http.Request) error {
	if err := s.remove(r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) getState(w http.ResponseWriter, r *http.Request) error {
	x, err := s.claim(r.PathValue("id"))
	if err != nil {
		return err
	}
	defer s.release(x)
	of, err := x.save(s.model.Load())
	if err != nil {
		return err
	}
	return s.answer(w, http.StatusOK, of)
}

func (s *server) putState(w http.ResponseWriter, r *http.Request) error {
	var from state
	if err := s.decode(w, r, &from); err != nil {
		return err
	}
	x, err := s.claim(r.PathValue("id"))
	if err != nil {
		return err
	}
	defer s.release(x)
	if err := x.restore(s.engine, s.model.Load(), &from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) getHealth(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	draining := s.draining
	s.mu.Unlock()
	if draining {
		return errDraining
	}
	return s.answer(w, http.StatusOK, map[string]string{"status": "ok", "model": shape(s.model.Load())})
}

// decode reads a JSON object into v. An empty body leaves v as it is.
func (s *server) decode(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxBody)) // to its end: only then is a client noticed that goes away
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case err != nil:
		return badRequest("body: %v", err)
	}
	if len(body) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest("body: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return badRequest("body: more than one JSON object")
	}
	return nil
}

// answer writes v as JSON.
func (s *server) answer(w http.ResponseWriter, code int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.write))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(b, '\n')) // an error means that the client is gone
	return nil
}

var (
	errNoSession = errors.New("no such session: it was closed, or was idle for too long")
	errBusy      = errors.New("the session has a request under way: wait for it, or open another session")
	errFull      = errors.New("all streams are in use: close a session, or come again later")
	errSlowBody  = errors.New("body: it came too slowly, send it at once")
	errDraining  = errors.New("the server ends: go on elsewhere")
	errNotFinite = errors.New("the model's scores are not finite: it has diverged in training, load another")
)

// A requestError is about a wrong request.
type requestError struct{ message string }

func (e *requestError) Error() string { return e.message }

func badRequest(format string, a ...any) error { return &requestError{fmt.Sprintf(format, a...)} }

// statusGone is nginx's code for a client that went away. Only the metrics show it.
const statusGone = 499

// fail answers with an error.
func (s *server) fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	var wrong *requestError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &wrong):
		code = http.StatusBadRequest
	case errors.As(err, &large):
		code, err = http.StatusRequestEntityTooLarge, fmt.Errorf("body: too large, give at most %d bytes", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded): // while the body came
		code, err = http.StatusRequestTimeout, errSlowBody
	case errors.Is(err, streams.ErrFull):
		code, err = http.StatusServiceUnavailable, errFull
	case errors.Is(err, errDraining):
		code = http.StatusServiceUnavailable
	case errors.Is(err, context.Canceled) && s.cut.Err() != nil:
		code, err = http.StatusServiceUnavailable, errDraining
	case errors.Is(err, context.Canceled):
		code = statusGone
	case errors.Is(err, streams.ErrBusy):
		code, err = http.StatusConflict, errBusy
	case errors.Is(err, errNoSession), errors.Is(err, streams.ErrClosed): // the session was closed meanwhile
		code, err = http.StatusNotFound, errNoSession
	}
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	s.answer(w, code, map[string]string{"error": err.Error()})
}

// reload loads the file of the model anew. If that fails, the model stays. Sessions go on
// with the new one.
func (s *server) reload(ctx context.Context) (err error) {
	defer func() { s.metrics.reloaded(err == nil) }()
	if s.options.model == "" {
		return errors.New("it is from no file: start with -model")
	}
	m, err := load(ctx, s.engine, s.options.model)
	if err != nil {
		return err
	}
	if was := s.model.Load(); shape(m) != shape(was) {
		return fmt.Errorf("the file has %s, but the sessions are of %s: start another server", shape(m), shape(was))
	}
	if err := s.batcher.Replace(m.Network()); err != nil {
		return err
	}
	s.model.Store(m)
	return nil
}

// drain refuses new work and waits for that under way. After the time it cuts it off: each
// text ends with an event that has its state. States can still be read.
func (s *server) drain(wait time.Duration) {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		s.work.Wait()
		close(idle)
	}()
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-idle:
	case <-late.C:
		s.cutNow()
		<-idle // after the time to write an event, at the latest
	}
}

// close closes the sessions, after drain.
func (s *server) close() {
	s.mu.Lock()
	open := s.sessions
	s.sessions = map[string]*session{}
	s.mu.Unlock()
	for _, x := range open {
		x.idle.Stop()
		x.stream.Close()
	}
	s.batcher.Close()
	s.cutNow()
}
