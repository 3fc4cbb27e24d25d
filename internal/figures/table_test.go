package figures

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	table := Table{{"name", "µs", "note"}}
	table.Add("a", "12.5", "")
	table.Add("long name", "7", "slow")
	var b strings.Builder
	table.Write(&b, ">", "  ", 0, 2)
	if want := ">name         µs  note\n>a          12.5\n>long name     7  slow\n"; b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if got, want := table.Width("  "), len("long name  12.5  note"); got != want {
		t.Errorf("width %d, want %d", got, want)
	}
}

// TestFoldedTable: each part fits, begins with the keys, and all columns are there once.
func TestFoldedTable(t *testing.T) {
	table := Table{{"name", "T", "first", "second", "third"}}
	table.Add("a", "10", "1", "2", "3")
	const (
		whole = " name   T  first  second  third\n a     10      1       2      3\n"
		two   = " name   T  first  second\n a     10      1       2\n\n name   T  third\n a     10      3\n"
		three = " name   T  first\n a     10      1\n\n name   T  second\n a     10       2\n\n name   T  third\n a     10      3\n"
	)
	for width, want := range map[int]string{80: whole, 31: whole, 30: two, 24: two, 23: three, 3: three} { // a column never breaks
		var b strings.Builder
		table.WriteFolded(&b, width, 2, " ", "  ", 0)
		if b.String() != want {
			t.Errorf("width %d:\n%swant\n%s", width, b.String(), want)
		}
	}
}
