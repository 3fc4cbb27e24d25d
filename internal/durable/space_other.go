//go:build !darwin && !dragonfly && !freebsd && !linux && !windows

package durable

func freeSpace(string) (bytes int64, ok bool) { return 0, false }
