package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// message formats err for the command line, with the names of flags for options.
func message(err error) string {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var messages []string
		for _, err := range several.Unwrap() {
			messages = append(messages, message(err))
		}
		return strings.Join(messages, "; ")
	}
	if e, ok := errors.AsType[*option.Error](err); ok {
		return flagsOf(e.Name) + ": " + e.Message(flagsOf)
	}
	return err.Error()
}

var innerCapital = regexp.MustCompile(`([a-z])([A-Z])`)

// flagsOf returns the flags of the options that an error names: "--max-order" for
// "MaxOrder". It keeps names that are no option's field.
func flagsOf(names string) string {
	if names == kernels.EnvISA || names == modelArgument || names == shellArgument || strings.HasPrefix(names, "--") {
		return names
	}
	names = "--" + strings.ReplaceAll(names, " and ", " and --")
	return strings.ToLower(innerCapital.ReplaceAllString(names, "$1-$2"))
}

// given returns the value of a flag, "" if it was not given. An empty value is an
// error: most often a shell variable is unset.
func given(flag string, value *string) (string, error) {
	if value == nil {
		return "", nil
	}
	if *value == "" {
		return "", option.Misuse(flag, "the name is empty: give one, or leave the flag out")
	}
	return *value, nil
}

// forceText is a flag of every command that reads a corpus.
type forceText struct {
	ForceText bool `help:"Read the corpus as it is even where it is no text in UTF-8: each bad byte is taken as U+FFFD. Without it a file is refused, and left out of a folder, if a NUL or more than one bad byte in 1000 says that it is binary or in another encoding."`
}

// corpusSource returns the text of --corpus, which may be given several times.
func corpusSource(paths []string, force bool) (text.Input, error) {
	for i, path := range paths {
		if _, err := given("--corpus", &path); err != nil {
			return text.Input{}, err
		}
		if path == text.Stdin && slices.Contains(paths[:i], path) {
			return text.Input{}, option.Misuse("--corpus", "standard input is given twice, and can be read once: give it once")
		}
	}
	return text.Input{Paths: paths, Force: force}, nil
}

// parseLevels parses a comma-separated list of levels.
func parseLevels(s string) (levels []text.Level, err error) {
	for field := range strings.SplitSeq(s, ",") {
		l, err := parseLevel(strings.TrimSpace(field))
		if err != nil {
			return nil, err
		}
		levels = append(levels, l)
	}
	return levels, nil
}

func parseLevel(s string) (text.Level, error) {
	level, err := text.ParseLevel(s)
	if err == nil && level == text.Sentence { // which --sentences asks for
		err = fmt.Errorf("unknown level %q: choose char or word", s)
	}
	if err != nil {
		return 0, option.Misuse("--level", "%w", err)
	}
	return level, nil
}

// parseTokens parses what a token is: --level, which may be missing, and --sentences.
func parseTokens(level *string, sentences bool) (l text.Level, err error) {
	if level != nil {
		if l, err = parseLevel(*level); err != nil {
			return 0, err
		}
	}
	if sentences {
		if l != text.Word {
			return 0, option.Misuse("--sentences", "only words make sentences, and characters have their line ends: give --level word too, or leave it out")
		}
		l = text.Sentence
	}
	return l, nil
}

func parseSmoothing(s string) (ngram.Smoothing, error) {
	smoothing, err := ngram.ParseSmoothing(s)
	if err != nil {
		return 0, option.Misuse("--smoothing", "%w", err)
	}
	return smoothing, nil
}

// parseStore parses the name of a store of n-grams, nil if it was not given.
func parseStore(s *string) (*ngram.Store, error) {
	if s == nil {
		return nil, nil
	}
	store, err := ngram.ParseStore(*s)
	if err != nil {
		return nil, option.Misuse("--store", "%w", err)
	}
	return &store, nil
}

// parseCells parses a comma-separated list of kinds of cells, such as "rnn, gru".
func parseCells(s string) (cells []rnn.CellKind, err error) {
	for field := range strings.SplitSeq(s, ",") {
		cell, err := parseCell(strings.TrimSpace(field))
		if err != nil {
			return nil, err
		}
		if slices.Contains(cells, cell) {
			return nil, option.Misuse("--cell", "%v is given twice: give each cell once", cell)
		}
		cells = append(cells, cell)
	}
	return cells, nil
}

func parseCell(s string) (cell rnn.CellKind, err error) {
	if err := cell.UnmarshalText([]byte(s)); err != nil {
		return 0, option.Misuse("--cell", "%w", err)
	}
	return cell, nil
}

// cellNames formats a list of cells as parseCells reads it.
func cellNames(cells []rnn.CellKind) string {
	names := make([]string, len(cells))
	for i, c := range cells {
		names[i] = c.String()
	}
	return strings.Join(names, ",")
}

// parseWidths parses a comma-separated list of widths, such as "128, 256".
func parseWidths(s string) ([]int, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var widths []int
	for field := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return nil, option.Misuse("--hidden", "%q is no list of widths: give whole numbers with commas between them, such as 128,256", s)
		}
		widths = append(widths, n)
	}
	return widths, nil
}

// asTyped returns the command line that repeats a run, with the environment variables
// that affect it.
func asTyped(command string, flags ...string) string {
	command = "rnnbench " + command
	if isa := os.Getenv(kernels.EnvISA); isa != "" {
		command = kernels.EnvISA + "=" + isa + " " + command
	}
	return strings.Join(append([]string{command}, flags...), " ")
}

// set formats a flag with its value, quoted for a shell.
func set(flag, value string) string {
	if strings.ContainsFunc(value, func(r rune) bool {
		return !strings.ContainsRune("+,-./:=@_µ", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return "--" + flag + " " + value
}
