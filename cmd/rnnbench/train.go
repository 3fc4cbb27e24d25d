package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/measure"
	"batchrnn/bench/report"
	"batchrnn/bench/study"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
	"batchrnn/rnn"
	"batchrnn/rnn/parallel"
)

type trainCommand struct {
	Out    string   `required:"" type:"output" placeholder:"FILE|-" help:"Where the model goes; - is standard output, with the text on standard error."`
	Corpus []string `sep:"none" placeholder:"PATH" help:"Text to train on: a file, a folder of text files, or - for standard input; given several times, several in order, as one text. Or a folder that rnnbench encode has written. Without it Newton's Opticks, out of the Go distribution."`
	forceText
	Valid       *string        `placeholder:"FILE" help:"Text to validate on. The corpus is then all for training."`
	Test        *string        `placeholder:"FILE" help:"Text to test on. The corpus is then all for training; an RNN without --valid still validates on its last 5 %."`
	All         bool           `help:"Train on all of the corpus, and hold nothing out for a test; an RNN without --valid still validates on its last 5 %."`
	Kind        string         `default:"rnn" placeholder:"rnn|ngram" help:"What to train: rnn or ngram (default ${default})."`
	Level       *string        `placeholder:"char|word" help:"What a token is: char or word (default char, or that of the model of --init or of rnnbench encode)."`
	Sentences   bool           `help:"With --level word: each line is a sentence by itself, with <s> before it and </s> at its end, as in KenLM. The model's file says so to eval, score and sample."`
	Vocab       *int           `placeholder:"N" help:"Keep the N most frequent tokens, <unk> included (default: all characters, or 10000 words; all words for n-grams with --sentences)."`
	MinCount    *int           `placeholder:"N" help:"Take tokens that the training split has fewer than N times as <unk>, so that the model learns where unknown ones stand (default: 1, for words 2; 1 for n-grams with --sentences)."`
	Order       *int           `placeholder:"N" help:"Order of an n-gram model, at most 9 (default 5)."`
	Store       *string        `placeholder:"NAME" help:"How the n-grams lie in memory and in the file: map, hash, the fastest, trie, or quantised, the smallest, whose values are rounded (default trie)."`
	Memory      *byteSize      `placeholder:"SIZE" help:"Memory that the estimate of an n-gram model may take, such as 64M or 2G, the tokens of the text included; what doesn't fit goes to temporary files beside --out. The model is the same, bit by bit (default: all that is free, and no files)."`
	Cell        *string        `placeholder:"NAME" help:"Cell of an RNN: rnn, the vanilla one, lstm, gru, or gru-reset-before (default rnn)."`
	Hidden      *int           `placeholder:"H" help:"Width of an RNN (default 256)."`
	Layers      *int           `placeholder:"N" help:"Layers of an RNN, with residual connections where there are several (default 1)."`
	Budget      *time.Duration `placeholder:"TIME" help:"Training time of an RNN, such as 20s or 3m (default 1m)."`
	Init        *string        `placeholder:"MODEL" help:"Go on from this RNN, a file that rnnbench train has written, on the same text or another one. The vocabulary and the network are the model's; the optimizer and the learning rate begin anew."`
	Epochs      *float64       `placeholder:"N" help:"In place of a budget of time, how often an RNN reads its training text, such as 20 or 0.5. Then the same command gives the same file every time."`
	Checkpoint  *string        `placeholder:"FILE" help:"Keep all of the training of an RNN in this file while it runs; if the file is there already, go on from it. It is removed once the model is saved."`
	Every       *time.Duration `placeholder:"TIME" help:"Time between two checkpoints (default 30s)."`
	Embedding   *int           `placeholder:"N" help:"Width of an embedding between the tokens and the first layer of an RNN (default: none; half the width of gated cells where the vocabulary is large)."`
	Tied        bool           `help:"One matrix for the input and the output of an RNN, with a full softmax. Cells other than rnn need an embedding for it, as wide as the RNN."`
	FullSoftmax bool           `help:"A full softmax however large the vocabulary; without it, one of 2000 tokens or more has an adaptive softmax, which trains several times as fast."`
	Dropout     *float64       `placeholder:"SHARE" help:"Share of the states that the output doesn't see in training, and of the embeddings that the first layer doesn't see, such as 0.3; for texts that are read many times over (default: none for characters, 0.5 for words)."`
	Halve       *bool          `negatable:"" help:"Halve the learning rate after each validation that finds nothing better, where it otherwise falls along a cosine over the budget (default: for words)."`
	Optimizer   *string        `placeholder:"NAME" help:"Optimizer of an RNN: adam, adamw (weight decay 0.01), adagrad or sgd (default adam). adagrad and sgd need a --rate."`
	Rate        *float64       `placeholder:"R" help:"Peak of the learning rate of an RNN (default: by cell, width and layers, such as 0.0039 for a vanilla one of 256 units)."`
	Batch       *int           `placeholder:"N" help:"Places of the text that an RNN reads at once, the rows of a training step (default 32; fewer on a short text)."`
	Steps       *int           `placeholder:"N" help:"Tokens that gradients go back, the length of backpropagation through time (default 25, with gates 50)."`
	Clip        *float64       `placeholder:"NORM" help:"Largest norm of a gradient, larger ones are scaled down to it; 0 for no clipping (default 1, with gates 0.25)."`
	Patience    *int           `placeholder:"N" help:"End the training of an RNN after N validations in a row that find nothing better (default: use all of the budget)."`
	Threads     int            `default:"${cores}" placeholder:"N" help:"Threads that an RNN runs on (default ${default}, as many as there are cores). The processes of mpirun on a machine share its cores."`
	Shards      *int           `placeholder:"N" help:"Parts of a batch whose gradients are summed by themselves. With the same N, any number of processes that share it under mpirun gives the same bits (default 1; under mpirun 8)."`
	Seed        uint64         `default:"1" placeholder:"N" help:"Seed of an RNN's initial weights, and of the text where it is generated (default ${default})."`
	JSON        jsonFlag       `name:"json" placeholder:"[FILE]" help:"${json}"`
}

