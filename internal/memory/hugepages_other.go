//go:build !linux

package memory

// DisableHugePages does nothing here: only Linux uses huge pages by default.
func DisableHugePages() error { return nil }
