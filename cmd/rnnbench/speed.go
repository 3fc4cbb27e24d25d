package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"batchrnn/bench/speed"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
	"batchrnn/rnn"
)

type speedCommand struct {
	Cell       *string        `placeholder:"NAME" help:"Cells of the networks: rnn, the vanilla one, lstm, gru, gru-reset-before; several with commas between them (default ${speedCell})."`
	Threads    []int          `placeholder:"N" help:"Threads to measure on, several with commas between them (default: one, and as many as there are cores)."`
	Hidden     []int          `placeholder:"H" help:"Widths of the DeepBench networks (default ${speedHidden}), of gated ones (default ${gatedHidden}), or of those beside others (default ${neighbourHidden})."`
	Batch      []int          `placeholder:"B" help:"Batches of the DeepBench networks (default ${speedBatch}), of gated ones (default ${gatedBatch}), or of those beside others (default ${neighbourBatch})."`
	Time       *time.Duration `placeholder:"TIME" help:"Time to measure each row for, at least three runs, and as much for the peak beside it (default ${speedTime}; with --neighbours ${neighbourTime} for each row)."`
	Batches    bool           `help:"Measure products of every batch from 1 to 130 too."`
	Neighbours bool           `help:"Measure passes of one worker and of the largest number of --threads beside others instead: busy processes, a busy goroutine, other callers."`
	Assert     *float64       `placeholder:"PERCENT" help:"Fail if a DeepBench row reaches less than this share of the multiply-add peak, such as 90."`
	JSON       jsonFlag       `name:"json" placeholder:"[FILE]" help:"${json}"`
}

// Defaults of the flags.
const speedCell = "rnn,lstm,gru"

var (
	gatedHidden, gatedBatch      = []int{256, 512, 1024}, []int{32}
	speedHidden, neighbourHidden = []int{1760, 2048, 2560}, []int{32, 128, 256, 512, 1760}
	speedBatch, neighbourBatch   = []int{16, 32, 64, 128}, []int{1, 8, 64}
)

const speedTime, neighbourTime = 300 * time.Millisecond, 700 * time.Millisecond

// speedVars returns the defaults for the help.
func speedVars() kong.Vars {
	return kong.Vars{
		"speedCell": speedCell, "gatedHidden": figures.List(gatedHidden, ","), "gatedBatch": figures.List(gatedBatch, ","),
		"speedHidden": figures.List(speedHidden, ","), "neighbourHidden": figures.List(neighbourHidden, ","),
		"speedBatch": figures.List(speedBatch, ","), "neighbourBatch": figures.List(neighbourBatch, ","),
		"speedTime": speedTime.String(), "neighbourTime": neighbourTime.String(),
	}
}

// Help returns the text that kong prints below the summary.
func (*speedCommand) Help() string {
	return `Measures passes through networks of DeepBench's sizes, of small ones and of gated cells, a training step of each cell, matrix products and single steps, as GFLOP/s and as a share of the peak of multiply-adds on as many threads, timed in turns with each row. The best run counts, for others on the machine can only make a run slower; the median stands beside it.

--neighbours measures forward passes where others run too: beside nothing (quiet), a busy process, one of niceness 19, a busy goroutine; with GOMAXPROCS lowered to 1 after the engine was made; with two engines; with 8 callers of one engine. One worker and all take turns. The mean counts stalls. Marks are at least ` + fmt.Sprint(speed.LeastThroughput) + ` of one worker's throughput and at most ` + fmt.Sprint(speed.MostP99) + ` times its 99th percentile.

The default takes two to three minutes on two cores, --neighbours about three. Ctrl-C, SIGTERM and SIGHUP print what has been measured until then.`
}

