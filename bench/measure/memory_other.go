//go:build !linux

package measure

// AvailableMemory is known on Linux only: ok is false here, and
// FreeMemory guesses.
func AvailableMemory() (bytes int64, ok bool) { return 0, false }
