//go:build !race && !purego && !noasm

package main

import (
	"os"
	"testing"
)

// One seed, so one result. Without the assembly, or under the race detector, the
// training takes ten times as long and tells nothing more.
func TestNamesLanguages(t *testing.T) {
	if os.Getenv("BATCHRNN_LONG") == "" {
		t.Skip("trains for some seconds: set BATCHRNN_LONG=1")
	}
	accuracy, err := run(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if !(accuracy >= 0.85) {
		t.Errorf("%.2f %% of the lines are named, want at least 85 %%", 100*accuracy)
	}
}
