// Package residency measures a model's resident memory: the growth of a fresh process
// that holds nothing else. That process is this same executable started again. So a
// program that calls [Measure] must call [ServeChild] first in main.
package residency

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/internal/memory"
	"batchrnn/kernels"
)

// errNotServed is Measure's error in a child process. Without it, each child would
// start another.
var errNotServed = errors.New("this program calls residency.Measure but not residency.ServeChild first")

// childEnv is set in a child process that measures a model. Its value is the kind of
// model.
const childEnv = "BATCHRNN_HOLD_MODEL"

// ServeChild does the work of a child process and ends it, if [Measure] started this
// process. Otherwise it does nothing. Programs that call Measure call it first in main,
// and their tests in TestMain.
func ServeChild() {
	kind := os.Getenv(childEnv)
	if kind == "" {
		return
	}
	// These may reach every process of a terminal or a job; the parent decides which ones
	// end.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	grown, err := hold(kind, os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(grown)
	os.Exit(0)
}

// hold reads a model of the given kind from r, where its length and the number of its
// copies precede it. It returns the growth of this process in bytes by the last copy.
// Those before it make the runtime allocate what it needs to read and hold such a model.
func hold(kind string, r io.Reader) (int64, error) {
	// Without GC, memory goes back to the system at FreeOSMemory only.
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(1) // a new thread would add memory that isn't the model's
	if err := memory.DisableHugePages(); err != nil {
		return 0, err
	}
	read, err := readerOf(kind)
	if err != nil {
		return 0, err
	}
	var sent struct{ Size, Copies int64 }
	if err := binary.Read(r, binary.LittleEndian, &sent); err != nil {
		return 0, fmt.Errorf("length of the model: %w", err)
	}
	var grown int64
	for range sent.Copies {
		if grown, err = growth(read, io.LimitReader(r, sent.Size), sent.Size); err != nil {
			return 0, err
		}
	}
	return grown, nil
}

// A reader reads a model from the size bytes that r holds for it, into memory of its
// final size.
type reader func(r io.Reader, size int64) (model any, err error)

// readerOf returns the reader of models of the given kind.
func readerOf(kind string) (reader, error) {
	switch kind {
	case lm.Ngram:
		return func(r io.Reader, size int64) (any, error) { return ngram.Read(r, size) }, nil
	case lm.RNN:
		engine, err := kernels.New("", 1)
		if err != nil {
			return nil, err
		}
		return func(r io.Reader, size int64) (any, error) {
			model, err := rnnlm.Read(engine, r, size)
			if err == nil {
				model.Compact()
			}
			return model, err
		}, nil
	}
	return nil, fmt.Errorf("%s=%s: no such kind of model", childEnv, kind)
}

// growth returns the growth of this process in bytes when it reads a model.
func growth(read reader, r io.Reader, size int64) (int64, error) {
	before, err := settledResident()
	if err != nil {
		return 0, err
	}
	model, err := read(r, size)
	if err != nil {
		return 0, err
	}
	after, err := settledResident()
	runtime.KeepAlive(model)
	return after - before, err
}

// settledResident returns the resident bytes without garbage. Collecting garbage makes
// the runtime itself grow. Each of the first four collections adds about 60 KiB, later
// ones almost nothing.
func settledResident() (int64, error) {
	for range 6 {
		debug.FreeOSMemory()
	}
	return memory.Resident()
}

// largeModel is the size from which the runtime's noise doesn't matter: one copy and
// one run suffice. A first copy adds 30 to 110 KiB to the model, and about 200 KiB more
// in one process out of twenty.
const largeModel = 16 << 20

// Runs is the number of measurements of a model when nobody waits. Each takes about 50
// ms.
const Runs = 5

// Measure starts this executable again, sends it the model, and returns the growth of
// that process in bytes. kind is lm.Ngram or lm.RNN. env is added to the environment.
//
// It returns the least of at most runs runs. Fewer suffice where two agree on the
// least, and one for a large model. Noise is pages that the runtime touches beside the
// model. It only adds, so the least is the most accurate.
func Measure(ctx context.Context, runs int, kind string, model io.WriterTo, env ...string) (int64, error) {
	size, err := model.WriteTo(io.Discard) // the child must know the length before it reads
	if err != nil {
		return 0, err
	}
	copies := 2
	if size >= largeModel {
		copies, runs = 1, 1
	}
	least := int64(math.MaxInt64)
	for range runs {
		n, err := measureOnce(ctx, kind, model, size, copies, env)
		if err != nil {
			return 0, err
		}
		if n == least {
			break
		}
		least = min(least, n)
	}
	return max(least, 0), nil // a negative growth is the noise of a tiny model
}

func measureOnce(ctx context.Context, kind string, model io.WriterTo, size int64, copies int, env []string) (int64, error) {
	if os.Getenv(childEnv) != "" {
		return 0, errNotServed
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(append(os.Environ(), env...), childEnv+"="+kind)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	err = binary.Write(stdin, binary.LittleEndian, [2]int64{size, int64(copies)})
	for range copies {
		if err == nil {
			_, err = model.WriteTo(stdin)
		}
	}
	err = errors.Join(err, stdin.Close())
	if waitErr := cmd.Wait(); waitErr != nil {
		// The child's message is the cause, the broken pipe the effect.
		err = errors.New(firstLine(stderr.String(), waitErr.Error()))
	}
	if err != nil {
		return 0, fmt.Errorf("the process that was to hold the model: %w", err)
	}
	grown, err := strconv.ParseInt(strings.TrimSpace(stdout.String()), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the process that was to hold the model printed %q", firstLine(stdout.String(), ""))
	}
	return grown, nil
}

// firstLine returns the first line of s, or instead if there is none.
func firstLine(s, instead string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if line == "" {
		return instead
	}
	return line
}
