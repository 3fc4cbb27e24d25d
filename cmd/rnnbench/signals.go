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
// SIGHUP stays ignored if it was at the start, as by nohup.
type signals struct {
	caught chan os.Signal
	pipes  chan os.Signal // takes SIGPIPE, so that it doesn't end the program
	stderr io.Writer

	mu     sync.Mutex
	cancel context.CancelFunc // of the interruptible work; nil outside
	status int                // of the first signal; 0 before it
}

// catchSignals handles signals until release. A process calls it once at a time.
func catchSignals(stderr io.Writer) *signals {
	s := &signals{caught: make(chan os.Signal, 2), pipes: make(chan os.Signal, 1), stderr: stderr}
	signal.Notify(s.caught, os.Interrupt, syscall.SIGTERM)
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
	if first {
		s.status = status
	}
	s.cancel = nil
	s.mu.Unlock()
	s.survivePipes() // a reader of our output may have had the same signal
	if cancel != nil {
		cancel()
		return
	}
	if first { // who sends a second one knows
		if f, ok := s.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			fmt.Fprintln(s.stderr) // after ^C, or a bar
		}
		fmt.Fprintf(s.stderr, "rnnbench: %v\n", errStopped)
	}
	durable.RemoveTemporary()
	os.Exit(status)
}

// exitStatus returns that of the first signal, 0 if there was none.
func (s *signals) exitStatus() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// survivePipes makes a write to a pipe without a reader an error that doesn't end the
// program.
func (s *signals) survivePipes() { signal.Notify(s.pipes, syscall.SIGPIPE) }

// interruptible begins work whose results can be saved at any moment. The first signal
// ends ctx. The second one, or the first one after stop, ends the program. Call stop once
// the results are in their files, before they are printed. Until then the program goes on
// where nobody reads its progress.
func (env *environment) interruptible() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = env.interruptibleFilter()
	env.signals.survivePipes()
	return ctx, stop
}

// interruptibleFilter is interruptible for a filter, which ends with the reader of its
// output.
func (env *environment) interruptibleFilter() (ctx context.Context, stop context.CancelFunc) {
	s := env.signals
	ctx, cancel := context.WithCancel(context.Background())
	set := func(cancel context.CancelFunc) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cancel = cancel
	}
	set(cancel)
	return ctx, func() {
		set(nil)
		cancel()
		if s.exitStatus() == 0 {
			signal.Stop(s.pipes)
		}
	}
}

// A standardOutput is one whose errors count until a signal comes. Then nobody may be
// there to read it, and what matters is in files.
type standardOutput struct {
	io.Writer
	signals *signals
}

func (o standardOutput) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil && o.signals.exitStatus() != 0 {
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
