package neighbour

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain lets the test binary be a busy process.
func TestMain(m *testing.M) {
	ServeChild()
	// The race detector would keep each child waiting for a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

func TestConditionsLeaveNothingBehind(t *testing.T) {
	procs, goroutines := runtime.GOMAXPROCS(0), runtime.NumGoroutine()
	seen := map[string]bool{}
	for _, c := range Conditions() {
		if seen[c.Name] || c.Engines < 1 || c.Callers < 1 {
			t.Errorf("condition %+v", c)
		}
		seen[c.Name] = true
		leave, err := c.Enter(t.Context())
		if errors.Is(err, errors.ErrUnsupported) {
			t.Logf("%s: %v", c.Name, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if now := runtime.GOMAXPROCS(0); (c.Name == "gomaxprocs-1") != (now != procs) && procs > 1 {
			t.Errorf("%s: GOMAXPROCS is %d, was %d", c.Name, now, procs)
		}
		leave()
		if now := runtime.GOMAXPROCS(0); now != procs {
			t.Errorf("%s: GOMAXPROCS is %d afterwards, was %d", c.Name, now, procs)
		}
		wantNoChild(t, c.Name)
	}
	if !seen["quiet"] || !seen["process"] {
		t.Errorf("conditions %v", seen)
	}
	for tries := 0; runtime.NumGoroutine() > goroutines; tries++ { // those that have been told to end
		if tries == 5000 {
			t.Fatalf("%d goroutines are left of %d", runtime.NumGoroutine(), goroutines)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestNoProcessAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	leave, err := startProcess(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	leave()
	wantNoChild(t, "ended with its context")
	if _, err := startProcess(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("started after the end: error %v", err)
	}
	wantNoChild(t, "after the end")
}

func TestProcessThatIsNotServed(t *testing.T) {
	t.Setenv(childEnv, "0")
	if _, err := startProcess(t.Context(), 0); !errors.Is(err, errNotServed) {
		t.Errorf("in a child process: error %v", err)
	}
}
