package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"batchrnn/kernels"
)

var updateScreens = flag.Bool("update", false, "write docs/screens.md anew")

const screensPage = "../../docs/screens.md"

// screens are the calls of every command that docs/screens.md shows, in a folder with
// book.txt in it. Long ones take seconds.
var screens = []struct {
	long        bool
	stdin, line string
}{
	{false, "", "--help"},
	{false, "", "--version"},
	{true, "", "ram --corpus book.txt --max-order 3 --hidden 8,16 --budget 200ms --threads 1"},
	{true, "", "ram --corpus book.txt --level word --max-order 2 --hidden 8 --budget 200ms --threads 1"},
	{true, "", "report --out report --corpus book.txt --max-order 2 --cell gru --hidden 8 --budget 200ms --threads 1"},
	{false, "", "train --corpus book.txt --cell gru --hidden 16 --epochs 1 --threads 1 --out book.lm"},
	{false, "", "train --corpus book.txt --level word --kind ngram --order 3 --out words.lm"},
	{false, "", "encode --corpus book.txt --out ids"},
	{false, "", "eval book.lm --corpus book.txt --threads 1"},
	{false, "", "eval words.lm --corpus book.txt"},
	{false, "", "sample words.lm --length 12 --prompt the --temperature 0"},
	{false, "The prince sat down.\nHe said nothing.\n", "score book.lm"},
	{false, "fox-1 He said nothing.\nfox-2 He sat nothing.\n", "rescore book.lm"},
	{false, "", "inspect book.lm"},
	{false, "", "inspect words.lm"},
	{false, "", "export book.lm --out book.safetensors"},
	{false, "", "inspect book.safetensors"},
	{false, "", "import book.lm --weights book.safetensors --out again.lm"},
	{false, "", "quantise book.lm --out small.lm"},
	{false, "", "kernels --isa generic --time 1us --largest 1,1,8,8"},
	{true, "", "speed --hidden 8 --batch 1 --threads 1 --time 1us"},
	{false, "", "speed --neighbours --hidden 8 --batch 1 --threads 2 --time 1us"},
	{true, "", "gradients --cell rnn,gru --lengths 10 --updates 2 --threads 1"},
}

// A terminalScreen takes what standard output and standard error would show on a terminal.
type terminalScreen struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *terminalScreen) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// passing are the lines of progress, which come where the machine is slow.
var passing = regexp.MustCompile(`(?m)^.*( \.\.\. \d+m?\d*s|: \d+ %|\d %   .*|^\d+/\d+ [^ ].*[^g])\n`)

// screen runs the program and returns what a terminal shows: the call and its output.
func runScreen(t *testing.T, stdin string, args []string) string {
	t.Helper()
	var b terminalScreen
	if status := run(args, strings.NewReader(stdin), &b, &b); status != 0 {
		t.Fatalf("%v: exit status %d\n%s", args, status, b.String())
	}
	call := "$ rnnbench " + strings.Join(args, " ")
	if stdin != "" {
		call += " <lines.txt"
	}
	return call + "\n" + passing.ReplaceAllString(b.String(), "")
}

// takeScreens returns all screens: those of the list, then the help of every command.
// Long ones are empty, unless BATCHRNN_LONG is set or the page is written.
func takeScreens(t *testing.T) (all []string) {
	book, err := os.ReadFile("../../bench/lm/ngram/testdata/war-and-peace.train.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("COLUMNS", "80")
	t.Setenv(kernels.EnvISA, "generic") // the same rows on every machine
	if err := os.WriteFile("book.txt", book[:min(len(book), 20_000)], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range screens {
		if s.long && !*updateScreens && os.Getenv("BATCHRNN_LONG") == "" {
			all = append(all, "")
			continue
		}
		all = append(all, runScreen(t, s.stdin, strings.Fields(s.line)))
	}
	var commands []string
	for line := range strings.Lines(all[0]) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "  ") && len(fields) > 1 && regexp.MustCompile(`^[a-z]+$`).MatchString(fields[0]) && strings.HasPrefix(line[2:], fields[0]) {
			commands = append(commands, fields[0])
		}
	}
	for _, c := range commands {
		all = append(all, runScreen(t, "", []string{c, "--help"}))
	}
	return all
}

var (
	aFigure = regexp.MustCompile(`C [0-9a-f]{8}$|[-+]?[0-9]([0-9.,e+]*[0-9])?`)
	aUnit   = regexp.MustCompile(`# (B|KiB|MiB|GiB|ns|µs|ms|s|k|M|G)\b`)
	aGap    = regexp.MustCompile(` +`)
	marks   = regexp.MustCompile(`( slow| slow, p#| p#| \*)$`) // what a row misses
)

// shape returns the lines of a screen that don't depend on the figures, with these
// masked: the call, and the lines that have columns.
func shape(screen string) (lines []string) {
	for line := range strings.Lines(strings.TrimSpace(screen)) {
		line = strings.TrimRight(line, "\n")
		columns := strings.Contains(strings.TrimLeft(line, " "), "  ")
		word := strings.Fields(line + " .")[0]
		switch {
		case strings.HasPrefix(line, "$ "):
			lines = append(lines, line)
		case !columns || slices.Contains([]string{"generic", "avx2", "avx512", "avx512vnni"}, word): // rows of a set that the machine may lack
		case slices.Contains([]string{"machine", "kernels", "go", "rnnbench", "revision", "SHA-256"}, word):
			lines = append(lines, word)
		default:
			line = aUnit.ReplaceAllString(aFigure.ReplaceAllString(line, "#"), "#")
			line = strings.ReplaceAll(aGap.ReplaceAllString(line, " "), " - ", " # ")
			lines = append(lines, marks.ReplaceAllString(strings.TrimSuffix(line, " -"), ""))
		}
	}
	return lines
}

const screensHead = `# Screens

What every command shows on a terminal of 80 columns, with a small text and small budgets: the figures are of no interest. ` + "`make screens`" + ` makes this page; a test compares its shape with what the program shows.

`

// TestScreens runs every command. Everything fits 80 columns, and has the shape that
// docs/screens.md shows.
func TestScreens(t *testing.T) {
	page, err := filepath.Abs(screensPage)
	if err != nil {
		t.Fatal(err)
	}
	all := takeScreens(t)
	for _, screen := range all {
		call, output, _ := strings.Cut(screen, "\n")
		for line := range strings.Lines(output) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%s: a line of %d columns: %s", call, n, line)
			}
		}
	}
	if *updateScreens {
		text := screensHead
		for _, screen := range all {
			text += fmt.Sprintf("```\n%s\n```\n\n", strings.TrimSpace(screen))
		}
		if err := os.WriteFile(page, []byte(strings.TrimSpace(text)+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```\n")
	var shown []string
	for i := 1; i < len(blocks); i += 2 {
		shown = append(shown, blocks[i])
	}
	for i, screen := range all {
		call, _, _ := strings.Cut(screen, "\n")
		if screen == "" {
			continue
		}
		if i >= len(shown) {
			t.Errorf("docs/screens.md lacks %q: run make screens", call)
			continue
		}
		if got, want := shape(screen), shape(shown[i]); !slices.Equal(got, want) {
			t.Errorf("%s has another shape than docs/screens.md shows:\n%s\ninstead of\n%s\nrun make screens", call, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if len(shown) > len(all) {
		t.Errorf("docs/screens.md shows %d screens too many: run make screens", len(shown)-len(all))
	}
}