// Help returns the text that kong prints below the summary.
func (*trainCommand) Help() string {
	return `The text is cut into 90 % to train on, 5 % to validate and 5 % to test, unless --valid, --test or --all make all of it training text. An RNN trains for the whole of its budget, unless --patience ends it, its learning rate falling towards the end, and stays as it was when it predicted the validation split best. The file carries the vocabulary and the configuration; it takes its name only once all of it is written.

Ctrl-C, SIGTERM and SIGHUP end the training of an RNN and save it as it was at its best. If FILE can't be written in the end, the model goes to a folder for temporary files, which is named.

With --checkpoint FILE a training that was ended, by a signal, by kill -9 or by a full disk, goes on when the same command is given again. With --epochs it ends with the same bits as one that was never ended, on any number of threads; with --budget it has the time that was left. A checkpoint of another text or of other options is refused. Only --epochs or --budget may be larger than before: then the training goes on, and from there its learning rate falls over the whole of the new number. The checkpoint of a finished training is gone; --init goes on from its model. A checkpoint that another training is writing is refused too. One that can't be written is a warning, and is tried again.

"mpirun -np 4 rnnbench train ..." trains one RNN in four processes, on one machine or several: they share the rows of each batch, and sum their gradients. All read the text; the first one alone prints, and writes all files. With the same --shards, 1, 2, 4 or 8 processes give the same file, and a checkpoint of one number goes on with another.`
}

