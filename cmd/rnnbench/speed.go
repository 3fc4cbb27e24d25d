package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"batchrnn/bench"
	"batchrnn/bench/speed"
)

type speedCommand struct {
	Threads []int         `default:"${speedThreads}" placeholder:"N" help:"Threads to measure on, several with commas between them (default ${default}: one, and as many as there are cores)."`
	Hidden  []int         `default:"1760,2048,2560" placeholder:"H" help:"Widths of the DeepBench networks (default ${default})."`
	Batch   []int         `default:"16,32,64,128" placeholder:"B" help:"Batches of the DeepBench networks (default ${default})."`
	Time    time.Duration `default:"300ms" placeholder:"TIME" help:"Time to measure each row for, at least three runs, and as much for the peak beside it (default ${default})."`
	Batches bool          `help:"Measure products of every batch from 1 to 130 too."`
	Assert  float64       `placeholder:"PERCENT" help:"Fail if a DeepBench row reaches less than this share of the multiply-add peak, such as 90."`
	JSON    string        `name:"json" placeholder:"FILE|-" help:"Write the figures as JSON; with - to standard output, and everything else to standard error."`
}

// Help is what kong prints below the summary.
func (*speedCommand) Help() string {
	return `Measures passes through networks of DeepBench's sizes and of small ones, a training step, matrix products and single steps, as GFLOP/s and as a share of the peak of multiply-adds on as many threads, timed in turns with each row. The best run counts, for others on the machine can only make a run slower; the median stands beside it.

The default takes about two minutes on two cores. Ctrl-C prints what has been measured until then.`
}

// oneAndAll is the default of --threads.
func oneAndAll() string {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return fmt.Sprintf("1,%d", n)
	}
	return "1"
}

func misuse(name, format string, args ...any) error {
	return &bench.OptionError{Name: name, Err: fmt.Errorf(format, args...)}
}

// Run is called by kong.
func (c *speedCommand) Run(env *environment) error {
	if !(c.Assert >= 0) {
		return misuse("--assert", "%v is no share of the peak: give a percentage such as 90", c.Assert)
	}
	s, err := speed.NewSpeed(speed.Options{Threads: c.Threads, Hidden: c.Hidden, Batch: c.Batch, Time: c.Time, Batches: c.Batches})
	if err != nil {
		return err
	}
	defer s.Close()
	heading := s.Heading()
	var result speed.Result
	err = measurement{
		json: c.JSON, machine: heading.Machine, command: heading.Command,
		run: func(ctx context.Context, on func(nth, of int, name string)) (any, bool) {
			result = s.Run(ctx, on)
			return result, result.Interrupted
		},
		print: func(w io.Writer) { printSpeed(w, result) },
	}.do(env)
	below := result.Below(c.Assert)
	for _, r := range below {
		fmt.Fprintf(env.stderr, "H %d, B %d, %s, %s: %.1f %% of peak\n", r.H, r.B, speed.Threads(r.Threads), r.Pass, r.PercentPeak)
	}
	if len(below) > 0 {
		err = errors.Join(err, fmt.Errorf("--assert: %d of the DeepBench rows are below %v %% of the multiply-add peak", len(below), c.Assert))
	}
	return err
}

// printSpeed prints a table for each kind of row.
func printSpeed(w io.Writer, r speed.Result) {
	kinds := map[string][]speed.Row{}
	for _, row := range r.Rows {
		kinds[row.Kind] = append(kinds[row.Kind], row)
	}
	printDeepBench(w, kinds[speed.KindDeepBench])
	printMarks(w, append(kinds[speed.KindForward], kinds[speed.KindTrain]...))
	printGemms(w, kinds[speed.KindGemm])
	printSteps(w, kinds[speed.KindStep])
	printSingles(w, kinds[speed.KindSingle])
	printBatches(w, kinds[speed.KindBatch])
}

