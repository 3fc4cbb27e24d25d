package figures

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Table is rows of equally many cells.
type Table [][]string

// Add appends a row.
func (t *Table) Add(cells ...string) { *t = append(*t, cells) }

// Write writes each row on a line after indent, with gap between its cells. The columns
// in left are aligned left, the others right.
func (t Table) Write(w io.Writer, indent, gap string, left ...int) {
	width := t.widths()
	for _, row := range t {
		line := indent
		for i, cell := range row {
			if i > 0 {
				line += gap
			}
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if slices.Contains(left, i) {
				line += cell + pad
			} else {
				line += pad + cell
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// Width returns the number of columns of text in a line with the given gap.
func (t Table) Width(gap string) int {
	total := -len(gap)
	for _, w := range t.widths() {
		total += len(gap) + w
	}
	return total
}

func (t Table) widths() []int {
	width := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	return width
}

// Wrap breaks text at spaces into lines of at most width columns. All lines but the
// first begin with indent.
func Wrap(text, indent string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
