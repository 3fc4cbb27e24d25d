package main

import (
	"fmt"
	"io"
	"strings"
)

// writeBenchLine writes one measurement in the format of Go's benchmarks, which
// benchstat reads. peak is in operations a second.
func writeBenchLine(out io.Writer, w Workload, impl string, threads, times int, ns, peak float64) {
	fmt.Fprintf(out, "Benchmark%s/impl=%s/%s/threads=%d\t%d\t%.5g ns/op", w.Bench(), impl, w.Name(), threads, times, ns)
	if rate, unit := w.Rate(ns); unit != "ns/op" {
		fmt.Fprintf(out, "\t%.5g %s", rate, unit)
	}
	if flops := w.Flops(); flops > 0 && peak > 0 {
		fmt.Fprintf(out, "\t%.2f %%peak", w.share(ns, peak))
	}
	fmt.Fprintln(out)
}

// A Fact describes a condition of the run to its reader.
type Fact struct{ Key, Value string }

// writeFacts writes the facts and the missing libraries as configuration lines.
func writeFacts(out io.Writer, facts []Fact, missing []Missing) {
	for _, f := range facts {
		fmt.Fprintf(out, "%s: %s\n", f.Key, oneLine(f.Value))
	}
	for _, m := range missing {
		fmt.Fprintf(out, "missing-%s: %s; to install: %s\n", m.Name, oneLine(m.Why), m.Install)
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
