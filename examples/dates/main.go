// Dates trains an encoder-decoder of characters. It reads a date in any common style
// and writes it as 1998-05-03:
//
//	go run ./examples/dates
//	go run ./examples/dates "Sunday, May 3rd, 1998" "25/12/24"
//
// It trains on five of every six days of a hundred years, and is tested on the others.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"batchrnn/kernels"
)

// sample is a date that is held out of training.
const sample = "the third of May 1998"

// tried is the number of dates in the test.
const tried = 2000

func main() {
	seed := flag.Uint64("seed", 1, "of the parameters and of all that is drawn")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: dates [-seed N] [DATE ...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(os.Stdout, *seed, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "dates:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, seed uint64, texts []string) error {
	for _, text := range texts { // mistakes show before the training
		if _, err := sourceIDs(text); err != nil {
			return err
		}
	}
	e, err := kernels.New("", 0)
	if err != nil {
		return err
	}
	defer e.Close()
	p, err := newNetwork(e, seed)
	if err != nil {
		return err
	}
	learnt, heldOut := days()
	start := time.Now()
	train(p, learnt, seed, func(updates int, loss float64) {
		fmt.Fprintf(out, "%4.1f s  %4d updates  %.4f nats/character\n", time.Since(start).Seconds(), updates, loss)
	})
	share := exact(p, draw(heldOut, tried, rand.New(rand.NewPCG(seed, 1))))
	fmt.Fprintf(out, "%.2f %% of %d dates that it has not seen are right\n", 100*share, tried)
	if len(texts) == 0 {
		texts = []string{sample, "Sun, 3 May 98", "May 3rd, 1998", "31.12.1999", "2/29/00"}
	}
	for _, text := range texts {
		iso, err := answer(p, text)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-36s %s\n", text, iso)
	}
	return nil
}
