package measure

import (
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Machine describes the machine and the program that took the figures.
type Machine struct {
	CPU     string `json:"cpu"`     // the processor's own name, such as "AMD EPYC 9R14"
	ISA     string `json:"isa"`     // the kernels' Set: "generic", "avx2", "avx512" or "avx512vnni"
	Threads int    `json:"threads"` // of the networks; an n-gram model uses one
	Go      string `json:"go"`      // the toolchain that built the program, such as "go1.26.0"
	OS      string `json:"os"`      // runtime.GOOS
	Arch    string `json:"arch"`    // runtime.GOARCH
}

// ThisMachine describes this machine. isa and threads are those of the measured work.
func ThisMachine(isa string, threads int) Machine {
	return Machine{
		CPU:     cpuName(cpuid.CPU.BrandName),
		ISA:     isa,
		Threads: threads,
		Go:      runtime.Version(),
		OS:      runtime.GOOS,
		Arch:    runtime.GOARCH,
	}
}

// cpuName tidies brand, which vendors pad with spaces. Many ARM processors report no
// name.
func cpuName(brand string) string {
	if name := strings.Join(strings.Fields(brand), " "); name != "" {
		return name
	}
	return "unknown " + runtime.GOARCH + " processor"
}
