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
