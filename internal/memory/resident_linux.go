package memory

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Resident returns the bytes of this process in physical memory now, without
// file-backed pages. Code that runs for the first time is loaded in steps of 64 KiB and
// is not data. It returns an error if /proc can't be read.
func Resident() (bytes int64, err error) {
	// smaps_rollup walks the page tables and is exact. statm is cheaper. But the kernel
	// batches its counters for each thread, so it lags by some pages a thread. It
	// serves kernels before 4.14 and sandboxes without smaps_rollup.
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

// parseStatm returns the resident bytes in /proc/self/statm: its second number, in
// pages, minus its third. The third counts pages that are shared with a file or other
// processes.
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