// Run is called by kong.
func (c *trainCommand) Run(env *environment) error {
	r, err := env.reducer()
	if err != nil {
		return err
	}
	options, checkpoint, err := c.options(r)
	if err != nil {
		return agree(r, err)
	}
	progress := env.progress()
	progress.work(readingText)
	training, err := lm.NewTraining(options, env.stdin)
	progress.done()
	if err != nil {
		return err
	}
	defer training.Close()
	if r == nil || r.Rank() == 0 {
		return c.train(env, training, checkpoint, r)
	}
	ctx, stop := env.interruptible()
	defer stop()
	if err := agree(r, nil); err != nil {
		return err
	}
	_, trained, err := training.Run(ctx, func(lm.Progress) {})
	if err == nil && trained.Interrupted {
		err = errStopped
	}
	return ended(err, checkpoint)
}

// agree is [lm.Agree] where there are several ranks.
func agree(r parallel.Reducer, err error) error {
	if r == nil {
		return err
	}
	return lm.Agree(r, err)
}

// ended returns the error of [lm.Training.Run] with what can be done about it.
func ended(err error, checkpoint string) error {
	switch {
	case lm.IsInterrupt(err):
		return fmt.Errorf("%w: nothing was learned yet, and nothing is saved", errStopped)
	case lm.IsLost(err) && checkpoint == "":
		return fmt.Errorf("%w: the training is lost: --checkpoint would have kept it", err)
	case lm.IsLost(err):
		return fmt.Errorf("%w: the same command goes on from the last checkpoint, if there is one in %q", err, checkpoint)
	}
	return err
}

// options returns the options of the training and the file of its checkpoint, or an error
// for a mistake in the flags. Only the first of several ranks needs to write files.
func (c *trainCommand) options(r parallel.Reducer) (options lm.TrainOptions, checkpoint string, err error) {
	level, err := parseTokens(c.Level, c.Sentences)
	if err != nil {
		return options, "", err
	}
	corpus, err := corpusSource(c.Corpus, c.ForceText)
	if err != nil {
		return options, "", err
	}
	if c.Out == "" {
		return options, "", option.Misuse("--out", "the name is empty: give one")
	}
	store, err := parseStore(c.Store)
	if err != nil {
		return options, "", err
	}
	var cell *rnn.CellKind
	if c.Cell != nil {
		kind, err := parseCell(*c.Cell)
		if err != nil {
			return options, "", err
		}
		cell = &kind
	}
	options = lm.TrainOptions{
		TextOptions: lm.TextOptions{Corpus: corpus, Level: level, Vocab: c.Vocab, MinCount: c.MinCount, Seed: c.Seed},
		Valid:       c.Valid, Test: c.Test, All: c.All,
		Kind: c.Kind, Order: c.Order, Store: store, Memory: (*int64)(c.Memory), Folder: c.folder(), Cell: cell, Hidden: c.Hidden, Layers: c.Layers, Budget: c.Budget, Epochs: c.Epochs, Threads: c.Threads,
		Embedding: c.Embedding, Tied: c.Tied, FullSoftmax: c.FullSoftmax, Dropout: c.Dropout, Halve: c.Halve, Patience: c.Patience,
		Rate: c.Rate, Batch: c.Batch, Steps: c.Steps, Clip: c.Clip, Optimizer: c.Optimizer,
		Checkpoint: c.Checkpoint, Every: c.Every, Init: c.Init, AnyLevel: c.Level == nil, Shards: c.Shards, Reducer: r,
	}
	if _, launched := parallel.Launched(); launched && c.Shards == nil && c.Kind == lm.RNN {
		options.Shards = new(8)
	}
	// Mistakes are reported now, not after minutes of work.
	if err := options.Validate(); err != nil {
		return options, "", err
	}
	if checkpoint, err = given("--checkpoint", c.Checkpoint); err != nil {
		return options, "", err
	}
	init, err := given("--init", c.Init)
	if err != nil {
		return options, "", err
	}
	if r != nil && r.Rank() > 0 {
		return options, checkpoint, nil
	}
	if err := c.checkFile("--out", c.Out, corpus); err != nil {
		return options, "", err
	}
	for _, file := range []struct{ flag, path string }{{"--out", c.Out}, {"--checkpoint", checkpoint}} {
		if init != "" && file.path != "" && report.SameFile(init, file.path) {
			return options, "", option.Misuse(file.flag, "%q is the file of --init too: name another", file.path)
		}
	}
	if checkpoint != "" {
		if report.SameFile(checkpoint, c.Out) {
			return options, "", option.Misuse("--checkpoint", "%q is the file of --out too: give each its own", checkpoint)
		}
		if err := c.checkFile("--checkpoint", checkpoint, corpus); err != nil {
			return options, "", err
		}
	}
	if err := c.JSON.check(c.texts(corpus), map[string]string{
		"--out": c.Out, "--checkpoint": checkpoint, "--init": init, "--valid": *cmp.Or(c.Valid, new("")), "--test": *cmp.Or(c.Test, new(""))}); err != nil {
		return options, "", err
	}
	return options, checkpoint, nil
}

