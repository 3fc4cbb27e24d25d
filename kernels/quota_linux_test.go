package kernels

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestQuota reads control groups of both kinds, whole and damaged.
func TestQuota(t *testing.T) {
	const none = math.MaxInt
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int
	}{
		{"no control groups", nil, none},
		{"none set", map[string]string{"proc/self/cgroup": "0::/\n"}, none},
		{"v2, max", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, none},
		{"v2, one", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1},
		{"v2, half of one", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1},
		{"v2, three and a half", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "350000 100000\n"}, 3},
		{"v2, the group above", map[string]string{
			"proc/self/cgroup":          "0::/a/b\n",
			"sys/fs/cgroup/a/b/cpu.max": "800000 100000\n",
			"sys/fs/cgroup/a/cpu.max":   "200000 100000\n",
		}, 2},
		{"v1", map[string]string{
			"proc/self/cgroup":                      "5:memory:/x\n4:cpu,cpuacct:/a\n0::/\n",
			"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us":  "250000\n",
			"sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":    "-1\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us":   "100000\n",
		}, 2},
		{"damaged", map[string]string{"proc/self/cgroup": "0::/\n:\n\n7:cpu\n", "sys/fs/cgroup/cpu.max": "NaN 0\n"}, none},
		{"no time at all", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"}, none},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			file := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := quota(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
