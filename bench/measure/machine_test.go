package measure

import (
	"runtime"
	"strings"
	"testing"
)

func TestThisMachine(t *testing.T) {
	m := ThisMachine("avx2", 3)
	if m.CPU == "" || m.CPU != strings.TrimSpace(m.CPU) {
		t.Errorf("CPU = %q", m.CPU)
	}
	if m.ISA != "avx2" || m.Threads != 3 || m.OS != runtime.GOOS || m.Arch != runtime.GOARCH || m.Go != runtime.Version() {
		t.Errorf("ThisMachine() = %+v", m)
	}
}

func TestCPUName(t *testing.T) {
	for brand, want := range map[string]string{
		"  Intel(R)  Core(TM) i7   @ 2GHz \t": "Intel(R) Core(TM) i7 @ 2GHz",
		"":                                    "unknown " + runtime.GOARCH + " processor",
	} {
		if got := cpuName(brand); got != want {
			t.Errorf("cpuName(%q) = %q, want %q", brand, got, want)
		}
	}
}
