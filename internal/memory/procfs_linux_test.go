package memory

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestProcField(t *testing.T) {
	const rollup = "55e0-7ffc ---p 00000000 00:00 0   [rollup]\nRss:     1772 kB\nPss_Dirty:  120 kB\nBig: 99999999999999999999 kB\nPages: 7\n"
	for _, tc := range []struct {
		key  string
		want int64
		ok   bool
	}{
		{"Rss:", 1772 << 10, true},
		{"Pss_Dirty:", 120 << 10, true},
		{"Pss:", 0, false},
		{"Pages:", 0, false},
	} {
		if got, ok := procField([]byte(rollup), tc.key); got != tc.want || ok != tc.ok {
			t.Errorf("procField(%q) = %d, %v, want %d, %v", tc.key, got, ok, tc.want, tc.ok)
		}
	}
	if _, ok := procField([]byte(rollup), "Big:"); ok {
		t.Error("a number beyond int64 was accepted")
	}
}

func TestParseStatm(t *testing.T) {
	page := int64(os.Getpagesize())
	for _, tc := range []struct {
		statm string
		want  int64
		ok    bool
	}{
		{"1000 250 30 4 0 60 0\n", 220 * page, true},
		{"1000 250", 0, false},
		{"", 0, false},
		{"1000 x 3", 0, false},
		{"1000 250 x", 0, false},
	} {
		got, err := parseStatm([]byte(tc.statm))
		if got != tc.want || (err == nil) != tc.ok {
			t.Errorf("parseStatm(%q) = %d, %v", tc.statm, got, err)
		}
	}
}

func TestDisableHugePagesIsInForce(t *testing.T) {
	if err := DisableHugePages(); err != nil {
		t.Skip("this kernel or sandbox refuses: ", err)
	}
	if got, err := unix.PrctlRetInt(unix.PR_GET_THP_DISABLE, 0, 0, 0, 0); err != nil || got != 1 {
		t.Errorf("PR_GET_THP_DISABLE = %d, %v, want 1", got, err)
	}
}