func printDeepBench(w io.Writer, rows []speed.Row) {
	t := table{{"H", "B", "threads", "pass", "GFLOP/s", "median", "peak", "% of peak", "median"}}
	for _, r := range rows {
		t.add(strconv.Itoa(r.H), strconv.Itoa(r.B), strconv.Itoa(r.Threads), r.Pass,
			decimals(r.GFLOPS, 1), decimals(r.MedianGFLOPS, 1), decimals(r.PeakGFLOPS, 1),
			decimals(r.PercentPeak, 1), decimals(r.PercentMedian, 1))
	}
	t.write(w, "DeepBench's vanilla RNN: ReLU, T = 50, without the input product, packing of the weights included", 3)
}

func printMarks(w io.Writer, rows []speed.Row) {
	t := table{{"work", "threads", "GFLOP/s", "median", "peak", "% of peak", "median", "tokens/s"}}
	for _, r := range rows {
		name, tokens := fmt.Sprintf("forward, H %d, B %d, T %d", r.H, r.B, r.T), "-"
		if r.Kind == speed.KindTrain {
			name = fmt.Sprintf("training step, V %d, H %d, B %d, T %d, Adam, clipping", r.V, r.H, r.B, r.T)
			tokens = bench.FormatRate(r.TokensPerSecond)
		}
		t.add(name, strconv.Itoa(r.Threads), decimals(r.GFLOPS, 1), decimals(r.MedianGFLOPS, 1), decimals(r.PeakGFLOPS, 1),
			decimals(r.PercentPeak, 1), decimals(r.PercentMedian, 1), tokens)
	}
	t.write(w, "Smaller networks, tanh, weights packed before the forward passes", 0)
}

func printGemms(w io.Writer, rows []speed.Row) {
	t := table{{"set", "H", "B", "GFLOP/s", "median", "peak", "% of peak", "median"}}
	for _, r := range rows {
		t.add(r.ISA, strconv.Itoa(r.H), strconv.Itoa(r.B), decimals(r.GFLOPS, 1), decimals(r.MedianGFLOPS, 1), decimals(r.PeakGFLOPS, 1),
			decimals(r.PercentPeak, 1), decimals(r.PercentMedian, 1))
	}
	t.write(w, "Products of B rows with packed H×H weights, bias and tanh, 1 thread", 0)
}

func printSteps(w io.Writer, rows []speed.Row) {
	t := table{{"H", "steps a call", "µs a step"}}
	for _, r := range rows {
		t.add(strconv.Itoa(r.H), strconv.Itoa(r.T), decimals(1e6*r.SecondsPerStep, 3))
	}
	t.write(w, "One row step by step, B = 1, tanh, 1 thread")
}

func printSingles(w io.Writer, rows []speed.Row) {
	t := table{{"H", "GFLOP/s", "GB/s", "read GB/s", "% of read"}}
	for _, r := range rows {
		t.add(strconv.Itoa(r.H), decimals(r.GFLOPS, 1), decimals(r.GBPerSecond, 1), decimals(r.ReadGBPerSecond, 1), decimals(r.PercentRead, 1))
	}
	t.write(w, "Products of one row, B = 1, beside a plain read of the same packed weights (their sum of squares), 1 thread")
}

// batchesPerLine is how many batches stand side by side.
const batchesPerLine = 10

func printBatches(w io.Writer, rows []speed.Row) {
	head := []string{"B"}
	for i := range batchesPerLine {
		head = append(head, fmt.Sprintf("+%d", i))
	}
	t := table{head}
	all := rows
	for len(rows) > 0 {
		line := []string{strconv.Itoa(rows[0].B)}
		n := min(batchesPerLine, len(rows))
		for _, r := range rows[:n] {
			line = append(line, decimals(r.GFLOPS, 1))
		}
		t.add(line...)
		rows = rows[n:]
	}
	t.write(w, "GFLOP/s of products of B rows with packed 512×512 weights, 1 thread")
	for _, r := range all {
		if r.Hole() {
			fmt.Fprintf(w, "warning: B = %d has %.1f GFLOP/s, %.0f %% of the %.1f that its neighbours lead to\n",
				r.B, r.GFLOPS, 100*r.GFLOPS/r.TrendGFLOPS, r.TrendGFLOPS)
		}
	}
}
