package bench

import "testing"

func TestFormatCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := FormatCount(n); got != want {
			t.Errorf("FormatCount(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestFormatRatio(t *testing.T) {
	for r, want := range map[float64]string{1: "1.0", 3.14: "3.1", 9.94: "9.9", 9.96: "10", 12345.6: "12,346"} {
		if got := FormatRatio(r); got != want {
			t.Errorf("FormatRatio(%v) = %q, want %q", r, got, want)
		}
	}
}

func TestFormatRate(t *testing.T) {
	for r, want := range map[float64]string{0: "0", 999.4: "999", 999.6: "1.00 k", 9996: "10.0 k", 123_456: "123 k", 999_600: "1.00 M", 12.34e6: "12.3 M", 978e6: "978 M"} {
		if got := FormatRate(r); got != want {
			t.Errorf("FormatRate(%v) = %q, want %q", r, got, want)
		}
	}
}
