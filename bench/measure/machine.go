package measure

import (
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Machine is what a reader must know beside a measured figure.
type Machine struct {
	CPU   string // the processor's own name, such as "AMD EPYC 9R14"
	Cores int    // logical processors that this process may use
	OS    string // runtime.GOOS
	Arch  string // runtime.GOARCH
	Go    string // the toolchain that built the program, such as "go1.26.0"
}

// ThisMachine describes the machine that runs the program.
func ThisMachine() Machine {
	return Machine{
		CPU:   cpuName(cpuid.CPU.BrandName),
		Cores: runtime.NumCPU(),
		OS:    runtime.GOOS,
		Arch:  runtime.GOARCH,
		Go:    runtime.Version(),
	}
}

// cpuName tidies brand, which vendors pad with runs of spaces. Many ARM
// processors give no name at all.
func cpuName(brand string) string {
	if name := strings.Join(strings.Fields(brand), " "); name != "" {
		return name
	}
	return "unknown " + runtime.GOARCH + " processor"
}
