package rnn

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoopsCanBeStopped: no loop clears or copies by the builtin functions. They are
// assembly, in which the runtime can't stop the goroutine, and a loop of them is in Go
// code for a few nanoseconds a turn: clearing the gradient of 42,000 embeddings held up
// stops of the world for 12 ms. The engine's Clear and Copy can be stopped.
func TestLoopsCanBeStopped(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files, stoppable := token.NewFileSet(), 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.ForStmt, *ast.RangeStmt, *ast.FuncLit: // such functions are called in loops
			default:
				return true
			}
			ast.Inspect(n, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				switch f := call.Fun.(type) {
				case *ast.Ident:
					if f.Name == "clear" || f.Name == "copy" {
						t.Errorf("%v: %s in a loop: take the engine's", files.Position(call.Pos()), f.Name)
					}
				case *ast.SelectorExpr:
					if f.Sel.Name == "Clear" || f.Sel.Name == "Copy" {
						stoppable++
					}
				}
				return true
			})
			return false
		})
	}
	if stoppable < 15 {
		t.Errorf("%d loops clear and copy, want 15 and more: the test looks in the wrong place", stoppable)
	}
}
