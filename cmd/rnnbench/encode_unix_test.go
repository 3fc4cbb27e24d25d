//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEncodeOnAFullDisk: what has no room is one line, and nothing of it stays.
func TestEncodeOnAFullDisk(t *testing.T) {
	dir, text := t.TempDir(), writeText(t)
	out := filepath.Join(dir, "ids")
	for _, limit := range []string{"0", "1000", "25000"} {
		p := startProcess(t, nil, []string{fileLimit + "=" + limit}, "encode", "--corpus", text, "--out", out)
		if status := p.end(); status != exitFailure || !strings.Contains(p.lastLine(), "rnnbench: --out: ") || !strings.Contains(p.lastLine(), "was not written") || p.stdout.String() != "" {
			t.Errorf("%s bytes: exit status %d\n%s%s", limit, status, p.stdout.String(), p.stderr.String())
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%s bytes: left behind: %v %v", limit, entries, err)
		}
	}
}
