// Command mutants makes small changes to packages, one at a time, and lists the changes
// that their tests don't notice. The changed file is an overlay: the tree stays as it
// is.
//
//	go run ./internal/mutants -n 40 -seed 1 ./kernels ./rnn
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var (
	count = flag.Int("n", 20, "mutants of each package that build; 0: all")
	seed  = flag.Uint64("seed", 1, "of the sample")
	skip  = flag.String("skip", "", "tests to leave out, as in go test; others run with -short")
)

func main() {
	flag.Parse()
	list := exec.Command("go", append([]string{"list"}, flag.Args()...)...)
	list.Stderr = os.Stderr
	packages, err := list.Output()
	for _, pkg := range strings.Fields(string(packages)) {
		if err == nil {
			err = mutate(pkg)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// mutate tests a sample of a package's mutants.
func mutate(pkg string) error {
	out, err := exec.Command("go", "list", "-f", "{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}\n{{end}}", pkg).Output()
	if err != nil {
		return err
	}
	var all []mutant
	for _, path := range strings.Fields(string(out)) {
		found, err := mutantsOf(path)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil
	}
	unchanged, start := all[0], time.Now()
	unchanged.to = unchanged.from
	unchanged.by = ""
	if got, err := unchanged.test(pkg, time.Hour); got != alive {
		return fmt.Errorf("the tests of %s fail on what is to be changed (%v)", pkg, err)
	}
	limit := 5*time.Since(start) + 10*time.Second

	r := rand.New(rand.NewPCG(*seed, 0))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var tested int
	var fates [unbuilt + 1]int
	for _, m := range all {
		if *count > 0 && tested == *count {
			break
		}
		got, err := m.test(pkg, limit)
		if err != nil {
			return err
		}
		if fates[got]++; got != unbuilt {
			tested++
		}
		switch got {
		case alive:
			fmt.Printf("survived: %v\n", m)
		case late:
			fmt.Printf("took longer than %v: %v\n", limit.Round(time.Second), m)
		}
	}
	fmt.Printf("%s: of %d mutants %d failed a test, %d took too long, %d survived; there are %d\n",
		pkg, tested, fates[dead], fates[late], fates[alive], len(all))
	return nil
}

// A mutant is a file with one part replaced.
type mutant struct {
	path     string
	line     int
	src      []byte
	from, to int // the replaced bytes
	by       string
}

func (m mutant) String() string {
	dir, err := os.Getwd()
	if err == nil {
		dir, err = filepath.Rel(dir, m.path)
	}
	if err != nil {
		dir = m.path
	}
	return fmt.Sprintf("%s:%d: %q becomes %q", dir, m.line, m.src[m.from:m.to], m.by)
}

// mutantsOf lists the mutants of a file.
func mutantsOf(path string) (all []mutant, err error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, src, 0)
	if err != nil {
		return nil, err
	}
	at := func(p token.Pos) int { return files.Position(p).Offset }
	text := func(n ast.Node) string { return string(src[at(n.Pos()):at(n.End())]) }
	replace := func(from, to token.Pos, by string) {
		all = append(all, mutant{path, files.Position(from).Line, src, at(from), at(to), by})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			for _, by := range operators[n.Op] {
				replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), by)
			}
		case *ast.IfStmt:
			replace(n.Cond.Pos(), n.Cond.End(), "!("+text(n.Cond)+")")
		case *ast.ReturnStmt:
			if len(n.Results) == 1 && (text(n.Results[0]) == "true" || text(n.Results[0]) == "false") {
				replace(n.Results[0].Pos(), n.Results[0].End(), "!"+text(n.Results[0]))
			}
		case *ast.IncDecStmt, *ast.ExprStmt, *ast.BranchStmt:
			replace(n.Pos(), n.End(), "")
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				replace(n.Pos(), n.End(), "")
			}
		}
		return true
	})
	return all, nil
}

// operators lists the replacements of each operator.
var operators = map[token.Token][]string{
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.EQL: {"!="}, token.NEQ: {"=="}, token.LAND: {"||"}, token.LOR: {"&&"},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.SHL: {">>"}, token.SHR: {"<<"}, token.AND: {"|"}, token.OR: {"&"},
}

type fate int

const (
	dead fate = iota
	late
	alive
	unbuilt
)

// test runs the package's tests on a mutant, for at most limit.
func (m mutant) test(pkg string, limit time.Duration) (fate, error) {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	changed, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {m.path: changed}})
	if err != nil {
		return 0, err
	}
	body := string(m.src[:m.from]) + m.by + string(m.src[m.to:])
	if err := errors.Join(os.WriteFile(changed, []byte(body), 0o666), os.WriteFile(overlay, replace, 0o666)); err != nil {
		return 0, err
	}
	binary := filepath.Join(dir, "mutant.test")
	if exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, pkg).Run() != nil {
		return unbuilt, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.short", "-test.failfast", "-test.skip", *skip)
	cmd.Dir = filepath.Dir(m.path)
	switch err := cmd.Run(); {
	case err == nil:
		return alive, nil
	case ctx.Err() != nil:
		return late, nil
	}
	return dead, nil
}
