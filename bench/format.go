package bench

import (
	"fmt"
	"math"
	"strconv"
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

// FormatRatio writes a ratio with two digits, or as a whole number from 10 on.
func FormatRatio(r float64) string {
	if r >= 9.95 {
		return FormatCount(int64(math.Round(r)))
	}
	return strconv.FormatFloat(r, 'f', 1, 64)
}

// FormatCount writes n with commas between thousands.
func FormatCount(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// FormatRate writes a number per second with three digits: "12.3 M", "267 k".
func FormatRate(perSecond float64) string {
	switch {
	case perSecond >= 99.95e6:
		return fmt.Sprintf("%.0f M", perSecond/1e6)
	case perSecond >= 9.995e6:
		return fmt.Sprintf("%.1f M", perSecond/1e6)
	case perSecond >= 999.5e3:
		return fmt.Sprintf("%.2f M", perSecond/1e6)
	case perSecond >= 99.95e3:
		return fmt.Sprintf("%.0f k", perSecond/1e3)
	case perSecond >= 9.995e3:
		return fmt.Sprintf("%.1f k", perSecond/1e3)
	case perSecond >= 999.5:
		return fmt.Sprintf("%.2f k", perSecond/1e3)
	}
	return fmt.Sprintf("%.0f", perSecond)
}
