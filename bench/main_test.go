package bench

import (
	"os"
	"testing"
)

// TestMain lets the test binary be the child process that holds one model.
func TestMain(m *testing.M) {
	ServeChild()
	os.Exit(m.Run())
}
