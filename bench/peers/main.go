package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"batchrnn/bench/measure"
	"batchrnn/kernels"
)

func main() {
	threads := flag.String("threads", "1,2", "numbers of threads, separated by commas")
	rounds := flag.Int("rounds", 5, "how often every implementation has its turn")
	run := flag.String("run", "", "workloads to run: a regexp on names such as Forward/act=tanh/h=512/b=32/t=50/e=512/pack=before")
	impls := flag.String("impl", "", "implementations to run: a regexp on their names; the first of ours always runs")
	minTime := flag.Duration("time", 200*time.Millisecond, "least duration of one measurement")
	settle := flag.Duration("settle", 50*time.Millisecond, "pause before one, in which other libraries' threads stop spinning")
	quick := flag.Bool("quick", false, "tiny sizes: whether everything works, not how fast")
	flag.Func("hold", "avx2: hold everybody to this instruction set, where the machine has a wider one", hold)
	list := flag.Bool("list", false, "print the names of the workloads and end")
	dir := flag.String("out", "results", "folder for peers.txt (benchmark format) and peers.md")
	python := flag.String("python", "", "the Python that has torch (default: the system's, then the first in the path)")
	flag.Func("lib", "openblas, blis, onednn, onnxruntime or sleef = the file of the library, instead of the usual names", setLibrary)
	flag.Parse()

	if *list {
		for _, w := range Workloads() {
			fmt.Println(w.Bench() + "/" + w.Name())
		}
		return
	}
	if err := mainError(*threads, *rounds, *run, *impls, *minTime, *settle, *quick, *dir, *python); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func mainError(threadList string, rounds int, run, implNames string, minTime, settle time.Duration, quick bool, dir, python string) error {
	threads, err := parseThreads(threadList)
	if err != nil {
		return err
	}
	match, err := regexp.Compile(run)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	wanted, err := regexp.Compile(implNames)
	if err != nil {
		return fmt.Errorf("-impl: %w", err)
	}
	if rounds < 1 {
		return fmt.Errorf("-rounds %d: want at least 1", rounds)
	}
	if quick {
		minTime, settle, rounds = time.Millisecond, 0, min(rounds, 2)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := os.Create(filepath.Join(dir, "peers.txt"))
	if err != nil {
		return err
	}
	defer text.Close()

	told, err := tellLibraries(measure.ThisMachine("", 1).CPU)
	if err != nil {
		return err
	}
	found, missing := everyImpl(python, wanted)
	models, without := readModels(match)
	missing = append(missing, without...)
	defer func() {
		for _, impl := range found {
			if impl.Close != nil {
				impl.Close()
			}
		}
	}()
	engine, err := kernels.New(held, slices.Max(threads))
	if err != nil {
		return err
	}
	defer engine.Close()

	r := &Runner{
		Impls: found, Rounds: rounds, Time: minTime, Settle: settle, Quick: quick, Match: match, Models: models,
		Engine: engine, Text: io.MultiWriter(os.Stdout, text), peakOf: map[int]float64{}, slow: map[*Impl]bool{},
	}
	for _, n := range threads {
		r.measurePeak(n)
	}
	facts := describe(r, threads, found, told)
	writeFacts(r.Text, facts, missing)
	for _, m := range missing {
		fmt.Fprintf(os.Stderr, "peers: MISSING %s: %s; to install: %s\n", m.Name, oneLine(m.Why), m.Install)
	}
	r.Run(threads)

	// The run may have found higher peaks than those at its start.
	page := Report{Facts: describe(r, threads, found, told), Missing: missing, Notes: r.Notes, Impls: found, Rows: r.Rows, Peak: r.Peak}
	var md bytes.Buffer
	page.WriteMarkdown(&md)
	if err := os.WriteFile(filepath.Join(dir, "peers.md"), md.Bytes(), 0o644); err != nil {
		return err
	}
	if r.Wrong > 0 {
		return fmt.Errorf("%d measurements failed or were of other work: see the notes", r.Wrong)
	}
	return text.Close()
}

func parseThreads(list string) ([]int, error) {
	var threads []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-threads %q: want numbers of at least 1, separated by commas", list)
		}
		threads = append(threads, n)
	}
	return threads, nil
}

