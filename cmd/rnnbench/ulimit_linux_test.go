package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Under a limit of its memory a command does its work or refuses it in one line. Only
// where Go's runtime itself can't start, or one of its threads, it ends in a traceback.
func TestLimitedMemoryIsNoTraceback(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(text, []byte(sentences(4000, "Anna")), 0o600); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(dir, "m.lm")
	if status, _, stderr := runArgs("", "train", "--kind", "ngram", "--order", "3", "--corpus", text, "--out", model); status != 0 {
		t.Fatal(stderr)
	}
	limited := func(limit string, args ...string) (ok bool, stderr string) {
		t.Helper()
		cmd := exec.Command("sh", append([]string{"-c", "ulimit " + limit + ` && exec "$0" "$@"`, os.Args[0]}, args...)...)
		cmd.Env = append(os.Environ(), asMain+"=1", "GOTRACEBACK=all")
		var errOut strings.Builder
		cmd.Stderr = &errOut
		err := cmd.Run()
		return err == nil, errOut.String()
	}
	refused := 0
	// Go reserves 1.7 GiB of addresses as it starts, and has 130 MiB of data.
	for flag, limits := range map[string][]int{"-v": {2000, 2400, 3200}, "-d": {250, 600}} { // MiB
		for _, mib := range limits {
			for _, args := range [][]string{
				{"train", "--kind", "ngram", "--order", "3", "--corpus", text, "--out", filepath.Join(dir, "n.lm")},
				{"train", "--kind", "ngram", "--order", "1", "--out", filepath.Join(dir, "n.lm")},
				{"train", "--hidden", "30000", "--corpus", text, "--out", filepath.Join(dir, "r.lm")},
				{"eval", model, "--corpus", text},
			} {
				ok, stderr := limited(fmt.Sprint(flag, " ", mib<<10), args...)
				switch {
				case ok:
				case strings.Contains(stderr, "pthread_create failed"), strings.Contains(stderr, "failed to create new OS thread"):
				case !strings.Contains(stderr, "rnnbench: ") && !strings.Contains(stderr, "rnnbench.main("): // Go did not start
				case strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "rnnbench: "):
					t.Errorf("ulimit %s %d MiB, %q:\n%.500s", flag, mib, args, stderr)
				default:
					refused++
				}
			}
		}
	}
	if refused == 0 {
		if os.Getenv("CI") != "" && !raceDetector { // which has no room under any limit
			t.Fatal("no limit was felt")
		}
		t.Skip("no limit was felt here")
	}
}
