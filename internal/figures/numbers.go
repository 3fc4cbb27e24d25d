package figures

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Ratio formats a ratio with two digits, or as a whole number from 10 on.
func Ratio(r float64) string {
	if r >= 9.95 {
		return Count(int64(math.Round(r)))
	}
	return strconv.FormatFloat(r, 'f', 1, 64)
}

// Count formats n with commas between thousands.
func Count(n int64) string {
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

// Rate formats a number per second with three digits: "12.3 M", "267 k".
func Rate(perSecond float64) string {
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

// Bytes formats a size in bytes: "512 B", "3.9 KiB", "27.5 MiB".
func Bytes(n int64) string {
	if n > -1024 && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB", "PiB", "EiB"} {
		if math.Abs(v) < 1023.95 { // otherwise it would print as 1024.0
			break
		}
		v, unit = v/1024, next
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// None stands for a figure that is unknown or does not apply.
const None = "-"

// Known returns the figure, or None if it is not known.
func Known(known bool, figure string) string {
	if !known {
		return None
	}
	return figure
}

// Decimals formats a positive figure with n decimals, any other as None.
func Decimals(v float64, n int) string {
	return Known(v > 0, fmt.Sprintf("%.*f", n, v))
}

// Significant formats v >= 0 with four digits, or with all digits before the point.
func Significant(v float64) string {
	switch {
	case v >= 1e15:
		return fmt.Sprintf("%.3g", v)
	case v >= 999.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 99.995:
		return fmt.Sprintf("%.1f", v)
	case v >= 9.9995:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// Seconds formats a time with about three digits: "4.2 µs", "60.3 ms", "40.0 s".
func Seconds(s float64) string {
	switch {
	case s < 0.00009995:
		return fmt.Sprintf("%.1f µs", 1e6*s)
	case s < 0.99995:
		return fmt.Sprintf("%.1f ms", 1000*s)
	}
	return fmt.Sprintf("%.1f s", s)
}

// Plural formats a number of things: "1 thread", "1,024 threads".
func Plural[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(int64(n)) + " " + noun + "s"
}

// List formats numbers with separator between them: "1, 2, 4".
func List(numbers []int, separator string) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", separator)
}
