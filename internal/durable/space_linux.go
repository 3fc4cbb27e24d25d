package durable

import "golang.org/x/sys/unix"

func freeSpace(folder string) (bytes int64, ok bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	size := int64(s.Frsize)
	if size == 0 {
		size = int64(s.Bsize)
	}
	return int64(s.Bavail) * size, true
}
