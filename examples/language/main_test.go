//go:build !race && !purego && !noasm

package main

import "testing"

// One seed, so one result. Without the assembly, or under the race detector, the
// training takes ten times as long and tells nothing more.
func TestNamesLanguages(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for some seconds")
	}
	accuracy, err := run(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if !(accuracy >= 0.85) {
		t.Errorf("%.2f %% of the lines are named, want at least 85 %%", 100*accuracy)
	}
}
