package memory

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// Available returns the bytes that a program could still take without swapping, and
// whether that is known. It is the kernel's estimate (MemAvailable), or less if a
// control group, such as that of a container, limits it.
func Available() (bytes int64, ok bool) {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	if bytes, ok = procField(meminfo, "MemAvailable:"); !ok {
		return 0, false
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return bytes, true
	}
	return min(bytes, groupMemory(string(groups), "/sys/fs/cgroup", bytes)), true
}

// groupMemory returns the least memory that the control groups of this process leave of
// their limits. groups lists them as in /proc/self/cgroup; they are mounted at root. It
// returns none if there is no limit, or no readable one. It knows version 2 of the
// interface, and version 1 at its usual place below root.
func groupMemory(groups, root string, none int64) int64 {
	least := none
	for line := range strings.Lines(groups) {
		// The line is "0::/path", or "7:memory:/path" in version 1.
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		top, limit, usage := root, "memory.max", "memory.current"
		switch {
		case f[1] == "memory":
			top, limit, usage = root+"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
		case f[0] != "0" || f[1] != "":
			continue
		}
		// Parent groups limit the process too. Inside a container the path may be that
		// of the host; then only the top exists.
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			most, ok := readNumber(top + group + "/" + limit)
			used, ok2 := readNumber(top + group + "/" + usage)
			if ok && ok2 {
				least = min(least, max(most-used, 0))
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// readNumber reads a file that holds one number. ok is false for "max", which means no
// limit.
func readNumber(name string) (int64, bool) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	return n, err == nil
}
