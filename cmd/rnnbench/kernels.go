package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"batchrnn/bench/speed"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type kernelsCommand struct {
	ISA     string        `name:"isa" placeholder:"NAME" help:"Measure one instruction set: generic, avx2, avx512 or avx512vnni (default: all that differ in these kernels)."`
	Time    time.Duration `default:"20ms" placeholder:"TIME" help:"Time to measure each kernel for (default ${default})."`
	Largest []int         `default:"50,128,2560,100000" placeholder:"T,B,H,V" help:"Steps, batch, width and vocabulary at which the longest single call is looked for (default ${default})."`
	JSON    jsonFlag      `name:"json" placeholder:"[FILE]" help:"${json}"`
}

// Help returns the text that kong prints below the summary.
func (*kernelsCommand) Help() string {
	return `Measures on one thread: every tile of the matrix product, with its share of the multiply-add peak that is timed in turns with it; every other kernel, on vectors in L1 and on vectors in no core's cache; and the longest single call into assembly, which Go's scheduler has to wait for, in large passes. An arrow marks the instruction set that is chosen on this machine, and the tiles that run for common batches.

The default takes about half a minute. Ctrl-C, SIGTERM and SIGHUP print what has been measured until then.`
}

// Run is called by kong.
func (c *kernelsCommand) Run(env *environment) error {
	if len(c.Largest) != 4 {
		return option.Misuse("--largest", "%d numbers are given: give four, T,B,H,V, such as 50,128,2560,100000", len(c.Largest))
	}
	flags := []string{set("time", c.Time.String())}
	if c.ISA != "" {
		flags = append(flags, set("isa", c.ISA))
	}
	k, err := speed.NewKernels(speed.KernelOptions{
		Command: asTyped("kernels", append(flags, set("largest", figures.List(c.Largest, ",")))...),
		ISA:     c.ISA, Time: c.Time,
		Largest: speed.Largest{T: c.Largest[0], B: c.Largest[1], H: c.Largest[2], V: c.Largest[3]},
	})
	if err != nil {
		return err
	}
	defer k.Close()
	heading := k.Heading()
	var result speed.KernelResult
	return measurement{
		json: c.JSON, machine: heading.Machine, command: heading.Command,
		run: func(ctx context.Context, on func(nth, of int, name string)) (any, bool) {
			result = k.Run(ctx, on)
			return result, result.Interrupted
		},
		print: func(w io.Writer) { printKernels(w, result) },
	}.do(env)
}

// printKernels prints a table of tiles and one of other kernels for each instruction
// set, then the longest calls.
func printKernels(w io.Writer, r speed.KernelResult) {
	for len(r.Rows) > 0 {
		isa, n := r.Rows[0].ISA, 0
		for n < len(r.Rows) && r.Rows[n].ISA == isa {
			n++
		}
		if isa == r.Machine.ISA {
			fmt.Fprintf(w, "→ %s, chosen on this machine\n\n", isa)
		} else {
			fmt.Fprintf(w, "  %s\n\n", isa)
		}
		printTiles(w, r.Rows[:n])
		printVectors(w, r.Rows[:n])
		r.Rows = r.Rows[n:]
	}
	printCalls(w, r)
}

func printTiles(w io.Writer, rows []speed.KernelRow) {
	t := figures.Table{{"", "rows × columns", "GFLOP/s", "% of peak", "peak", ""}}
	depth := 0
	for _, r := range rows {
		if r.Kind != speed.KindTile {
			continue
		}
		depth = r.K
		arrow, picked := "", ""
		if len(r.PickedFor) > 0 {
			arrow, picked = "→", "B = "+figures.List(r.PickedFor, ", ")
		}
		t.Add(arrow, fmt.Sprintf("%d × %d", r.Rows, r.Columns), figures.Decimals(r.GFLOPS, 1), figures.Decimals(r.PercentPeak, 1), figures.Decimals(r.PeakGFLOPS, 1), picked)
	}
	writeTable(w, fmt.Sprintf("Tiles of the matrix product, K = %d, → with the batches B whose product with %d×%d weights runs them", depth, depth, depth), 2, t, 5)
}

// printVectors prints a line for each kernel, with its rates on short and long
// vectors.
func printVectors(w io.Writer, rows []speed.KernelRow) {
	t := figures.Table{{"kind", "kernel", "elements", "G el./s", "GB/s", "elements", "G el./s", "GB/s"}}
	line := map[string]int{} // by name
	for _, r := range rows {
		if r.Kind == speed.KindTile {
			continue
		}
		cells := []string{strconv.Itoa(r.N), figures.Decimals(r.GElementsPerSecond, 2), figures.Decimals(r.GBPerSecond, 1)}
		if i, ok := line[r.Name]; ok {
			t[i] = append(t[i][:5], cells...)
			continue
		}
		line[r.Name] = len(t)
		t.Add(append(append([]string{r.Kind, r.Name}, cells...), "", "", "")...)
	}
	writeTable(w, "Other kernels, bytes read and written", 2, t, 0, 1)
}

// shownCalls is the least number of kernels whose longest calls are shown. All calls
// beyond the bound are shown.
const shownCalls = 5

func printCalls(w io.Writer, r speed.KernelResult) {
	if len(r.Calls) == 0 {
		return
	}
	t := figures.Table{{"kernel", "size", "µs", "median of", "in", ""}}
	for i, c := range r.Calls {
		over := c.MedianSeconds > speed.CallBound
		if i >= shownCalls && !over {
			break
		}
		note := ""
		if over {
			note = "beyond the bound"
		}
		t.Add(c.Kernel, c.Size, figures.Decimals(1e6*c.MedianSeconds, 1), strconv.Itoa(c.Calls), c.Where, note)
	}
	longest := r.Calls[0]
	writeTable(w, fmt.Sprintf("Longest single call into assembly: %.1f µs, %s; the bound is %.0f µs",
		1e6*longest.MedianSeconds, longest.Kernel, 1e6*speed.CallBound), 2, t, 0, 4, 5)
}
