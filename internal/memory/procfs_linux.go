package memory

import (
	"bytes"
	"strconv"
)

// procField returns in bytes the value of a line such as "Rss:  1772 kB", the format of
// /proc/meminfo and the smaps files. key includes the colon.
func procField(file []byte, key string) (int64, bool) {
	for line := range bytes.Lines(file) {
		f := bytes.Fields(line)
		if len(f) != 3 || string(f[0]) != key || string(f[2]) != "kB" {
			continue
		}
		n, err := strconv.ParseInt(string(f[1]), 10, 64)
		return n << 10, err == nil
	}
	return 0, false
}
