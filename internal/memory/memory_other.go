//go:build !linux

package memory

// Available is known on Linux only. Here ok is false, and Free guesses.
func Available() (bytes int64, ok bool) { return 0, false }
