package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"batchrnn/bench/gradients"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/report"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
)

type gradientsCommand struct {
	Cell     string   `default:"rnn,gru" placeholder:"NAME" help:"Cells of the networks: rnn, the vanilla one, lstm, gru; several with commas between them (default ${default})."`
	Lengths  []int    `default:"50,150,500" placeholder:"T" help:"Lengths of the sequences, several with commas between them (default ${default})."`
	Updates  int      `default:"2000" placeholder:"N" help:"Updates that each network is trained with; fewer once all its answers are right (default ${default})."`
	Remember int      `default:"1" placeholder:"N" help:"Symbols that the copy task has one remember, at most 10 (default ${default})."`
	Threads  int      `default:"${cores}" placeholder:"N" help:"Networks that are trained at once (default ${default}, as many as there are cores)."`
	Seed     uint64   `default:"1" placeholder:"N" help:"Seed of weights and sequences (default ${default})."`
	JSON     jsonFlag `name:"json" placeholder:"[FILE]" help:"${json}"`
	Plot     *string  `placeholder:"FILE.png|.svg" help:"Draw the norm of gradients against distance."`
}

// Help returns the text that kong prints below the summary.
func (*gradientsCommand) Help() string {
	return `Trains recurrent networks of 64 units on the adding problem (the sum of two marked ones of T numbers; an answer within 0.04 is right) and on the copy task (one of 8 symbols, T blank steps, then the symbol is to be said): tanh, ReLU that starts from the identity, each with and without a skip connection through time, and a tanh whose gradients explode, all with and without clipping; LSTM, whose forget biases are 1, and GRU, both with and without chrono initialisation, clipped. Prints how often they are right, and the norm of dJ/dh for a loss at the last step alone against the distance from it, at the start and after training.

The default takes some minutes on two cores, longer sequences in proportion more. The same seed and updates give the same figures. Ctrl-C, SIGTERM and SIGHUP print what is trained by then.`
}

// Run is called by kong.
func (c *gradientsCommand) Run(env *environment) error {
	plotFile, err := given("--plot", c.Plot)
	if err != nil {
		return err
	}
	cells, err := parseCells(c.Cell)
	if err != nil {
		return err
	}
	study, err := gradients.New(gradients.Options{
		Cells: cells, Lengths: c.Lengths, Updates: c.Updates, Remember: c.Remember, Threads: c.Threads, Seed: c.Seed,
		Command: asTyped("gradients", set("cell", cellNames(cells)), set("lengths", figures.List(c.Lengths, ",")), set("updates", strconv.Itoa(c.Updates)),
			set("remember", strconv.Itoa(c.Remember)), set("threads", strconv.Itoa(c.Threads)), set("seed", strconv.FormatUint(c.Seed, 10))),
	})
	if err != nil {
		return err
	}
	defer study.Close()
	if err := (report.Outputs{JSON: string(c.JSON), Plot: plotFile}).Check(text.Input{}); err != nil {
		return err
	}
	heading := study.Heading()
	var result gradients.Result
	var runErr, plotErr error
	err = measurement{
		json: c.JSON, machine: heading.Machine, command: heading.Command,
		run: func(ctx context.Context, on func(nth, of int, name string)) (any, bool) {
			result, runErr = study.Run(ctx, on)
			if plotFile != "" {
				plotErr = writeGradientPlot(plotFile, result)
			}
			return result, result.Interrupted
		},
		print: func(w io.Writer) { printGradients(w, result) },
	}.do(env)
	return errors.Join(err, runErr, plotErr)
}

// writeGradientPlot writes the plot, unless no model was measured.
func writeGradientPlot(path string, r gradients.Result) error {
	format, err := report.PlotFormat(path)
	if err == nil && len(r.Models) > 0 {
		err = durable.WriteFile(path, func(w io.Writer) error { return report.GradientPlot(w, r, format) })
	}
	if err != nil {
		return fmt.Errorf("--plot: %q was not written: %w", path, err)
	}
	return nil
}

// printGradients prints the tables of each task, and the summary.
func printGradients(w io.Writer, r gradients.Result) {
	for _, task := range []string{gradients.Adding, gradients.Copy} {
		printAccuracy(w, r, task)
		for i := len(r.Lengths) - 1; i >= 0; i-- {
			if models := r.Of(task, r.Lengths[i]); len(models) > 0 {
				printNorms(w, models)
				break
			}
		}
	}
	for _, s := range r.Summary {
		fmt.Fprintln(w, figures.Wrap(s, "", figures.Screen))
	}
}

// printAccuracy prints a row for each network and length.
func printAccuracy(w io.Writer, r gradients.Result, task string) {
	loss, title := "nats", fmt.Sprintf("Copy task, %d of 8 symbols after T blank steps", r.Remember)
	if task == gradients.Adding {
		loss, title = "error²", "Adding problem, right within 0.04"
	}
	t := figures.Table{{"network", "clip", "T", "right, %", loss, "updates", "clipped", "largest norm", "rate", ""}}
	for _, length := range r.Lengths {
		models := r.Of(task, length)
		if len(models) == 0 {
			continue
		}
		t.Add("the best without looking", "", strconv.Itoa(length), percent(models[0].Chance), fmt.Sprintf("%.4f", models[0].Baseline), "", "", "", "", "")
		for _, m := range models {
			clip, right, loss, clipped, note := "-", percent(m.Accuracy), figure(m.Loss), "-", ""
			if m.Clip > 0 {
				clip, clipped = fmt.Sprint(m.Clip), figures.Count(int64(m.Clipped))
			}
			switch {
			case m.Diverged:
				right, loss, note = "-", "-", "diverged"
			case m.Solved:
				note = "solved"
			}
			t.Add(m.Network, clip, strconv.Itoa(length), right, loss, figures.Count(int64(m.Updates)), clipped,
				fmt.Sprintf("%.2g", m.LargestNorm), fmt.Sprintf("%.2g", m.LearningRate), note)
		}
	}
	writeTable(w, title, 3, t, 0, 9)
}

// printNorms prints the norms of gradients at the marked distances.
func printNorms(w io.Writer, models []gradients.Model) {
	head := []string{"network", "", "clip"}
	var marks []int
	for _, d := range gradients.Marks {
		if d <= models[0].Length {
			head, marks = append(head, strconv.Itoa(d)), append(marks, d)
		}
	}
	t := figures.Table{head}
	add := func(network, when, clip string, norms []gradients.Norm) {
		row := []string{network, when, clip}
		for _, d := range marks {
			cell := "-"
			if n, ok := gradients.At(norms, d); ok {
				cell = fmt.Sprintf("%.2g", n)
			}
			row = append(row, cell)
		}
		t.Add(row...)
	}
	for i, m := range models {
		if i == 0 || models[i-1].Network != m.Network {
			add(m.Network, "start", "", m.AtStart)
		}
		clip := "-"
		if m.Clip > 0 {
			clip = fmt.Sprint(m.Clip)
		}
		add(m.Network, "trained", clip, m.Trained)
	}
	writeTable(w, fmt.Sprintf("Norm of dJ/dh so many steps before the loss, beside distance 0, %s, T = %d", gradients.TaskName(models[0].Task), models[0].Length), 3, t, 0, 1)
}

func percent(share float64) string { return fmt.Sprintf("%.1f", 100*share) }

// figure formats a loss with four decimals, or a very large or small one with
// significant digits.
func figure(v float64) string {
	if v != 0 && v < 1e-3 || v >= 1e3 {
		return fmt.Sprintf("%.2g", v)
	}
	return fmt.Sprintf("%.4f", v)
}
