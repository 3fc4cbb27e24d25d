//go:build darwin || dragonfly || freebsd

package durable

import "golang.org/x/sys/unix"

func freeSpace(folder string) (bytes int64, ok bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	return max(int64(s.Bavail), 0) * int64(s.Bsize), true
}
