package memory

import (
	"bytes"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Available returns the bytes that a program could still take without swapping, and
// whether that is known. It is the kernel's estimate (MemAvailable), or less if a
// control group, such as that of a container, or a limit of the process limits it.
func Available() (bytes int64, ok bool) {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	if bytes, ok = procField(meminfo, "MemAvailable:"); !ok {
		return 0, false
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		bytes = limitMemory(status, limitOf, bytes)
	}
	if groups, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		bytes = groupMemory(string(groups), "/sys/fs/cgroup", bytes)
	}
	return bytes, true
}

// What is kept back of a limit of the process, in bytes. Go's heap grows by arenas; the
// rest of one is lost where the next thing needs more in one piece. Each thread has a
// stack, and where C is linked in some have an arena of malloc, which is reserved and not
// yet data. A quarter of what remains is left to holes in the address space: under
// ulimit -v 3000000, a training that needed all but 3 % of it ran out of memory.
const (
	goArena, cArena, cArenas = 64 << 20, 64 << 20, 4
	threadStack              = 8 << 20
)

// limitMemory returns how much more memory the limits of this process (ulimit -v,
// ulimit -d) let it map, or none if that is more. status is /proc/self/status. What
// Go's runtime has mapped and not used counts as used: it may lie in pieces.
func limitMemory(status []byte, limit func(resource int) (uint64, bool), none int64) int64 {
	least := none
	threads := runtime.GOMAXPROCS(0)
	data := int64(goArena + threadStack*threads)
	for _, l := range []struct {
		resource int
		used     string
		reserve  int64
	}{
		{unix.RLIMIT_AS, "VmSize:", data + int64(cArena*min(threads, cArenas))},
		{unix.RLIMIT_DATA, "VmData:", data},
	} {
		most, ok := limit(l.resource)
		used, ok2 := procField(status, l.used)
		if ok && ok2 && most < math.MaxInt64 {
			least = min(least, max(int64(most)-used-l.reserve, 0)/4*3)
		}
	}
	return least
}

// limitOf returns a limit of this process; ok is false if there is none.
func limitOf(resource int) (most uint64, ok bool) {
	var l unix.Rlimit
	err := unix.Getrlimit(resource, &l)
	return l.Cur, err == nil && l.Cur != unix.RLIM_INFINITY
}

// groupMemory returns the least memory that the control groups of this process leave of
// their limits. groups lists them as in /proc/self/cgroup; they are mounted at root. It
// returns none if there is no limit, or no readable one. It knows version 2 of the
// interface, and version 1 at its usual place below root.
//
// A group's usage includes the cache of files that it has read, which the kernel gives up
// for memory that is asked for. That cache counts as free, as in MemAvailable.
func groupMemory(groups, root string, none int64) int64 {
	least := none
	for line := range strings.Lines(groups) {
		// The line is "0::/path", or "7:memory:/path" in version 1.
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		top, limit, usage, total := root, "memory.max", "memory.current", ""
		switch {
		case f[1] == "memory":
			top, limit, usage, total = root+"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"
		case f[0] != "0" || f[1] != "":
			continue
		}
		// Parent groups limit the process too. Inside a container the path may be that
		// of the host; then only the top exists.
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			most, ok := readNumber(top + group + "/" + limit)
			used, ok2 := readNumber(top + group + "/" + usage)
			if ok && ok2 {
				stat, _ := os.ReadFile(top + group + "/memory.stat") // without it, no cache is known
				cache := statField(stat, total+"active_file") + statField(stat, total+"inactive_file")
				least = min(least, max(most-max(used-cache, 0), 0))
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// statField returns the value of a line of a memory.stat file, 0 without such a line.
func statField(stat []byte, key string) int64 {
	for line := range bytes.Lines(stat) {
		if f := bytes.Fields(line); len(f) == 2 && string(f[0]) == key {
			n, _ := strconv.ParseInt(string(f[1]), 10, 64)
			return max(n, 0)
		}
	}
	return 0
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
