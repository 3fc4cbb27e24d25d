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

// WriteFolded is Write for a table that may be wider than width columns. Then it writes
// the columns in several tables, one below the other with an empty line between them.
// Each begins with the first keys columns, which tell the rows apart.
func (t Table) WriteFolded(w io.Writer, width, keys int, indent, gap string, left ...int) {
	widths := t.widths()
	for from := keys; from < len(widths); {
		columns := make([]int, keys, len(widths))
		room := width - utf8.RuneCountInString(indent)
		for i := range keys {
			columns[i] = i
			room -= widths[i] + len(gap)
		}
		to := from
		for ; to < len(widths) && (to == from || widths[to] <= room); to++ {
			columns = append(columns, to)
			room -= widths[to] + len(gap)
		}
		if from > keys {
			fmt.Fprintln(w)
		}
		t.columns(columns).Write(w, indent, gap, places(columns, left)...)
		from = to
	}
}

// columns returns the table of some columns.
func (t Table) columns(columns []int) (part Table) {
	for _, row := range t {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = row[c]
		}
		part.Add(cells...)
	}
	return part
}

// places returns where in columns the values of left are.
func places(columns, left []int) (at []int) {
	for i, c := range columns {
		if slices.Contains(left, c) {
			at = append(at, i)
		}
	}
	return at
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

// Screen is the width of a screen, which text fits, in columns.
const Screen = 80

// Paragraph writes a label of the given width and a text, in lines that fit a screen. All
// lines but the first are indented by the width of the label.
func Paragraph(w io.Writer, label int, name, text string) {
	fmt.Fprintf(w, "%-*s%s\n", label, name, Wrap(text, strings.Repeat(" ", label), Screen-label))
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
