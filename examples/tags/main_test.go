//go:build !race && !purego && !noasm

package main

import (
	"os"
	"testing"
)

// One seed, so one result. Without the assembly, or under the race detector, the
// training takes ten times as long and tells nothing more.
func TestTagsCharacters(t *testing.T) {
	if os.Getenv("BATCHRNN_LONG") == "" {
		t.Skip("trains for some seconds: set BATCHRNN_LONG=1")
	}
	got, err := run(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if !(got.all >= 0.999) || !(got.beside >= 0.99) {
		t.Errorf("%.2f %% of all characters are right, want 99.9 %%; %.2f %% of y, w and u, want 99 %%",
			100*got.all, 100*got.beside)
	}
}

func TestTagOfLetterDependsOnNeighbours(t *testing.T) {
	line := "say, beyond 17 ways of white Quartz"
	want := "cvv. cvcvcc dd cvvc vc ccvcv ccvccc"
	for i := range line {
		if line[i] != ' ' && letters[tag(line, i)] != want[i] {
			t.Errorf("%q at %d of %q has tag %c, want %c", line[i], i, line, letters[tag(line, i)], want[i])
		}
	}
}
