package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"batchrnn/kernels"
)

// held is the instruction set that all implementations are limited to; empty means no
// limit.
var held string

// holds lists, for each instruction set, the environment variables that limit other
// libraries to it. The libraries read them when they are loaded.
var holds = map[string]map[string]string{
	"avx2": {
		"ONEDNN_MAX_CPU_ISA":  "AVX2",
		"DNNL_MAX_CPU_ISA":    "AVX2", // its name in oneDNN 1 and 2
		"OPENBLAS_CORETYPE":   "Haswell",
		"BLIS_ARCH_TYPE":      "3", // Haswell, as BLIS 0.9 numbers its kernels
		"ATEN_CPU_CAPABILITY": "avx2",
	},
}

// wideLibraries are the environment variables that make OpenBLAS and BLIS use AVX-512. By
// themselves their releases of 2022 do so on Intel's processors alone: on others OpenBLAS
// takes AVX2, and BLIS portable C.
var wideLibraries = map[string]string{
	"OPENBLAS_CORETYPE": "SkylakeX",
	"BLIS_ARCH_TYPE":    "0", // SkylakeX, as BLIS 0.9 numbers its kernels
}

// tellLibraries sets wideLibraries where the machine is not Intel's and the user has not set them.
// The libraries must not be loaded yet. It returns all that are set, as name=value.
func tellLibraries(cpu string) (told []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(wideLibraries)) {
		if os.Getenv(name) == "" && held == "" && slices.Contains(isas(), "avx512") && !strings.Contains(cpu, "Intel") {
			if err := os.Setenv(name, wideLibraries[name]); err != nil {
				return nil, err
			}
		}
		if v := os.Getenv(name); v != "" {
			told = append(told, name+"="+v)
		}
	}
	return told, nil
}

// hold limits this project and the libraries to an instruction set. The libraries must
// not be loaded yet. ONNX Runtime can't be limited.
func hold(isa string) error {
	vars, known := holds[isa]
	if !known || !slices.Contains(kernels.ISAs(), isa) {
		var have []string
		for _, name := range kernels.ISAs() {
			if holds[name] != nil {
				have = append(have, name)
			}
		}
		return fmt.Errorf("-hold %s: this machine can hold everybody to %s", isa, cmp.Or(strings.Join(have, ", "), "nothing"))
	}
	held = isa
	for name, value := range vars {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("-hold %s: %w", isa, err)
		}
	}
	return nil
}

// isas returns the instruction sets in use, slowest first.
func isas() []string {
	all := kernels.ISAs()
	if i := slices.Index(all, held); i >= 0 {
		all = all[:i+1]
	}
	return all
}
