package kernels

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// TestStopPoints: every loop around a call into assembly has a place where the
// runtime can stop the goroutine, or a bound that is said to be short.
func TestStopPoints(t *testing.T) {
	files := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	loops := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "probe.go" || name == "handover.go" {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			body := loopBody(n)
			if body == nil || !entersAssembly(body) {
				return true
			}
			loops++
			if !calls(body, "stopPoint", "callEnd") {
				t.Errorf("%v: this loop enters assembly, and the runtime can't stop it", files.Position(n.Pos()))
			}
			return true
		})
	}
	if loops < 15 {
		t.Errorf("%d loops enter assembly, want 15 and more: the test looks in the wrong place", loops)
	}
}

func loopBody(n ast.Node) *ast.BlockStmt {
	switch n := n.(type) {
	case *ast.ForStmt:
		return n.Body
	case *ast.RangeStmt:
		return n.Body
	}
	return nil
}

// entersAssembly says whether a block calls a kernel itself: a field of set, as this
// package names a Set, or f, as it names a kernel that it has chosen. Loops within it
// answer for themselves.
func entersAssembly(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if n != body && loopBody(n) != nil {
			return false
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch f := call.Fun.(type) {
		case *ast.Ident:
			found = found || f.Name == "f"
		case *ast.SelectorExpr:
			switch of := f.X.(type) {
			case *ast.Ident:
				found = found || of.Name == "set"
			case *ast.SelectorExpr:
				found = found || of.Sel.Name == "set"
			}
		}
		return true
	})
	return found
}

func calls(body *ast.BlockStmt, names ...string) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.Ident); ok {
				found = found || slices.Contains(names, f.Name)
			}
		}
		return !found
	})
	return found
}

// TestStopTheWorld: a stop of the world waits for a few calls into assembly, not for
// the operation around them. Adam tells how far it is by what it has written.
func TestStopTheWorld(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("needs two processors: one that works, and one that stops it")
	}
	const calls = 1500
	const n = calls * elementsPerCall
	e := open(t, "", 1)
	p, g, m, v := Floats(n), Floats(n), Floats(n), Floats(n)
	var step AdamStep
	step.Set(1, 1, 1, 0.9, 0.999, 1)
	done := func() int { // calls that have been finished
		return slices.IndexFunc(seq(calls), func(i int) bool {
			return atomic.LoadUint32(word(&p[(i+1)*elementsPerCall-1])) == 0
		})
	}
	for i := range g {
		g[i] = 1
	}
	fewest, measured := calls, 0
	for range 50 {
		if measured == 5 {
			break
		}
		clear(p)
		var ended atomic.Bool
		go func() {
			e.Adam(p, g, m, v, &step)
			ended.Store(true)
		}()
		for done() < calls/10 && !ended.Load() {
			time.Sleep(50 * time.Microsecond)
		}
		before := done()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats) // stops the world
		after := done()
		for !ended.Load() {
			time.Sleep(time.Millisecond)
		}
		if before < 0 || before > calls/2 {
			continue // too late to tell
		}
		if after < 0 {
			after = calls
		}
		fewest, measured = min(fewest, after-before), measured+1
	}
	if measured == 0 {
		t.Skip("the stops came after the operations: the machine is too busy")
	}
	if fewest > calls/10 {
		t.Errorf("Adam went on for %d of %d calls before the world stood still", fewest, calls)
	}
	t.Logf("%d of %d calls", fewest, calls)
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// word is the memory of x, to be read while another goroutine writes it.
func word(x *float32) *uint32 { return (*uint32)(unsafe.Pointer(x)) }
