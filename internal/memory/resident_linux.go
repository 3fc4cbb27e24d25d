package memory

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Resident returns the bytes of this process that are in physical memory now,
// but for those that a file backs: code that runs for the first time comes in by
// 64 KiB and is no data. It is an error if /proc can't be read.
func Resident() (bytes int64, err error) {
	// smaps_rollup walks the page tables and is exact. statm is cheaper, but
	// the kernel batches its counters for each thread, so it lags behind by
	// some pages a thread; it serves kernels before 4.14 and sandboxes that
	// leave smaps_rollup out.
	if rollup, err := os.ReadFile("/proc/self/smaps_rollup"); err == nil {
		if n, ok := procField(rollup, "Anonymous:"); ok {
			return n, nil
		}
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("resident memory: %w", err)
	}
	n, err := parseStatm(statm)
	if err != nil {
		return 0, fmt.Errorf("resident memory: /proc/self/statm: %w", err)
	}
	return n, nil
}

// parseStatm returns the resident bytes that /proc/self/statm states: its
// second number, in pages, without its third, the pages that are shared with a
// file or with others.
func parseStatm(statm []byte) (int64, error) {
	f := bytes.Fields(statm)
	if len(f) < 3 {
		return 0, errors.New("fewer than three fields")
	}
	resident, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0, err
	}
	shared, err := strconv.ParseInt(string(f[2]), 10, 64)
	if err != nil {
		return 0, err
	}
	return (resident - shared) * int64(os.Getpagesize()), nil
}