// train runs a training and saves and prints what comes out, in the first of the ranks of
// r, or alone.
func (c *trainCommand) train(env *environment, training *lm.Training, checkpoint string, r parallel.Reducer) error {
	progress := env.progress()
	modelBytes, checkpointBytes := training.FileBytes()
	if err := checkTrainSpace(c.Out, checkpoint, modelBytes, checkpointBytes); err != nil {
		return agree(r, err)
	}
	ctx, stop := env.interruptible()
	defer stop()
	text, name := env.text(string(c.JSON), c.Out)
	result := trainResult{Format: jsonFormat, Machine: measure.ThisMachine(training.Engine().ISA(), training.Engine().Threads()), Corpus: training.Corpus()}
	if r != nil {
		result.Ranks = r.Ranks()
	}
	err := report.Heading(text, result.Machine, result.Corpus)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	if err = agree(r, err); err != nil {
		return err
	}

	model, trained, err := training.Run(ctx, func(p lm.Progress) { progress.on(study.Event{Progress: p, Nth: 1, Of: 1}) })
	progress.done()
	if err != nil {
		return ended(err, checkpoint)
	}
	progress.work(writingModel)
	saved, size, err := saveModel(c.Out, env.stdout, model)
	if err == nil && checkpoint != "" && !trained.Interrupted {
		err = removeCheckpoint(checkpoint)
	}
	progress.close()
	stop()
	if saved == "" {
		return err
	}
	result.Trained = trained
	printErr := c.JSON.write(env.stdout, result)
	if c.JSON != report.Stdout {
		if textErr := printTrained(text, result, saved, size); textErr != nil {
			printErr = errors.Join(printErr, fmt.Errorf("%s: %w", name, textErr))
		}
	}
	if err = errors.Join(err, printErr); err != nil {
		return err
	}
	if trained.Unscored && !trained.Interrupted {
		return fmt.Errorf("%w: the model is complete and saved, its test score is not known", errStopped)
	}
	if trained.Interrupted {
		err = fmt.Errorf("%w: the model is saved as it was at its best", errStopped)
		switch {
		case checkpoint == "":
		case trained.CheckpointError != "":
			err = fmt.Errorf("%w; %s: the same command goes on from the one before, if any", err, trained.CheckpointError)
		default:
			err = fmt.Errorf("%w, and the same command goes on from %q", err, checkpoint)
		}
	}
	return err
}

// checkFile returns an error if a file can't be written, or would overwrite a text.
func (c *trainCommand) checkFile(flag, path string, corpus text.Input) error {
	if path == report.Stdout {
		return nil
	}
	return report.CheckFile(flag, path, c.texts(corpus))
}

// folder returns where temporary files go: beside the model, "" if that is no file.
func (c *trainCommand) folder() string {
	if c.Out == report.Stdout {
		return ""
	}
	return filepath.Dir(durable.Resolve(c.Out))
}

