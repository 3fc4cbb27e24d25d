package report

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
)

func TestOutputsCheck(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"corpus.txt", "old.csv"} {
		if err := os.WriteFile(at(name), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(at("texts"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"texts/a.txt", "texts/old.json", "texts/old.svg"} {
		if err := os.WriteFile(at(name), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	linked(t, os.Link(at("corpus.txt"), at("other name")))
	linked(t, os.Symlink(at("new"), at("to new")))
	t.Chdir(dir)
	for name, test := range map[string]struct {
		outputs Outputs
		corpus  string
		option  string // that the error must name; "" for none
	}{
		"nothing in common":     {Outputs{JSON: at("a.json"), CSV: at("old.csv")}, at("corpus.txt"), ""},
		"no corpus":             {Outputs{CSV: at("old.csv")}, "", ""},
		"the corpus":            {Outputs{CSV: at("corpus.txt")}, at("corpus.txt"), "CSV"},
		"the corpus, linked":    {Outputs{JSON: at("other name")}, "corpus.txt", "JSON"},
		"a file of the folder":  {Outputs{JSON: at("texts/a.txt")}, "texts", "JSON"},
		"new in the folder":     {Outputs{JSON: at("texts/r.json")}, "texts", ""},
		"a text in the folder":  {Outputs{CSV: at("texts/new.txt")}, "texts", "CSV"},
		"not read there":        {Outputs{JSON: at("texts/old.json"), Plot: at("texts/old.svg")}, "texts", ""},
		"beside the folder":     {Outputs{CSV: at("old.csv")}, at("texts"), ""},
		"two spellings":         {Outputs{JSON: at("x"), CSV: "./texts/../x"}, "", "CSV"},
		"two links to one file": {Outputs{JSON: at("corpus.txt"), CSV: at("other name")}, "", "CSV"},
		"link to a new file":    {Outputs{JSON: at("new"), CSV: at("to new")}, "", "CSV"},
	} {
		err := test.outputs.Check(text.Input{Paths: []string{test.corpus}})
		if test.option == "" && err != nil || test.option != "" && (!option.IsMisuse(err) || !strings.HasPrefix(err.Error(), test.option+": ")) {
			t.Errorf("%s: error %v, want one about %q", name, err, test.option)
		}
	}
}

// linked wants err, of making a link, to be nil. Only Windows may refuse one.
func linked(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	t.Skip("links need a privilege on Windows:", err)
}
