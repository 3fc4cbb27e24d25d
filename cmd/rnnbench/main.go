// Command rnnbench compares recurrent networks with n-gram models on real text:
//
//	rnnbench ram        memory against n-gram order, with speed and quality
//	rnnbench report     the whole comparison, as a page with plots and tables
//	rnnbench train      train a language model on a text and save it
//	rnnbench encode     a text as files of token ids, for trainings on more than memory holds
//	rnnbench eval       how well a saved model predicts a text
//	rnnbench sample     text drawn from a saved model
//	rnnbench score      the cost of each line of standard input under a saved model
//	rnnbench rescore    the cost of each hypothesis of n-best lists, with n-grams mixed in
//	rnnbench export     a saved model for other programs, as safetensors, ONNX or ARPA
//	rnnbench import     a model from such a file
//	rnnbench quantise   int8 weights for a saved RNN, a quarter of the size
//	rnnbench kernels    every kernel beside the machine's peak
//	rnnbench speed      passes through networks beside the machine's peak
//	rnnbench gradients  gradients over long sequences, and what keeps them
//	rnnbench inspect    what is in a file of a model, and what it can be used for
//	rnnbench completion completion of commands and flags for bash, zsh and fish
//
// "rnnbench ram --help" lists the flags.
//
// The exit status is 0 after success, 1 after a failure, 2 for misuse, and 128 + n after
// signal n: 130 after Ctrl-C (SIGINT), 143 after SIGTERM, 129 after SIGHUP. After a
// signal it first saves and prints what there is. A second signal, a second or more
// later, ends it at once.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"batchrnn/bench/residency"
	"batchrnn/internal/neighbour"
	"batchrnn/internal/option"
	"batchrnn/rnn/parallel"
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitMisuse  = 2
	exitSignal  = 128 // and the signal's number, as a shell reports a program that a signal ended
)

func main() {
	residency.ServeChild()
	neighbour.ServeChild()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

type commandLine struct {
	Ram ramCommand `cmd:"" help:"Memory against n-gram order: train n-gram models and RNNs on the same text, and compare bytes, speed and quality."`

	Report reportCommand `cmd:"" help:"The whole comparison as a page with plots and tables: memory, quality and speed, at both levels."`

	Train  trainCommand  `cmd:"" help:"Train a language model, an RNN or n-grams, on a text and save it."`
	Encode encodeCommand `cmd:"" help:"Write a text as files of token ids, which train maps: for texts larger than memory, and for many trainings on one text."`
	Eval   evalCommand   `cmd:"" help:"How well a saved model predicts a text: bits per token, perplexity, tokens a second."`
	Sample sampleCommand `cmd:"" help:"Draw text from a saved model."`
	Score  scoreCommand  `cmd:"" help:"What each line of standard input costs under a saved model."`

	Rescore rescoreCommand `cmd:"" help:"What each hypothesis of n-best lists on standard input costs under a saved model, with n-grams mixed in."`

	Inspect inspectCommand `cmd:"" help:"What is in a file of a model, of any format, what it can be used for, and what it lacks."`

	Export   exportCommand   `cmd:"" help:"Write a saved model for other programs: an RNN's weights as safetensors, in PyTorch's names and layouts, or the RNN as an ONNX model; n-grams as an ARPA file."`
	Import   importCommand   `cmd:"" help:"Make a model of an ARPA file, or of a saved RNN and other weights, from safetensors."`
	Quantise quantiseCommand `cmd:"" help:"Give a saved RNN weights of int8, a quarter of the size, for everything but training."`

	Kernels kernelsCommand `cmd:"" help:"Every kernel of every instruction set of this machine: GFLOP/s, GB/s, share of the peak."`
	Speed   speedCommand   `cmd:"" help:"Passes through networks, DeepBench's and small ones: GFLOP/s and share of the peak."`

	Gradients gradientsCommand `cmd:"" help:"Gradients over long sequences, vanishing, exploding or kept: the adding problem and the copy task."`

	Completion completionCommand `cmd:"" help:"Print a script that completes commands and flags in a shell."`

	Version versionFlag `help:"Print the version of the program, its Go version and the kernels of this machine."`
	common
}

// common are the flags that every command has.
type common struct {
	Quiet    bool   `short:"q" help:"Write nothing to standard error but errors and warnings."`
	Progress string `default:"text" enum:"text,json" placeholder:"text|json" help:"How progress is told on standard error: text, or json, an object a line (default ${default})."`
}

const progressJSON = "json" // a value of common.Progress

// environment holds the standard streams of a command, and the flags of every command.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	signals        *signals
	common
	model  *kong.Application // all commands and flags
	told   *progress         // nil before progress
	launch parallel.Launch
	ranks  parallel.Reducer // nil before it is opened, and of one process
}

