package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
)

func TestSameAsGonum(t *testing.T) {
	sizes := []options{
		{rows: 1000, columns: 60},
		{rows: 150, columns: 130},
		{rows: 400, columns: 33},
		{rows: 3, columns: 3},
	}
	for _, o := range sizes {
		for _, threads := range []int{1, 2, 3} {
			o.threads, o.seed = threads, 1
			t.Run(fmt.Sprintf("%dx%d/threads=%d", o.rows, o.columns, threads), func(t *testing.T) {
				before := blas64.Implementation()
				s, err := run(t.Output(), o)
				if err != nil {
					t.Fatal(err)
				}
				if !s.same {
					t.Error("the bits depend on the number of threads")
				}
				if d := s.difference; !(d.component <= 1e-11) || !(d.weight <= 1e-8) {
					t.Errorf("results differ from gonum's: %v", d)
				}
				if blas64.Implementation() != before {
					t.Error("the BLAS is another one afterwards")
				}
			})
		}
	}
}

func TestFindsTheTruth(t *testing.T) {
	s, err := run(io.Discard, options{rows: 20000, columns: 30, threads: 2, seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	// Sampling errors are about 1/√rows, divided by the gaps between the factors.
	if d := s.found; !(d.component <= 0.02) || !(d.weight <= 0.005) {
		t.Errorf("results differ from the truth: %v", d)
	}
}

func TestBadOptions(t *testing.T) {
	good := options{rows: 30, columns: 10, threads: 1}
	for _, c := range []struct {
		change func(o *options)
		want   string
	}{
		{func(o *options) { o.columns = 2 }, "-columns 2"},
		{func(o *options) { o.columns = -1 << 62 }, "-columns -"},
		{func(o *options) { o.rows = 9 }, "-rows 9"},
		{func(o *options) { o.rows = 1 << 60 }, "at most"},
		{func(o *options) { o.threads = -1 }, "-threads -1"},
		{func(o *options) { o.threads = 1 << 40 }, "-threads 1099511627776"},
	} {
		o := good
		c.change(&o)
		if _, err := run(io.Discard, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one about %q", o, err, c.want)
		}
	}
}

func TestOutput(t *testing.T) {
	var out strings.Builder
	if _, err := run(&out, options{rows: 30, columns: 10, threads: 2}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"30 rows of 10 columns", "principal components", "ridge regression", "times as fast", "1 thread and 2 threads give the same bits: true"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}
