package bench

import (
	"fmt"
	"math"
	"strconv"
)

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
