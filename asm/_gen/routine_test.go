package main

import (
	"strings"
	"testing"

	"github.com/mmcloughlin/avo/pass"
)

func TestCallSpares(t *testing.T) {
	set, err := parseSet("../set.go")
	if err != nil {
		t.Fatal(err)
	}
	g := newGen(avx2, set)
	defer func() {
		if message, _ := recover().(string); !strings.Contains(message, "Y7, which has to survive") {
			t.Errorf("panic says %q", message)
		}
	}()
	g.call("halfTile", nil, cells(2, g.vec), g.vec[7:9])
}

// TestCheckCalls breaks what routines and calls declare.
func TestCheckCalls(t *testing.T) {
	set, err := parseSet("../set.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []isa{avx2, avx512} {
		for _, test := range []struct {
			name, want string
			temporary  int  // vector that lives across the call
			reads      int  // vector that the routine reads, -1 for none
			writes     int  // vector that the routine writes
			otherCells bool // the caller's are not the routine's
		}{
			{"right", "", 8, -1, 3, false},
			{"a temporary in scratch", "destroys", 2, -1, 3, false},
			{"a temporary in an unused cell", "destroys", 1, -1, 3, false},
			{"an argument undeclared", "reads", 8, 9, 3, false},
			{"scratch undeclared", "writes", 8, -1, 9, false},
			{"other cells", "works on", 12, -1, 3, true},
		} {
			g := newGen(i, set)
			cs := cells(2, g.vec)
			used := cs
			if test.otherCells {
				used = cells(2, g.vec[4:])
			}
			g.kernel("scale", "", "Scale", "is a caller.")
			x := g.base("x")
			g.VMOVUPS(at(x, 0), g.vec[test.temporary])
			g.VMOVUPS(at(x, 0), used[0].x)
			g.call("halfTile"+g.name, used[:1], used, nil)
			g.VMOVUPS(used[0].x, at(x, 0))
			g.VMOVUPS(g.vec[test.temporary], at(x, 0))
			g.finish()
			g.routine("halfTile", "is a routine.", cs)
			if test.reads >= 0 {
				g.VMOVAPS(g.vec[test.reads], g.vec[test.writes])
			}
			g.VADDPS(cs[0].x, cs[1].x, g.vec[test.writes])
			g.RET()
			f, err := g.Result()
			if err == nil {
				err = pass.Compile.Execute(f)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := g.checkCalls(f); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s: error %v, want one with %q", i.name, test.name, err, test.want)
			}
		}
	}
}