// Run is called by kong.
func (c *speedCommand) Run(env *environment) error {
	if c.Neighbours {
		return c.runNeighbours(env)
	}
	assert := *cmp.Or(c.Assert, new(float64))
	if !(assert >= 0) {
		return option.Misuse("--assert", "%v is no share of the peak: give a percentage such as 90", assert)
	}
	list, err := given("--cell", c.Cell)
	if err != nil {
		return err
	}
	cells, err := parseCells(cmp.Or(list, speedCell))
	if err != nil {
		return err
	}
	if c.Assert != nil && !slices.Contains(cells, rnn.Vanilla) {
		return option.Misuse("--assert", "the DeepBench rows are of rnn cells: add rnn to --cell, or leave it out")
	}
	options := speed.Options{
		Cells: cells, GatedHidden: orDefault(c.Hidden, gatedHidden), GatedBatch: orDefault(c.Batch, gatedBatch),
		Threads: orDefault(c.Threads, slices.Compact([]int{1, cores()})), Hidden: orDefault(c.Hidden, speedHidden), Batch: orDefault(c.Batch, speedBatch),
		Time: *cmp.Or(c.Time, new(speedTime)), Batches: c.Batches,
	}
	flags := []string{set("cell", cellNames(cells)), set("threads", figures.List(options.Threads, ","))}
	if c.Hidden != nil {
		flags = append(flags, set("hidden", figures.List(c.Hidden, ",")))
	}
	if c.Batch != nil {
		flags = append(flags, set("batch", figures.List(c.Batch, ",")))
	}
	flags = append(flags, set("time", options.Time.String()))
	if c.Batches {
		flags = append(flags, "--batches")
	}
	options.Command = asTyped("speed", flags...)
	s, err := speed.NewSpeed(options)
	if err != nil {
		return err
	}
	defer s.Close()
	var result speed.Result
	err = c.measure(env, s, &result, printSpeed)
	below := result.Below(assert)
	for _, r := range below {
		fmt.Fprintf(env.stderr, "H %d, B %d, %s, %s: %.1f %% of peak\n", r.H, r.B, figures.Plural(r.Threads, "thread"), r.Pass, r.PercentPeak)
	}
	if len(below) > 0 {
		err = errors.Join(err, fmt.Errorf("--assert: %d of the DeepBench rows are below %v %% of the multiply-add peak", len(below), assert))
	}
	return err
}

// runNeighbours is Run with --neighbours.
func (c *speedCommand) runNeighbours(env *environment) error {
	switch {
	case c.Cell != nil:
		return option.Misuse("--cell", "--neighbours measures vanilla cells: leave one of them out")
	case c.Assert != nil:
		return option.Misuse("--assert", "--neighbours measures no DeepBench row: leave one of them out")
	case c.Batches:
		return option.Misuse("--batches", "--neighbours measures no products: leave one of them out")
	}
	options := speed.NeighbourOptions{
		Threads: c.Threads, Hidden: orDefault(c.Hidden, neighbourHidden), Batch: orDefault(c.Batch, neighbourBatch),
		Time: *cmp.Or(c.Time, new(neighbourTime)),
	}
	flags := []string{"--neighbours"}
	if c.Threads != nil {
		flags = append(flags, set("threads", figures.List(c.Threads, ",")))
	}
	flags = append(flags, set("hidden", figures.List(options.Hidden, ",")), set("batch", figures.List(options.Batch, ",")), set("time", options.Time.String()))
	options.Command = asTyped("speed", flags...)
	n, err := speed.NewNeighbours(options)
	if err != nil {
		return err
	}
	defer n.Close()
	var result speed.Result
	return c.measure(env, n, &result, printNeighbours)
}

// orDefault returns the value of a flag, or otherwise if it was not given.
func orDefault(flag, otherwise []int) []int {
	if flag == nil {
		return otherwise
	}
	return flag
}

// measure runs m, puts the measurements into result and prints it.
func (c *speedCommand) measure(env *environment, m interface {
	Heading() speed.Result
	Run(ctx context.Context, on func(nth, of int, name string)) speed.Result
}, result *speed.Result, print func(io.Writer, speed.Result)) error {
	heading := m.Heading()
	return measurement{
		json: c.JSON, machine: heading.Machine, command: heading.Command,
		run: func(ctx context.Context, on func(nth, of int, name string)) (any, bool) {
			*result = m.Run(ctx, on)
			return *result, result.Interrupted
		},
		print: func(w io.Writer) { print(w, *result) },
	}.do(env)
}

// printSpeed prints a table for each kind of row.
func printSpeed(w io.Writer, r speed.Result) {
	kinds := map[string][]speed.Row{}
	for _, row := range r.Rows {
		kinds[row.Kind] = append(kinds[row.Kind], row)
	}
	printDeepBench(w, kinds[speed.KindDeepBench])
	printGated(w, kinds[speed.KindGated])
	printMarks(w, append(kinds[speed.KindForward], kinds[speed.KindTrain]...))
	printGemms(w, kinds[speed.KindGemm])
	printSteps(w, kinds[speed.KindStep])
	printSingles(w, kinds[speed.KindSingle])
	printBatches(w, kinds[speed.KindBatch])
}

func printDeepBench(w io.Writer, rows []speed.Row) {
	t := figures.Table{{"H", "B", "threads", "pass", "GFLOP/s", "median", "peak", "% peak", "median"}}
	for _, r := range rows {
		t.Add(strconv.Itoa(r.H), strconv.Itoa(r.B), strconv.Itoa(r.Threads), passName(r.Pass),
			figures.Decimals(r.GFLOPS, 1), figures.Decimals(r.MedianGFLOPS, 1), figures.Decimals(r.PeakGFLOPS, 1),
			figures.Decimals(r.PercentPeak, 1), figures.Decimals(r.PercentMedian, 1))
	}
	writeTable(w, "DeepBench's vanilla RNN: ReLU, T = 50, without the input product, packing of the weights included", 3, t, 3)
}

