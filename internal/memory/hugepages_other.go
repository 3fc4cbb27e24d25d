//go:build !linux

package memory

// DisableHugePages does nothing here: only Linux gives huge pages unasked.
func DisableHugePages() error { return nil }
