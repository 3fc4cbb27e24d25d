package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"batchrnn/internal/durable"
)

// Errors of commands that a signal stopped early.
var (
	errStopped     = errors.New("interrupted")
	errInterrupted = fmt.Errorf("%w: the figures are those measured until then", errStopped)
)

// signals handles what ends the program from outside: SIGINT (Ctrl-C), SIGTERM (which
// schedulers, containers and timeout send) and SIGHUP (a terminal or an ssh session that
// is gone). Each ends the program at once, with status 128 + n and without files that
// are half written. Only the first one in an interruptible piece of work ends that work
// instead, so that what there is can be saved.
//
// Signals soon after the first one belong to it. timeout sends one to its process and one
// to the process group. A lost terminal sends SIGHUP several times.
//
// SIGPIPE ends the program as well, except in interruptible work and after a signal. Then
// a write to a pipe without a reader is an error.
//
// SIGHUP stays ignored if it was at the start, as by nohup.
type signals struct {
	caught chan os.Signal
	pipes  chan os.Signal // takes SIGPIPE, so that a write returns its error first

	mu       sync.Mutex
	stderr   io.Writer
	cancel   context.CancelFunc // of the interruptible work; nil outside
	status   int                // of the first signal; 0 before it
	at       time.Time          // of the first signal
	survives bool               // a write to a pipe without a reader is an error
}

// together is how long after the first signal others belong to it.
const together = time.Second

// catchSignals handles signals until release. A process calls it once at a time.
func catchSignals(stderr io.Writer) *signals {
	s := &signals{caught: make(chan os.Signal, 2), pipes: make(chan os.Signal, 1), stderr: stderr}
	signal.Notify(s.caught, os.Interrupt, syscall.SIGTERM)
	signal.Notify(s.pipes, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(s.caught, syscall.SIGHUP)
	}
	go func() {
		for sig := range s.caught {
			s.on(sig)
		}
	}()
	return s
}

// release gives signals their usual effect again.
func (s *signals) release() {
	signal.Stop(s.caught)
	signal.Stop(s.pipes)
	close(s.caught)
}

// on handles a signal.
func (s *signals) on(sig os.Signal) {
	s.mu.Lock()
	status, first, cancel := exitSignal+int(sig.(syscall.Signal)), s.status == 0, s.cancel
	repeated := !first && time.Since(s.at) < together
	if first {
		s.status, s.at = status, time.Now()
	}
	s.cancel = nil
	s.survives = true // a reader of our output may have had the same signal
	stderr := s.stderr
	s.mu.Unlock()
	if repeated {
		return
	}
	if cancel != nil {
		cancel()
		return
	}
	if first { // who sends a second one knows
		if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			fmt.Fprintln(stderr) // after ^C, or a bar
		}
		fmt.Fprintf(stderr, "rnnbench: %v\n", errStopped)
	}
	durable.RemoveTemporary()
	os.Exit(status)
}

// quieten makes the next signal end the program without a word, once all is said.
func (s *signals) quieten() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stderr = io.Discard
}

// exitStatus returns that of the first signal, 0 if there was none.
func (s *signals) exitStatus() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// interruptible begins work whose results can be saved at any moment. The first signal
// ends ctx. The second one, or the first one after stop, ends the program. Call stop once
// the results are in their files, before they are printed. Until then the program goes on
// where nobody reads its progress.
func (env *environment) interruptible() (ctx context.Context, stop context.CancelFunc) {
	return env.signals.interruptible(true)
}

// interruptibleFilter is interruptible for a filter, which ends with the reader of its
// output.
func (env *environment) interruptibleFilter() (ctx context.Context, stop context.CancelFunc) {
	return env.signals.interruptible(false)
}

func (s *signals) interruptible(survives bool) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	set := func(cancel context.CancelFunc, survives bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cancel = cancel
		s.survives = survives || s.status != 0
	}
	set(cancel, survives)
	return ctx, func() {
		set(nil, false)
		cancel()
	}
}

// endsWithReader reports whether a write to a pipe without a reader ends the program.
func (s *signals) endsWithReader() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.survives
}

// A standardOutput is one whose errors count until a signal comes. Then nobody may be
// there to read it, and what matters is in files. Without a reader it ends the program as
// SIGPIPE does, see [signals], but leaves no file that is half written.
type standardOutput struct {
	io.Writer
	signals *signals
	result  bool // errors count after a signal too
}

func (o standardOutput) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	switch {
	case err == nil:
	case errors.Is(err, syscall.EPIPE) && o.signals.endsWithReader():
		durable.RemoveTemporary()
		signal.Reset(syscall.SIGPIPE)
		o.Writer.Write(b)
	case !o.result && o.signals.exitStatus() != 0:
		return len(b), nil
	}
	return n, err
}

// interruptibleReader returns r, whose Read returns ctx's error as soon as ctx ends, even
// while r waits for input.
func interruptibleReader(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	return out
}