// setup says how to install a missing library.
const setup = "make peers-setup, or "

// everyImpl opens the wanted implementations that exist, ours first.
func everyImpl(python string, wanted *regexp.Regexp) (found []*Impl, missing []Missing) {
	for i, impl := range Ours() {
		if i == 0 || wanted.MatchString(impl.Name) {
			found = append(found, impl)
		}
	}
	if w := Workspace(); wanted.MatchString(w.Name) {
		found = append(found, w)
	}
	pythons := []string{"/usr/bin/python3", "python3"} // the Python that Debian's packages belong to
	if python != "" {
		pythons = []string{python}
	}
	for _, p := range []struct {
		name, install string
		open          func() (*Impl, error)
	}{
		{"onednn", setup + "apt-get install libdnnl-dev", OneDNN},
		{"onnxruntime", setup + "make models", ONNXRuntime},
		{"onnxruntime-gemm", setup + "make models", ONNXRuntimeGemm},
		{"pytorch", setup + "apt-get install python3-torch", func() (*Impl, error) { return PyTorch(pythons...) }},
		{"openblas", setup + "apt-get install libopenblas-dev", OpenBLAS},
		{"blis", setup + "apt-get install libblis-dev", BLIS},
		{"sleef", setup + "apt-get install libsleef-dev", SLEEF},
		{"gonum", "part of this module", func() (*Impl, error) { return Gonum(), nil }},
		{"gonnx", "part of this module", func() (*Impl, error) { return GONNX(), nil }},
	} {
		if !wanted.MatchString(p.name) {
			missing = append(missing, Missing{p.name, "left out by -impl", "drop the flag"})
			continue
		}
		if held != "" && strings.HasPrefix(p.name, "onnxruntime") {
			missing = append(missing, Missing{p.name, "it can't be held to " + held, "drop -hold"})
			continue
		}
		impl, err := p.open()
		if err != nil {
			missing = append(missing, Missing{p.name, err.Error(), p.install})
			continue
		}
		found = append(found, impl)
	}
	for _, b := range append(Bounds(), Float32()) {
		if wanted.MatchString(b.Name) {
			found = append(found, b)
		}
	}
	return found, missing
}

// describe returns the facts at the head of the output.
func describe(r *Runner, threads []int, impls []*Impl, told []string) []Fact {
	m := measure.ThisMachine(r.Engine.ISA(), r.Engine.Threads())
	facts := []Fact{
		{"goos", m.OS}, {"goarch", m.Arch}, {"cpu", m.CPU},
		{"cores", strconv.Itoa(runtime.NumCPU())}, {"go", m.Go}, {"gomaxprocs", strconv.Itoa(runtime.GOMAXPROCS(0))},
		{"rounds", fmt.Sprintf("%d of at least %v, a pause of %v before each", r.Rounds, r.Time, r.Settle)},
	}
	if held != "" {
		facts = append(facts, Fact{"held-to", held})
	}
	if told != nil {
		facts = append(facts, Fact{"environment", strings.Join(told, " ")})
	}
	if r.Quick {
		facts = append(facts, Fact{"quick", "tiny sizes, no meaning as times"})
	}
	for _, n := range threads {
		facts = append(facts, Fact{fmt.Sprintf("peak-%d-threads", n), fmt.Sprintf("%.1f GFLOP/s of fused multiply-adds", r.Peak(n)/1e9)})
	}
	for _, impl := range impls {
		if impl.Version != "" {
			facts = append(facts, Fact{"version-" + impl.Name, impl.Version})
		}
	}
	return facts
}
