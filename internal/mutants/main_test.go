package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestMutantsOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.go")
	const src = "package a\n\nfunc f(x int) bool {\n\tx++\n\tif x < 2 && x != 1 {\n\t\treturn true\n\t}\n\tx = g(x)\n\ty := x\n\treturn y == 3\n}\n"
	if err := os.WriteFile(path, []byte(src), 0o666); err != nil {
		t.Fatal(err)
	}
	all, err := mutantsOf(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, string(m.src[m.from:m.to])+" → "+m.by)
	}
	want := []string{"x++ → ", "x < 2 && x != 1 → !(x < 2 && x != 1)", "&& → ||", "< → <=", "< → >=", "!= → ==", "true → !true", "x = g(x) → ", "== → !="}
	if !slices.Equal(got, want) {
		t.Errorf("mutants %q, want %q", got, want)
	}
}

// TestFates builds mutants of a package whose test notices one change of two and never ends after a third.
func TestFates(t *testing.T) {
	if testing.Short() {
		t.Skip("builds four test programs; -short leaves it out")
	}
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":    "module a\n\ngo 1.26\n",
		"a.go":      "package a\n\nfunc f(x int) bool { return x < 2 }\n\nfunc g() { for { break } }\n",
		"a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {\n\tg()\n\tif !f(1) {\n\t\tt.Error()\n\t}\n}\n",
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	all, err := mutantsOf(filepath.Join(dir, "a.go"))
	if err != nil || len(all) != 3 {
		t.Fatalf("mutants %v, error %v", all, err)
	}
	all = append(all, all[0])
	all[3].by = "<<="
	for i, want := range []fate{alive, dead, late, unbuilt} {
		if got, err := all[i].test(".", time.Second); got != want || err != nil {
			t.Errorf("%v: fate %d, error %v, want %d", all[i], got, err, want)
		}
	}
}