// passName returns how tables name a pass.
func passName(pass string) string {
	if pass == speed.PassBoth {
		return "both ways"
	}
	return pass
}

func printGated(w io.Writer, rows []speed.Row) {
	t := figures.Table{{"cell", "H", "B", "threads", "pass", "GFLOP/s", "median", "peak", "% peak", "median"}}
	for _, r := range rows {
		t.Add(r.Cell, strconv.Itoa(r.H), strconv.Itoa(r.B), strconv.Itoa(r.Threads), passName(r.Pass),
			figures.Decimals(r.GFLOPS, 1), figures.Decimals(r.MedianGFLOPS, 1), figures.Decimals(r.PeakGFLOPS, 1),
			figures.Decimals(r.PercentPeak, 1), figures.Decimals(r.PercentMedian, 1))
	}
	writeTable(w, "Gated cells, T = 50, products counted, without the input product, packing of the weights included", 5, t, 0, 4)
}

func printMarks(w io.Writer, rows []speed.Row) {
	t := figures.Table{{"work", "cell", "H", "B", "T", "threads", "GFLOP/s", "median", "% peak", "median", "tokens/s"}}
	step := ""
	for _, r := range rows {
		name, cell, tokens := "forward", rnn.Vanilla.String(), figures.None
		if r.Kind == speed.KindTrain {
			name, cell, tokens = "train", r.Cell, figures.Rate(r.TokensPerSecond)
			step = fmt.Sprintf("; training steps with V %d, Adam, clipping", r.V)
		}
		t.Add(name, cell, strconv.Itoa(r.H), strconv.Itoa(r.B), strconv.Itoa(r.T), strconv.Itoa(r.Threads), figures.Decimals(r.GFLOPS, 1), figures.Decimals(r.MedianGFLOPS, 1),
			figures.Decimals(r.PercentPeak, 1), figures.Decimals(r.PercentMedian, 1), tokens)
	}
	writeTable(w, "Smaller networks, weights packed before the forward passes"+step, 6, t, 0, 1)
}

func printGemms(w io.Writer, rows []speed.Row) {
	t := figures.Table{{"set", "H", "B", "GFLOP/s", "median", "peak", "% of peak", "median"}}
	for _, r := range rows {
		t.Add(r.ISA, strconv.Itoa(r.H), strconv.Itoa(r.B), figures.Decimals(r.GFLOPS, 1), figures.Decimals(r.MedianGFLOPS, 1), figures.Decimals(r.PeakGFLOPS, 1),
			figures.Decimals(r.PercentPeak, 1), figures.Decimals(r.PercentMedian, 1))
	}
	writeTable(w, "Products of B rows with packed H×H weights, bias and tanh, 1 thread", 3, t, 0)
}

func printSteps(w io.Writer, rows []speed.Row) {
	t := figures.Table{{"H", "steps a call", "µs a step"}}
	for _, r := range rows {
		t.Add(strconv.Itoa(r.H), strconv.Itoa(r.T), figures.Decimals(1e6*r.SecondsPerStep, 3))
	}
	writeTable(w, "One row step by step, B = 1, tanh, 1 thread", 2, t)
}

func printSingles(w io.Writer, rows []speed.Row) {
	t := figures.Table{{"H", "GFLOP/s", "GB/s", "read GB/s", "% of read"}}
	for _, r := range rows {
		t.Add(strconv.Itoa(r.H), figures.Decimals(r.GFLOPS, 1), figures.Decimals(r.GBPerSecond, 1), figures.Decimals(r.ReadGBPerSecond, 1), figures.Decimals(r.PercentRead, 1))
	}
	writeTable(w, "Products of one row, B = 1, beside a plain read of the same packed weights (their sum of squares), 1 thread", 1, t)
}

// batchesPerLine is the number of batches in a line of the table.
const batchesPerLine = 10

func printBatches(w io.Writer, rows []speed.Row) {
	head := []string{"B"}
	for i := range batchesPerLine {
		head = append(head, fmt.Sprintf("+%d", i))
	}
	t := figures.Table{head}
	all := rows
	for len(rows) > 0 {
		line := []string{strconv.Itoa(rows[0].B)}
		n := min(batchesPerLine, len(rows))
		for _, r := range rows[:n] {
			line = append(line, figures.Decimals(r.GFLOPS, 1))
		}
		t.Add(line...)
		rows = rows[n:]
	}
	writeTable(w, "GFLOP/s of products of B rows with packed 512×512 weights, 1 thread", 1, t)
	for _, r := range all {
		if r.Hole() {
			fmt.Fprintf(w, "warning: B = %d has %.1f GFLOP/s, %.0f %% of the %.1f that its neighbours lead to\n",
				r.B, r.GFLOPS, 100*r.GFLOPS/r.TrendGFLOPS, r.TrendGFLOPS)
		}
	}
}
