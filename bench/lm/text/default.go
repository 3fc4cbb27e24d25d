package text

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// syntheticBytes is the length of Default's synthetic text, near that of the Opticks.
const syntheticBytes = 600_000

// Default returns the default text: Newton's Opticks, which the Go distribution carries
// among its test data. Without a Go distribution it returns a synthetic text from seed,
// and Synthetic is true.
func Default(seed uint64) *Text {
	if root := goroot(); root != "" {
		raw, err := os.ReadFile(filepath.Join(root, "src", "testdata", "Isaac.Newton-Opticks.txt"))
		if err == nil && len(raw) > 0 {
			return New("Newton's Opticks, from the Go distribution", raw)
		}
	}
	return Synthetic(seed, syntheticBytes)
}

// goroot returns the folder of the Go distribution, "" if none is found. It asks the go
// command, because runtime.GOROOT is deprecated and empty in programs built with
// -trimpath.
func goroot() string {
	if root := os.Getenv("GOROOT"); root != "" {
		return root
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "env", "GOROOT")
	// This keeps a go.mod nearby from making the go command fetch another toolchain.
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(out))
}
