package speed

import (
	"os"
	"testing"

	"batchrnn/internal/neighbour"
)

// TestMain lets the test binary be a busy process.
func TestMain(m *testing.M) {
	neighbour.ServeChild()
	// The race detector would keep each child waiting for a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}
