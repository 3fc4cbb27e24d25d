package durable

import (
	"os"
	"path/filepath"
)

// FreeSpace returns the bytes that are free in a folder, or for a new file where
// [WriteFile] would write path, and whether they are known. They are not for pipes and
// devices, and on file systems that don't tell. Quotas don't count.
func FreeSpace(path string) (bytes int64, known bool) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return freeSpace(path)
	}
	path, old, err := target(path)
	if err != nil || direct(old) {
		return 0, false
	}
	return freeSpace(filepath.Dir(path))
}
