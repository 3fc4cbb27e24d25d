//go:build unix

package main

import (
	"syscall"
	"testing"
)

// TestSignalEndsRescoring: what is answered by then is in the total.
func TestSignalEndsRescoring(t *testing.T) {
	p := startProcess(t, endlessPipe(t, "a-1 over\na-2 lazy\nb-1 x\n"), nil, "rescore", trainedModel(t))
	if !p.until("a-2 ", p.prints("a-2 ")) {
		t.Fatalf("it ended before the signal\n%s", p.stderr.String())
	}
	p.Process.Signal(syscall.SIGTERM)
	if status := p.end(); status != exitSignal+int(syscall.SIGTERM) || !p.prints("total: 1 list, 2 lines, 8 tokens")() || !p.prints("interrupted")() {
		t.Errorf("exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
	}
}
