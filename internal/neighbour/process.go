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
)

// childEnv is set, to its niceness, in a process that was started to be busy.
const childEnv = "BATCHRNN_BUSY_NICENESS"

// busyLine is what the child prints once it is busy.
const busyLine = "busy\n"

// errNotServed is what startProcess returns in a child process, where going on
// would start children without end.
var errNotServed = errors.New("this program starts busy processes but does not call neighbour.ServeChild first")

// ServeChild is busy until standard input ends, and then ends the process, if
// this process is one that a [Condition] started; otherwise it does nothing.
func ServeChild() {
	text := os.Getenv(childEnv)
	if text == "" {
		return
	}
	// Ctrl-C reaches every process of the terminal; the parent decides what ends.
	signal.Ignore(os.Interrupt)
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

// spin keeps one thread of the given niceness busy until r ends: the death of
// the parent closes its end of the pipe. It tells on w when it begins.
func spin(niceness int, r io.Reader, w io.Writer) error {
	// Niceness belongs to a thread on Linux.
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

// startProcess starts this executable again as a busy process, and waits until
// it is busy. Niceness 0 stands for that of this process. The process is gone
// when stop has returned. It ends by itself if this one dies.
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
	// The pipe stays open as long as stop, which holds cmd, is held.
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
