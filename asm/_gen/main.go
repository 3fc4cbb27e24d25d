// Command _gen writes the assembly of package asm and its Go declarations.
// Run it with `make generate`, or `go run . ..` from this folder.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// files lists what is generated: the name of the operation group, from which
// the file names follow, and the emitter that fills it for one instruction set.
var files = []struct {
	name string
	emit func(*gen)
}{
	{"sgemm", gemm},
	{"dgemm", func(g *gen) { g.of(double); gemm(g) }},
	{"int8", int8},
	{"pack", forBoth(pack)},
	{"triangle", forBoth(triangle)},
	{"activation", activation},
	{"gated", gated},
	{"softmax", softmax},
	{"vector", vector},
	{"reduce", forBoth(reduce)},
	{"gemv", forBoth(gemv)},
	{"optimizer", optimizer},
	{"peak", forBoth(peak)},
	{"control", control},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . DIR  (the folder of package asm)")
		os.Exit(2)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(dir string) error {
	set, err := parseSet(filepath.Join(dir, "set.go"))
	if err != nil {
		return err
	}
	cfg := printer.Config{Name: "asm/_gen", Pkg: "asm"}
	for _, isa := range []isa{avx2, avx512, avx512vnni} {
		if err := isa.writeTable(dir, set); err != nil {
			return err
		}
		for _, file := range files {
			if isa.dots && file.name != "int8" {
				continue
			}
			g := newGen(isa, set)
			file.emit(g)
			f, err := g.Result()
			if err != nil {
				return fmt.Errorf("%s for %s: %w", file.name, isa.name, err)
			}
			if err := pass.Compile.Execute(f); err != nil {
				return fmt.Errorf("%s for %s: %w", file.name, isa.name, err)
			}
			if err := g.checkCalls(f); err != nil {
				return fmt.Errorf("%s for %s: %w", file.name, isa.name, err)
			}
			base := filepath.Join(dir, file.name+"_"+isa.file+"_amd64")
			for _, out := range []struct {
				ext string
				p   printer.Printer
			}{{".s", printer.NewGoAsm(cfg)}, {".go", printer.NewStubs(cfg)}} {
				b, err := out.p.Print(f)
				if err != nil {
					return err
				}
				if err := os.WriteFile(base+out.ext, b, 0o644); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
