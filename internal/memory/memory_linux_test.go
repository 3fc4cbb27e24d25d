package memory

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLimitMemory(t *testing.T) {
	data := uint64(goArena + threadStack*runtime.GOMAXPROCS(0))
	space := data + uint64(cArena*min(runtime.GOMAXPROCS(0), cArenas))
	const none = 1 << 40
	status := []byte("VmPeak:\t 9000 kB\nVmSize:\t 2000 kB\nVmData:\t 500 kB\n")
	for name, test := range map[string]struct {
		limits map[int]uint64
		want   int64
	}{
		"none":               {nil, none},
		"address space":      {map[int]uint64{unix.RLIMIT_AS: 6000<<10 + space}, 3000 << 10},
		"data":               {map[int]uint64{unix.RLIMIT_DATA: 4500<<10 + data}, 3000 << 10},
		"both":               {map[int]uint64{unix.RLIMIT_AS: 5000<<10 + space, unix.RLIMIT_DATA: 900<<10 + data}, 300 << 10},
		"less than the rest": {map[int]uint64{unix.RLIMIT_AS: 2000<<10 + space - 1}, 0},
		"less than is used":  {map[int]uint64{unix.RLIMIT_AS: 1}, 0},
		"more than there is": {map[int]uint64{unix.RLIMIT_AS: 1 << 62}, none},
		"beyond int64":       {map[int]uint64{unix.RLIMIT_AS: 1 << 63}, none},
	} {
		limit := func(resource int) (uint64, bool) { most, ok := test.limits[resource]; return most, ok }
		if got := limitMemory(status, limit, none); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
		if got := limitMemory(nil, limit, none); got != none {
			t.Errorf("%s, of an unknown size: %d", name, got)
		}
	}
}

// A process under ulimit has no more free memory than its limit leaves.
func TestAvailableUnderUlimit(t *testing.T) {
	const env = "MEMORY_TEST_AVAILABLE"
	if os.Getenv(env) != "" {
		n, _ := Available()
		os.Stdout.WriteString("free=" + strconv.FormatInt(n, 10) + "\n")
		return
	}
	for _, limit := range []string{"-v 4000000", "-d 4000000"} {
		cmd := exec.Command("sh", "-c", "ulimit "+limit+` && exec "$0" -test.run TestAvailableUnderUlimit`, os.Args[0])
		cmd.Env = append(os.Environ(), env+"=1")
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "ulimit") || strings.Contains(string(out), "ThreadSanitizer") {
			t.Skipf("no such limit here: %s", out)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", limit, err, out)
		}
		_, after, _ := strings.Cut(string(out), "free=")
		free, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
		if err != nil || free <= 0 || free >= 4_000_000<<10 {
			t.Errorf("%s: %d free, error %v", limit, free, err)
		}
	}
}

func TestGroupMemory(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"a/memory.max": "1000\n", "a/memory.current": "300\n", // leaves 700
		"a/b/memory.max": "max\n", "a/b/memory.current": "200\n",
		"full/memory.max": "10\n", "full/memory.current": "20\n",
		"cached/memory.max": "1000\n", "cached/memory.current": "990\n",
		"cached/memory.stat": "anon 90\nfile 900\ninactive_file 500\nactive_file 300\nactive_files 9\n",
		"more/memory.max":    "1000\n", "more/memory.current": "10\n",
		"more/memory.stat":                    "inactive_file 500\n",
		"memory/cached/memory.limit_in_bytes": "500\n", "memory/cached/memory.usage_in_bytes": "500\n",
		"memory/cached/memory.stat":        "inactive_file 7\nactive_file 8\ntotal_inactive_file 200\ntotal_active_file 50\n",
		"memory/old/memory.limit_in_bytes": "500\n", "memory/old/memory.usage_in_bytes": "100\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for groups, want := range map[string]int64{
		"":                                  9999,
		"0::/":                              9999,
		"0::/a\n":                           700,
		"0::/a/b\n":                         700,
		"0::/elsewhere\n":                   9999,
		"0::/full\n":                        0,
		"0::/cached\n":                      810,  // the files' cache can be had
		"0::/more\n":                        1000, // no more than the limit
		"7:memory:/cached\n":                250,
		"8:cpu:/a\n7:memory:/old\n0::/a\n":  400,
		"7:memory:/gone\nnot a line at all": 9999,
	} {
		if got := groupMemory(groups, root, 9999); got != want {
			t.Errorf("groupMemory(%q) = %d, want %d", groups, got, want)
		}
	}
}