// texts returns the corpus with the texts of validation and test.
func (c *trainCommand) texts(corpus text.Input) text.Input {
	for _, part := range []*string{c.Valid, c.Test} {
		if part != nil {
			corpus.Paths = append(slices.Clone(corpus.Paths), *part)
		}
	}
	return corpus
}

// A trainResult is the JSON output of the command.
type trainResult struct {
	Format  int             `json:"format"`
	Machine measure.Machine `json:"machine"`
	Corpus  lm.Corpus       `json:"corpus"`
	Ranks   int             `json:"ranks,omitempty"` // the processes that shared the training, where there were several
	lm.Trained
}

// recipe describes the steps of a training.
func recipe(c lm.Config) string {
	clip := "no clipping"
	if c.Clip > 0 {
		clip = fmt.Sprintf("gradients up to a norm of %.3g", c.Clip)
	}
	batch := strconv.Itoa(c.Batch)
	if c.Shards > 1 {
		batch += fmt.Sprintf(" in %d shards", c.Shards)
	}
	return fmt.Sprintf("%s, rate %.3g, batch %s, %s back, %s", c.Optimizer, c.Rate, batch, figures.Plural(int64(c.Steps), "step"), clip)
}

func printTrained(w io.Writer, t trainResult, path string, size int64) error {
	test := "not known: scoring takes longer than an interrupted run waits"
	switch {
	case t.Corpus.Test == 0:
		test = "none: no text was held out for it"
	case !t.Unscored:
		test = fmt.Sprintf("%.3f bits per %s, perplexity %s", t.BitsPerToken, t.Corpus.TokenName(), t.Perplexity)
		if t.Corpus.UnkRate > 0 {
			test += fmt.Sprintf("; %.3f and %s with every <unk> spelled", t.AdjustedBits, t.Adjusted)
		}
	}
	out := &firstError{w: w}
	figures.Paragraph(out, 9, "model", t.Model.Description()+", "+figures.Bytes(t.Bytes)+" in memory")
	resumed := ""
	if t.ResumedTokens > 0 {
		resumed = fmt.Sprintf(" (resumed after %s)", figures.Count(t.ResumedTokens))
	}
	if t.Model.TokensBefore > 0 {
		resumed += fmt.Sprintf(" (after %s before)", figures.Count(t.Model.TokensBefore))
	}
	ranks := ""
	if t.Ranks > 1 {
		ranks = fmt.Sprintf(" in %d processes", t.Ranks)
	}
	figures.Paragraph(out, 9, "trained", fmt.Sprintf("%s, %s tokens%s, %s tokens/s%s", figures.Seconds(t.TrainSeconds), figures.Count(t.Model.TrainTokens), resumed, figures.Rate(t.TrainTokensPerSecond), ranks))
	if t.Model.Optimizer != "" {
		figures.Paragraph(out, 9, "steps", recipe(t.Model))
	}
	if t.Diverged {
		figures.Paragraph(out, 9, "note", "the training diverged and ended there; the model is as it was at its best before: a lower --rate or --clip helps")
	}
	if t.Extended {
		note := "a checkpoint was of a smaller budget"
		if !t.Model.Halve {
			note += "; from there the learning rate fell over the whole of this one"
		}
		figures.Paragraph(out, 9, "note", note)
	}
	if t.Model.ValidBits > 0 {
		fmt.Fprintf(out, "valid    %.3f bits per %s\n", t.Model.ValidBits, t.Corpus.TokenName())
	}
	figures.Paragraph(out, 9, "test", test)
	if t.Seen {
		figures.Paragraph(out, 9, "note", "the model was trained on some of the test text: the figures flatter it")
	}
	fmt.Fprintf(out, "saved    %s\n", written(path, size))
	if t.CheckpointError != "" {
		figures.Paragraph(out, 9, "warning", "the last "+t.CheckpointError)
	}
	return out.err
}
