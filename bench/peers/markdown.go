package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// A Report is the content of the Markdown page.
type Report struct {
	Facts   []Fact
	Missing []Missing
	Notes   []string
	Impls   []*Impl
	Rows    []*Row
	Peak    func(threads int) float64
}

// WriteMarkdown writes the page. It has one table for each kind of work and number of
// threads. Rows are workloads, columns are implementations.
func (p *Report) WriteMarkdown(out io.Writer) {
	fmt.Fprintf(out, "# batchrnn beside other libraries\n\n")
	for _, f := range p.Facts {
		fmt.Fprintf(out, "- %s: %s\n", f.Key, oneLine(f.Value))
	}
	for _, m := range p.Missing {
		fmt.Fprintf(out, "- **missing: %s** (%s); to install: `%s`\n", m.Name, oneLine(m.Why), m.Install)
	}
	fmt.Fprintf(out, `
Rates are those of the fastest round; in parentheses the share of the FMA peak
of as many threads. The last two columns are the speed of %s over that of the
best library of the row, of the fastest rounds and of the median ones: above 1
this project is ahead. Tables of ONNX models and of factorizations have two such
columns for each library. Those of BLAS have more, to gonum, to a loop that reads
the same memory, and to our own gemm. Those of int8 have two more, to our pass with
float32 weights. README.md says on which terms.
`, p.Impls[0].Name)

	var headings []string
	tables := map[string][]*Row{}
	for _, row := range p.Rows {
		h := heading(row)
		if tables[h] == nil {
			headings = append(headings, h)
		}
		tables[h] = append(tables[h], row)
	}
	for _, h := range headings {
		p.writeTable(out, h, tables[h])
	}
	if len(p.Notes) > 0 {
		fmt.Fprintf(out, "\n## Notes\n\n")
		for _, s := range p.Notes {
			fmt.Fprintf(out, "- %s\n", oneLine(s))
		}
	}
}

// heading describes what the rows of a table have in common.
func heading(r *Row) string {
	w := r.Workload
	_, unit := w.Rate(1)
	s := w.Bench()
	switch w.Kind {
	case "rnn", "int8", "streams":
		s += ", " + cmp.Or(w.Cell, w.Act)
	case "onnx":
		s += ", " + w.Model
	case "blas":
		s += ", " + w.Routine()
	}
	if w.Pack != "" {
		s += ", packed " + map[string]string{"before": "before", "each": "in each call"}[w.Pack]
	}
	s += fmt.Sprintf(", %d thread", r.Threads)
	if r.Threads != 1 {
		s += "s"
	}
	return s + ", " + unit
}

func (p *Report) writeTable(out io.Writer, heading string, rows []*Row) {
	var columns []*Impl
	for _, impl := range p.Impls {
		for _, row := range rows {
			if row.cell(impl) != nil {
				columns = append(columns, impl)
				break
			}
		}
	}
	// Each ratio is to the best of some libraries, or to a bound.
	kind := rows[0].Workload.Kind
	each := kind == "onnx" || kind == "lapack"
	var ratios []ratioColumn
	if !each {
		ratios = []ratioColumn{{"ratio", func(i *Impl) bool { return !i.Bound }}}
	}
	for _, impl := range columns {
		if each && !impl.Ours || impl.Bound || kind == "blas" && impl.Name == "gonum" {
			ratios = append(ratios, ratioColumn{"to " + impl.Name, func(i *Impl) bool { return i == impl }})
		}
	}
	fmt.Fprintf(out, "\n## %s\n\n| work |", heading)
	for _, impl := range columns {
		fmt.Fprintf(out, " %s |", impl.Name)
	}
	for _, c := range ratios {
		fmt.Fprintf(out, " %s | of medians |", c.name)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(columns)+2*len(ratios)))
	for _, row := range rows {
		fmt.Fprintf(out, "| %s |", strings.ReplaceAll(row.Workload.Name(), "/", " "))
		for _, impl := range columns {
			fmt.Fprintf(out, " %s |", p.cellText(row, impl))
		}
		for _, c := range ratios {
			fmt.Fprintf(out, " %s | %s |", row.ratio((*Cell).Min, c.of), row.ratio((*Cell).Median, c.of))
		}
		fmt.Fprintln(out)
	}
	if rows[0].Workload.Apart() {
		p.writeDifferences(out, rows)
	}
}

// A ratioColumn compares with the best of some libraries.
type ratioColumn struct {
	name string
	of   func(*Impl) bool
}

// writeDifferences writes how far the outputs of others are from ours in these rows.
func (p *Report) writeDifferences(out io.Writer, rows []*Row) {
	var all []string
	for _, impl := range p.Impls[1:] {
		diff, found := 0.0, false
		for _, row := range rows {
			if c := row.cell(impl); c != nil {
				diff, found = max(diff, c.Diff), true
			}
		}
		if found {
			all = append(all, fmt.Sprintf("%s %.1e", impl.Name, diff))
		}
	}
	if all != nil {
		fmt.Fprintf(out, "\nGreatest difference from %s: %s.\n", p.Impls[0].Name, strings.Join(all, ", "))
	}
}

func (p *Report) cellText(row *Row, impl *Impl) string {
	c := row.cell(impl)
	if c == nil {
		return "–"
	}
	ns := c.Min()
	rate, _ := row.Workload.Rate(ns)
	s := fmt.Sprintf("%.4g", rate)
	if rate >= 1e4 {
		s = fmt.Sprintf("%.0f", rate)
	}
	if flops, peak := row.Workload.Flops(), p.Peak(row.Threads); flops > 0 && peak > 0 {
		s += fmt.Sprintf(" (%.0f %%)", row.Workload.share(ns, peak))
	}
	return s
}

func (r *Row) cell(impl *Impl) *Cell {
	for _, c := range r.Cells {
		if c.Impl == impl {
			return c
		}
	}
	return nil
}

// ratio returns the time of the best of some libraries over ours. Ours is that of the
// instruction set that the dispatch picks, the first of ours.
func (r *Row) ratio(time func(*Cell) float64, of func(*Impl) bool) string {
	var ours, best float64
	for _, c := range r.Cells {
		t := time(c)
		switch {
		case c.Impl.Ours:
			if ours == 0 {
				ours = t
			}
		case of(c.Impl) && (best == 0 || t < best):
			best = t
		}
	}
	if ours == 0 || best == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", best/ours)
}