// progress returns the progress of the command. The program closes it.
func (env *environment) progress() *progress {
	if env.told == nil {
		f := lines
		switch {
		case env.Quiet:
			f = silent
		case env.Progress == progressJSON:
			f = objects
		}
		env.told = newProgress(env.stderr, f)
	}
	return env.told
}

// run is the program: it parses args, runs the command and returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	complaints := stderr
	fail := func(status int, message string) int {
		fmt.Fprintf(complaints, "rnnbench: %s\n", strings.ReplaceAll(message, "\n", "; "))
		return status
	}
	launch := launched()
	// failAlone is for errors that the other ranks may not have. It ends them too.
	failAlone := func(status int, message string) int {
		if launch.Rank > 0 {
			time.Sleep(ownErrorAfter)
			message = fmt.Sprintf("rank %d: %s", launch.Rank, message)
		}
		if fail(status, message); launch.Ranks > 1 {
			abort(status)
		}
		return status
	}
	if launch.Rank > 0 { // rank 0 speaks for all
		stdout = io.Discard
	}

	var line commandLine
	helped := false // kong has printed help, and would end the program here
	help := &firstError{w: stdout}
	parser, err := kong.New(&line,
		kong.Name("rnnbench"),
		kong.Description("Recurrent networks beside n-gram models, on real text."),
		kong.Writers(help, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.WithHyphenPrefixedParameters(true), // "--budget -1s" is a bad budget, not a bad flag
		kong.Vars{"cores": strconv.Itoa(defaultThreads(launch)), "json": jsonHelp},
		speedVars(),
		readers(),
	)
	if err != nil {
		return failAlone(exitFailure, err.Error())
	}
	var parsed *kong.Context
	if err = checkValues(parser, args); err == nil {
		parsed, err = parser.Parse(args)
	}
	if again, ok := modelAfterJSON(args); err != nil && ok && checkValues(parser, again) == nil {
		if p, againErr := parser.Parse(again); againErr == nil {
			parsed, err = p, nil
		}
	}
	if help.err != nil {
		return failAlone(exitFailure, "standard output: "+help.err.Error())
	}
	if helped {
		return exitOK
	}
	if err != nil {
		see := "rnnbench --help"
		for _, command := range parser.Model.Children {
			if len(args) > 0 && command.Name == args[0] {
				see = "rnnbench " + args[0] + " --help"
			}
		}
		return failAlone(exitMisuse, err.Error()+": see "+see)
	}

	if line.Quiet && line.Progress == progressJSON {
		return failAlone(exitMisuse, "--progress: --quiet leaves nothing to tell: leave one of them out")
	}
	if command := parsed.Selected(); launch.Ranks > 1 && command != nil && command.Name != "train" {
		return failAlone(exitMisuse, fmt.Sprintf("%s runs in one process, and %s started %d: start it by itself", command.Name, launch.Launcher, launch.Ranks))
	}
	if launch.Rank > 0 {
		stderr = io.Discard
	}
	signals := catchSignals(stderr)
	defer signals.release()
	ignoreFileLimit()
	env := &environment{stdin: stdin, stdout: standardOutput{Writer: stdout, signals: signals}, stderr: stderr, signals: signals, common: line.common, model: parser.Model, launch: launch}
	err = parsed.Run(env)
	if env.told != nil {
		env.told.close()
	}
	if err == nil && signals.exitStatus() != 0 {
		err = fmt.Errorf("%w, but all was done by then", errStopped)
	}
	status := exitFailure
	switch {
	case err == nil:
		status = exitOK
	case errors.Is(err, errStopped):
		status = cmp.Or(signals.exitStatus(), exitSignal+int(syscall.SIGTERM)) // another rank had the signal
	case option.IsMisuse(err):
		status = exitMisuse
	}
	switch {
	case isOwn(err):
		return failAlone(status, message(err))
	case err != nil && launch.Rank == 0: // the other ranks have the same error, or none
		fail(status, message(err))
	}
	if env.ranks != nil { // mpirun ends all once one fails: rank 0 has written everything
		signals.quieten()
		if err := env.ranks.Close(); err != nil && status == exitOK {
			return failAlone(exitFailure, err.Error())
		}
	}
	return status
}
