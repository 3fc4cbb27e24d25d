// Gonum is an ordinary gonum program: a principal component analysis by stat.PC, and a
// ridge regression by the Cholesky factors of the normal equations. It runs on gonum's
// own BLAS, and then on this module's kernels, for which one line is enough:
//
//	blas64.Use(blas.New(engine))
//
// It prints both times, their ratio, and how far the results differ:
//
//	go run ./examples/gonum
//	go run ./examples/gonum -rows 4000 -columns 800 -threads 2
//
// Each row of its data is a mix of a few factors with noise. So it knows the components
// and the weights that the programs must find.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"

	"batchrnn/internal/figures"
	"batchrnn/kernels"
	"batchrnn/kernels/blas"
)

type options struct {
	rows, columns, threads int
	seed                   uint64
}

func main() {
	var o options
	flag.IntVar(&o.rows, "rows", 2000, "`number` of observations")
	flag.IntVar(&o.columns, "columns", 400, "`number` of variables, from 3 to the rows")
	flag.IntVar(&o.threads, "threads", 0, "threads of the kernels; 0 is all cores")
	flag.Uint64Var(&o.seed, "seed", 1, "of the data")
	flag.Parse()
	err := fmt.Errorf("%q is no flag: see -help", flag.Arg(0))
	if flag.NArg() == 0 {
		_, err = run(os.Stdout, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gonum:", err)
		os.Exit(1)
	}
}

const (
	most = 1 << 27 // values in the data: 1 GiB
	runs = 3       // the fastest counts
)

func (o *options) check() error {
	switch {
	case o.columns < factors:
		return fmt.Errorf("-columns %d: at least %d", o.columns, factors)
	case o.rows < o.columns:
		return fmt.Errorf("-rows %d: at least the %d columns", o.rows, o.columns)
	case o.rows > most/o.columns:
		return fmt.Errorf("-rows %d -columns %d: at most %d values", o.rows, o.columns, most)
	case o.threads < 0 || o.threads > kernels.MaxThreads:
		return fmt.Errorf("-threads %d: 0 to %d", o.threads, kernels.MaxThreads)
	}
	return nil
}

// A summary says how far results are from each other and from the truth.
type summary struct {
	difference differences // the kernels' results from gonum's
	found      differences // the kernels' results from the truth
	same       bool        // 1 thread and all give the same bits
}

// run analyses the data on gonum's BLAS, on one thread of the kernels and on all, in turns.
func run(out io.Writer, o options) (summary, error) {
	if err := o.check(); err != nil {
		return summary{}, err
	}
	one, err := kernels.New("", 1)
	if err != nil {
		return summary{}, err
	}
	defer one.Close()
	all, err := kernels.New("", o.threads)
	if err != nil {
		return summary{}, err
	}
	defer all.Close()
	defer blas64.Use(blas64.Implementation()) // before the engines are closed

	names := []string{"gonum", "1 thread", figures.Plural(all.Threads(), "thread")}
	lines := []func(){
		func() { blas64.Use(gonum.Implementation{}) },
		func() { blas64.Use(blas.New(one)) },
		func() { blas64.Use(blas.New(all)) },
	}
	d := makeData(&o)
	results := make([]*result, len(lines))
	var fastest [3][tasks]time.Duration
	for i := range runs {
		for j, use := range lines {
			use()
			r, err := analyse(d)
			if err != nil {
				return summary{}, fmt.Errorf("%s: %w", names[j], err)
			}
			results[j] = r
			for k, t := range r.took {
				if i == 0 || t < fastest[j][k] {
					fastest[j][k] = t
				}
			}
		}
	}

	fmt.Fprintf(out, "%d rows of %d columns, kernels of %s, the fastest of %d runs\n", o.rows, o.columns, all.ISA(), runs)
	table := figures.Table{append([]string{""}, names...)}
	for k, task := range []string{"principal components", "ridge regression"} {
		cells := []string{task}
		for j := range names {
			cell := figures.Seconds(fastest[j][k].Seconds())
			if j > 0 {
				cell += ", " + figures.Ratio(fastest[0][k].Seconds()/fastest[j][k].Seconds()) + " times as fast"
			}
			cells = append(cells, cell)
		}
		table.Add(cells...)
	}
	table.Write(out, "", "  ", 0)

	s := summary{
		difference: results[0].from(results[2]),
		found:      results[2].from(&d.truth),
		same:       slices.Equal(results[1].bits(), results[2].bits()),
	}
	fmt.Fprintf(out, "largest difference from gonum's: %v\n", s.difference)
	fmt.Fprintf(out, "largest difference from the truth: %v\n", s.found)
	fmt.Fprintf(out, "%s and %s give the same bits: %v\n", names[1], names[2], s.same)
	return s, nil
}
