package figures

import (
	"math"
	"testing"
)

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestRatio(t *testing.T) {
	for r, want := range map[float64]string{1: "1.0", 3.14: "3.1", 9.94: "9.9", 9.96: "10", 12345.6: "12,346"} {
		if got := Ratio(r); got != want {
			t.Errorf("Ratio(%v) = %q, want %q", r, got, want)
		}
	}
}

func TestRate(t *testing.T) {
	for r, want := range map[float64]string{0: "0", 999.4: "999", 999.6: "1.00 k", 9996: "10.0 k", 123_456: "123 k", 999_600: "1.00 M", 12.34e6: "12.3 M", 978e6: "978 M"} {
		if got := Rate(r); got != want {
			t.Errorf("Rate(%v) = %q, want %q", r, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", -5: "-5 B", 1024: "1.0 KiB", 1536: "1.5 KiB",
		1<<20 - 1: "1.0 MiB", 1 << 20: "1.0 MiB", 27*1<<20 + 1<<19: "27.5 MiB", 5 << 30: "5.0 GiB",
		math.MaxInt64: "8.0 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestSignificant(t *testing.T) {
	for v, want := range map[float64]string{0: "0.000", 1.23456: "1.235", 12.3456: "12.35", 123.456: "123.5", 1234.56: "1235", 2e15: "2e+15"} {
		if got := Significant(v); got != want {
			t.Errorf("Significant(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for s, want := range map[float64]string{4.2e-6: "4.2 µs", 0.0603: "60.3 ms", 40: "40.0 s"} {
		if got := Seconds(s); got != want {
			t.Errorf("Seconds(%v) = %q, want %q", s, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Plural(1, "thread"): "1 thread", Plural(1024, "thread"): "1,024 threads", List([]int{1, 2, 4}, ", "): "1, 2, 4",
		Known(false, "7"): "-", Known(true, "7"): "7", Decimals(0, 1): "-", Decimals(1.26, 1): "1.3",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
