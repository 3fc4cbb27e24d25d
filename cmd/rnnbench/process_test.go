//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// fileLimit, set in the environment of a process, is the most bytes that it can write to
// a file: what comes after is as on a full disk.
const fileLimit = "RNNBENCH_TEST_FILE_LIMIT"

func init() {
	if s := os.Getenv(fileLimit); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err == nil {
			var limit syscall.Rlimit
			assign(&limit.Cur, n)
			assign(&limit.Max, n)
			err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		}
		if err != nil {
			panic(err)
		}
	}
	// Under nohup, or in the background of a script, the children would ignore these too.
	if os.Getenv(asMain) == "" {
		for _, s := range endings {
			if signal.Ignored(s) {
				signal.Notify(make(chan os.Signal, 1), s)
			}
		}
	}
}

// assign sets a limit, whose type is not the same on all systems.
func assign[T int64 | uint64](to *T, n uint64) { *to = T(n) }

// endings are the signals that end every command alike.
var endings = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

const exitInterrupted = exitSignal + int(syscall.SIGINT)

// A process is a running rnnbench.
type process struct {
	*exec.Cmd
	t              *testing.T
	stdout, stderr lockedBuffer
	ended          chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startProcess starts rnnbench. Without stdin its standard input is empty.
func startProcess(t *testing.T, stdin io.Reader, env []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...), t: t, ended: make(chan struct{})}
	p.Env = append(append(os.Environ(), env...), asMain+"=1")
	p.Stdin, p.Stdout, p.Stderr = stdin, &p.stdout, &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Wait()
		close(p.ended)
	}()
	return p
}

// until waits for a condition of the running process. It returns false if the process
// ends before.
func (p *process) until(what string, is func() bool) bool {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if is() {
			return true
		}
		select {
		case <-p.ended:
			return false
		case <-time.After(500 * time.Microsecond):
		}
		if time.Now().After(deadline) {
			p.Process.Kill()
			p.t.Fatalf("%v: no %s\n%s%s", p.Args[1:], what, p.stdout.String(), p.stderr.String())
		}
	}
}

// prints returns a condition: standard output or standard error has a text.
func (p *process) prints(text string) func() bool {
	return func() bool {
		return strings.Contains(p.stdout.String(), text) || strings.Contains(p.stderr.String(), text)
	}
}

// exists returns a condition: there is a file.
func exists(path string) func() bool {
	return func() bool { _, err := os.Stat(path); return err == nil }
}

// end waits for the end, which must be near, and returns the status as a shell reports it.
func (p *process) end() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.Process.Kill()
		p.t.Errorf("%v goes on\n%s%s", p.Args[1:], p.stdout.String(), p.stderr.String())
		<-p.ended
	}
	if s := p.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
		return exitSignal + int(s.Signal())
	}
	return p.ProcessState.ExitCode()
}

// lastLine returns the last line of standard error.
func (p *process) lastLine() string {
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	return lines[len(lines)-1]
}

// endlessPipe returns a pipe with a text in it that never ends.
func endlessPipe(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return r
}

// largePipeBytes is more than a pipe holds: once they are written, most have been read.
const largePipeBytes = 1 << 20

// largePipe returns a pipe with that many bytes in it that never ends. It counts those that
// are written.
func largePipe(t *testing.T, written *atomic.Int64) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	go func() {
		for range largePipeBytes >> 10 {
			n, err := w.Write(bytes.Repeat([]byte("text "), 1<<10)[:1<<10])
			if err != nil {
				return
			}
			written.Add(int64(n))
		}
	}()
	return r
}
