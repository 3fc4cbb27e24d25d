package kernels

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// quota returns how many seconds of processor time the process may use in a second. It
// follows the limits of its control group and of the groups above. The result is
// rounded down, and at least 1. Without a limit it is [math.MaxInt]. root is the root
// of the file system.
//
// More workers would use the quota up sooner, and then all would stand still until the
// next period. GOMAXPROCS is no substitute: it is rounded up, to 2 at least.
func quota(root string) int {
	groups, err := os.ReadFile(root + "/proc/self/cgroup")
	if err != nil {
		return math.MaxInt
	}
	most := math.Inf(1)
	for line := range strings.Lines(string(groups)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		mount, limit := "", v2Limit
		switch {
		case controllers == "":
		case strings.Contains(","+controllers+",", ",cpu,"):
			mount, limit = "/cpu", v1Limit
		default:
			continue
		}
		for ; ; group = path.Dir(group) {
			most = min(most, limit(root+"/sys/fs/cgroup"+mount+group))
			if len(group) <= 1 {
				break
			}
		}
	}
	if most >= math.MaxInt32 {
		return math.MaxInt
	}
	return max(1, int(most))
}

// v2Limit reads cpu.max: quota and period in microseconds, or "max" for none.
func v2Limit(folder string) float64 {
	text, err := os.ReadFile(folder + "/cpu.max")
	if err != nil {
		return math.Inf(1)
	}
	allowed, period, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	return share(allowed, period)
}

// v1Limit reads the same limit from control groups of version 1, where -1 means no
// limit.
func v1Limit(folder string) float64 {
	allowed, err := os.ReadFile(folder + "/cpu.cfs_quota_us")
	if err != nil {
		return math.Inf(1)
	}
	period, err := os.ReadFile(folder + "/cpu.cfs_period_us")
	if err != nil {
		return math.Inf(1)
	}
	return share(strings.TrimSpace(string(allowed)), strings.TrimSpace(string(period)))
}

func share(allowed, period string) float64 {
	a, err := strconv.ParseFloat(allowed, 64)
	if err != nil || !(a > 0) {
		return math.Inf(1)
	}
	p, err := strconv.ParseFloat(period, 64)
	if err != nil || !(p > 0) {
		return math.Inf(1)
	}
	return a / p
}
