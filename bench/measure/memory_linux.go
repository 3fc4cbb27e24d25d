package measure

import "os"

// AvailableMemory returns the bytes that the kernel estimates a program could
// still take without swapping (MemAvailable), and whether it is known. It
// doesn't see the limit of a container.
func AvailableMemory() (bytes int64, ok bool) {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	return procField(meminfo, "MemAvailable:")
}
