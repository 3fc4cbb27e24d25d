package neighbour

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// childEnv is set in a busy child process. Its value is the niceness.
const childEnv = "BATCHRNN_BUSY_NICENESS"

// busyLine is the line that the child prints when it is busy.
const busyLine = "busy\n"

// errNotServed is startProcess's error in a child process. Without it, each child would
// start another.
var errNotServed = errors.New("this program starts busy processes but does not call neighbour.ServeChild first")

// ServeChild is for the processes that a [Condition] starts. There it is busy until
// standard input ends, and then ends the process. Elsewhere it does nothing.
func ServeChild() {
	text := os.Getenv(childEnv)
	if text == "" {
		return
	}
	// These may reach every process of a terminal or a job; the parent decides which ones
	// end.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	niceness, err := strconv.Atoi(text)
	if err == nil {
		err = spin(niceness, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s=%s: %v\n", childEnv, text, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// spin keeps one thread of the given niceness busy until r ends. The parent's death
// closes its end of the pipe. spin writes to w when it begins.
func spin(niceness int, r io.Reader, w io.Writer) error {
	// On Linux niceness belongs to a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if niceness != 0 {
		if err := setNiceness(niceness); err != nil {
			return fmt.Errorf("niceness %d: %w", niceness, err)
		}
	}
	var ended atomic.Bool
	go func() {
		io.Copy(io.Discard, r)
		ended.Store(true)
	}()
	if _, err := io.WriteString(w, busyLine); err != nil {
		return err
	}
	for !ended.Load() {
	}
	return nil
}

// startProcess starts this executable again as a busy process, and waits until it is
// busy. Niceness 0 means that of this process. The process has ended when stop returns.
// It also ends if this process dies.
func startProcess(ctx context.Context, niceness int) (stop func(), err error) {
	if os.Getenv(childEnv) != "" {
		return nil, errNotServed
	}
	if niceness != 0 && !hasNiceness {
		return nil, fmt.Errorf("niceness on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childEnv+"="+strconv.Itoa(niceness))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// The pipe stays open as long as stop is reachable, because stop holds cmd.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line == busyLine {
		return stop, nil
	}
	stop()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	if said == "" {
		said = fmt.Sprintf("it printed %q, %v", line, err)
	}
	return nil, fmt.Errorf("the process that was to be busy: %s", said)
}
