//go:build !linux

package durable

import "errors"

// exchange is Linux's.
func exchange(a, b string) error { return errors.ErrUnsupported }

// isMount is Linux's. Elsewhere a rename tells.
func isMount(path string) bool { return false }
