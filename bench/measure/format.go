package measure

import (
	"fmt"
	"math"
)

// FormatBytes writes a size in bytes for people: "512 B", "3.9 KiB", "27.5 MiB".
func FormatBytes(n int64) string {
	if n > -1024 && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB", "PiB", "EiB"} {
		if math.Abs(v) < 1023.95 { // what would be printed as 1024.0
			break
		}
		v, unit = v/1024, next
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}
