package study

import (
	"os"
	"testing"

	"batchrnn/bench/residency"
)

// TestMain lets the test binary be the child process that holds one model.
func TestMain(m *testing.M) {
	residency.ServeChild()
	// The race detector would keep each child waiting for a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}
