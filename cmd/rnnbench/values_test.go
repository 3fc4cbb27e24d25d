package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// commands returns the commands as kong knows them.
func commands(t *testing.T) []*kong.Node {
	t.Helper()
	parser, err := kong.New(&commandLine{}, kong.Vars{"cores": "1", "json": jsonHelp}, speedVars(), readers(), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Children
}

// oneLine fails the test unless stderr is one line of misuse that begins with the flag.
func oneLine(t *testing.T, args []string, flag string, wants ...string) {
	t.Helper()
	status, stdout, stderr := runArgs("", args...)
	if status != exitMisuse || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "rnnbench: --"+flag+": ") {
		t.Errorf("%q: exit status %d, standard output %q, standard error %q", args, status, stdout, stderr)
	}
	for _, want := range wants {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q: no %q in %q", args, want, stderr)
		}
	}
}

// TestMissingValues: every flag that takes a value says that it has none, at the end and
// before another flag, and what it takes.
func TestMissingValues(t *testing.T) {
	n := 0
	for _, command := range commands(t) {
		for _, f := range command.Flags {
			if f.IsBool() || mayLackValue(f) {
				continue
			}
			n++
			want := "give " + f.FormatPlaceHolder() + " after it"
			oneLine(t, []string{command.Name, "--" + f.Name}, f.Name, "its value is missing", want, command.Name+" --help")
			next := command.Flags[n%len(command.Flags)].Name
			oneLine(t, []string{command.Name, "--" + f.Name, "--" + next, "1"}, f.Name, "its value is missing before --"+next, want)
			oneLine(t, []string{command.Name, "--" + f.Name, "--help"}, f.Name, "before --help")
		}
	}
	if n < 50 {
		t.Errorf("%d flags take a value", n)
	}
	// A value that looks like a flag can still be given.
	if status, _, stderr := runArgs("", "sample", "none.lm", "--prompt=--seed"); status != exitFailure || !strings.Contains(stderr, "none.lm") {
		t.Errorf("--prompt=--seed: exit status %d, %q", status, stderr)
	}
	oneLine(t, []string{"train", "--out", "--no-halve"}, "out", "missing before --no-halve")
	oneLine(t, []string{"train", "--out", "--kind=ngram"}, "out", "missing before --kind=ngram")
}

// TestUnreadableValues: every flag of a number or a time says what it was given, and what
// it takes.
func TestUnreadableValues(t *testing.T) {
	kinds := map[string]int{}
	for _, command := range commands(t) {
		for _, f := range command.Flags {
			kind := strings.TrimLeft(f.Target.Type().String(), "*[]")
			kinds[kind]++
			check := func(value, want string) {
				t.Helper()
				oneLine(t, []string{command.Name, "--" + f.Name, value}, f.Name, want)
			}
			switch kind {
			case "time.Duration":
				check("5", "5 has no unit: give a time such as 5s or 5m")
				check("-1.5", "-1.5 has no unit")
				check("5 s", `"5 s" is no time: give one such as 20s or 3m`)
				check("", `"" is no time`)
			case "int":
				check("many", `"many" is no whole number: give one such as`)
				check("1.5", `"1.5" is no whole number`)
				check("99999999999999999999", `is no whole number that fits`)
				if f.IsSlice() {
					check("1,two", `"two" is no whole number`)
				} else {
					check("", `"" is no whole number`)
				}
			case "uint64":
				check("-1", `"-1" is no whole number from 0 up`)
				check("x", `"x" is no whole number from 0 up`)
			case "float64":
				check("x", `"x" is no number: give one such as`)
				check("1,5", `"1,5" is no number`)
			case "main.byteSize":
				check("64", "64 has no unit: give a size such as 64M or 64G")
				check("many", `"many" is no size: give one such as 64M or 2G`)
				check("-5", `"-5" is no size: give one such as 64M or 2G`)
				check("", `"" is no size`)
			case "string", "bool", "main.jsonFlag":
			default:
				t.Errorf("%s --%s: nothing here reads a %s", command.Name, f.Name, kind)
			}
		}
	}
	if len(kinds) < 5 {
		t.Errorf("flags of %v", kinds)
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"64K": 64 << 10, "1.5M": 3 << 19, "2GiB": 2 << 30, "3t": 3 << 40, "0M": 0, "-1K": -1024, "1e3K": 1000 << 10} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, error %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "M", "64", "64iB", "64MB", "64B", "64MM", "64 M", "6x4M", "0x10M", "1_0M", "NaNM", "infM", "99999999T", "-99999999T", "64Mib", "KMGT"} {
		if got, err := parseSize(s); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", s, got)
		}
	}
}

// TestThreadsByDefault: as many as there are cores, and as GOMAXPROCS allows, for every
// command that runs on several.
func TestThreadsByDefault(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for procs, want := range map[int]int{1: 1, runtime.NumCPU(): runtime.NumCPU(), 8 * runtime.NumCPU(): runtime.NumCPU()} {
		runtime.GOMAXPROCS(procs)
		if got := cores(); got != want {
			t.Errorf("GOMAXPROCS %d: %d threads, want %d", procs, got, want)
		}
		n := 0
		for _, command := range commands(t) {
			for _, f := range command.Flags {
				if f.Name == "threads" && f.HasDefault {
					n++
					if _, help, _ := runArgs("", command.Name, "--help"); !strings.Contains(strings.Join(strings.Fields(help), " "), fmt.Sprintf("(default %d, as many as there are cores)", want)) {
						t.Errorf("GOMAXPROCS %d: no %d threads in the help of %s", procs, want, command.Name)
					}
				}
			}
		}
		if n < 5 {
			t.Errorf("%d commands run on several threads", n)
		}
	}
}

// A file's name may be any bytes, for an argument and for every kind of flag.
func TestFileNamesOfAnyBytes(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a\xff.txt"), []byte(sentences(40, "Anna")), 0o600); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("such names are refused here: ", err)
	}
	for _, args := range [][]string{
		{"train", "--kind", "ngram", "--order", "2", "--corpus", at("a\xff.txt"), "--valid=" + at("a\xff.txt"), "--out", at("m\xff.lm"), "--json", at("t\xff.json")},
		{"eval", at("m\xff.lm"), "--corpus=" + at("a\xff.txt"), "--json=" + at("e\xff.json")},
	} {
		if status, stdout, stderr := runArgs("", args...); status != 0 {
			t.Errorf("%q: exit status %d\n%s%s", args, status, stdout, stderr)
		}
	}
	var names []string
	for name := range readFiles(t, dir) {
		names = append(names, filepath.Base(name))
	}
	slices.Sort(names)
	if want := []string{"a\xff.txt", "e\xff.json", "m\xff.lm", "t\xff.json"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}
