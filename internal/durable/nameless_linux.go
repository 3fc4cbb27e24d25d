package durable

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openNameless creates a file without a name in a folder. A process that ends at any
// moment leaves nothing of it. Some file systems have no such files.
func openNameless(folder string) (*os.File, error) {
	if folder == "" {
		folder = "."
	}
	fd, err := unix.Open(folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), filepath.Join(folder, scratchPrefix)), nil
}
