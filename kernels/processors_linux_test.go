package kernels

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestProcessorsOfThread: a thread that may run on one processor counts one. A sandbox
// may forbid it to move. In CI that is a failure, so that the test is never missing.
func TestProcessorsOfThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if got, want := processors(), min(runtime.GOMAXPROCS(0), all.Count()); got != want {
		t.Errorf("%d processors, want %d", got, want)
	}
	cpu := 0
	for !all.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); os.Getenv("CI") == "" && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS)) {
		t.Skipf("this sandbox forbids it: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &all)
	if got := processors(); got != 1 {
		t.Errorf("%d processors on one", got)
	}
}
