package main

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/report"
	"batchrnn/internal/durable"
	"batchrnn/internal/engine"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type inspectCommand struct {
	Model string   `arg:"" help:"A model or a checkpoint of rnnbench train, an ARPA file, also compressed, a safetensors file or an ONNX file."`
	JSON  jsonFlag `name:"json" placeholder:"[FILE]" help:"${json}"`
}

// Help returns the text that kong prints below the summary.
func (*inspectCommand) Help() string {
	return `The kind of a file is known by its content, whatever its name. It says what is in the file, what it can be used for, and what it lacks for that. A file that can't be used here is described too.

Reads all of the file, and so checks every checksum in it. The tokens shown are the first of the vocabulary, the most frequent ones where rnnbench has trained the model.`
}

// An inspection is what the command writes as JSON.
type inspection struct {
	lm.Inspection
	Uses []use `json:"uses"`
}

// A use is one that a file can be put to.
type use struct {
	Use string `json:"use"`
	How string `json:"how"`
}

// Run is called by kong.
func (c *inspectCommand) Run(env *environment) error {
	if c.Model == "" {
		return option.Misuse(modelArgument, "the name is empty: give a file to inspect")
	}
	if err := c.JSON.check(text.Input{}, map[string]string{modelArgument: c.Model}); err != nil {
		return err
	}
	e, err := engine.New("", 1)
	if err != nil {
		return err
	}
	defer e.Close()
	told := env.progress().part(loadingModel)
	told(0)
	found, err := lm.Inspect(c.Model, e, told)
	env.progress().close()
	if err != nil {
		return inspectError(err)
	}
	i := inspection{found, uses(found)}
	if err := c.JSON.write(env.stdout, i); err != nil || c.JSON == report.Stdout {
		return err
	}
	out := &firstError{w: env.stdout}
	printInspection(out, i)
	if out.err != nil {
		return fmt.Errorf("standard output: %w", out.err)
	}
	return nil
}

// inspectError adds the remedy to an error of reading a file.
func inspectError(err error) error {
	_, other := errors.AsType[*durable.VersionError](err)
	_, full := errors.AsType[*lm.NoMemory](err)
	if other || full {
		return openError(err)
	}
	return fmt.Errorf("%w: give a file that rnnbench train has written, or a whole ARPA, safetensors or ONNX file", err)
}

// uses lists what a file can be used for here.
func uses(i lm.Inspection) []use {
	all := []use{}
	add := func(what, format string, a ...any) { all = append(all, use{what, fmt.Sprintf(format, a...)}) }
	file := shellQuoted(i.File)
	switch i.Kind {
	case lm.ModelFile:
		if !i.NotFinite {
			add("score", "rnnbench score %s <lines.txt", file)
			add("sample", "rnnbench sample %s", file)
			add("eval", "rnnbench eval %s --corpus text.txt", file)
		}
		if i.Model.Kind == lm.Ngram {
			add("export", "rnnbench export %s --out new.arpa", file)
			break
		}
		if i.Model.Int8 {
			break
		}
		if !i.NotFinite {
			add("train", "rnnbench train --init %s --corpus text.txt --out new.lm", file)
		}
		add("export", "rnnbench export %s --out new.safetensors, or new.onnx", file)
		if !i.NotFinite {
			add("quantise", "rnnbench quantise %s --out new.lm", file)
		}
		add("import", "rnnbench import %s --weights weights.safetensors --out new.lm", file)
	case lm.CheckpointFile:
		add("train", "rnnbench train --checkpoint %s, with the text and the flags of before", file)
	case lm.ARPAFile:
		add("import", "rnnbench import %s --out new.lm; then score, sample, eval and export", file)
	case lm.NgramFile:
		add("Go", "ngram.Read(file, size)")
	case lm.NetworkFile:
		add("Go", "rnnlm.Read(engine, file, size)")
	case lm.SafetensorsFile:
		for _, n := range i.Networks {
			if n.Refused == "" {
				add("Go", "rnn.Load(engine, file, size, %s)", n.Options)
			}
			if prefix, ok := importable(i, n); ok {
				if prefix != "" {
					prefix = " --prefix " + shellQuoted(prefix)
				}
				add("import", "rnnbench import model.lm --weights %s%s --out new.lm, where model.lm is a model of such a network", file, prefix)
			}
		}
	case lm.ONNXFile:
		if len(i.Graph.Refused) == 0 {
			add("Go", "onnx.Load(engine, file)")
		}
	}
	return all
}

// importable says whether rnnbench import takes the weights of a network, and with which
// prefix. It takes the names that rnnbench export writes.
func importable(i lm.Inspection, n lm.FileNetwork) (prefix string, ok bool) {
	prefix, ok = strings.CutSuffix(n.Recurrent, "rnn.")
	embedding := ""
	if n.Embedding > 0 {
		embedding = prefix + "embedding."
	}
	return prefix, ok && n.Refused == "" && len(n.Extra) == 0 && n.Directions == 1 && n.Reads != "vectors" && n.Input == n.Output &&
		n.OutputName == prefix+"out." && n.EmbeddingName == embedding && !i.NotFinite
}

// plainWord matches words that a shell takes as they are.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./,+=:@%][A-Za-z0-9_./,+=:@%-]*$`)

// shellQuoted returns a word as it stands in a command of bash, also one with control
// characters.
func shellQuoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	if strings.ContainsFunc(word, func(r rune) bool { return !strconv.IsPrint(r) }) || !utf8.ValidString(word) {
		quoted := strconv.Quote(word) // a terminal must not see what a file's names do to it
		return "$'" + strings.NewReplacer(`\"`, `"`, "'", `\'`).Replace(quoted[1:len(quoted)-1]) + "'"
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// label is the width of the labels of printInspection, which the other lines of a
// paragraph are indented by.
const label = 10

// A sheet prints what is in a file.
type sheet struct{ io.Writer }

// paragraph prints a text, broken into lines, behind a label.
func (w sheet) paragraph(name, text string) { figures.Paragraph(w, label, name, text) }

// list prints a paragraph for each text, behind one label. It prints the first few.
func (w sheet) list(name string, texts []string) {
	const most = 40
	for k, text := range texts {
		if k == most {
			w.paragraph("", fmt.Sprintf("and %s more, which --json lists", figures.Count(int64(len(texts)-most))))
			break
		}
		w.paragraph(name, text)
		name = ""
	}
}

// short quotes a text of a file. Of a long one it quotes the beginning that fits a line.
func short(text string) string {
	const most = 68 // a line behind a label is 70 wide
	quoted := strconv.Quote(text)
	if utf8.RuneCountInString(quoted) <= most {
		return quoted
	}
	width := len(`""...`)
	for i := 0; ; {
		_, n := utf8.DecodeRuneInString(text[i:])
		if width += utf8.RuneCountInString(strconv.Quote(text[i:i+n])) - len(`""`); width > most {
			return strconv.Quote(text[:i]) + "..."
		}
		i += n
	}
}

func printInspection(out io.Writer, i inspection) {
	w := sheet{out}
	switch i.Kind {
	case lm.CheckpointFile:
		w.paragraph("kind", "a checkpoint of a training")
	case lm.ARPAFile:
		kind := "an ARPA file"
		if i.Compression != "" {
			kind += ", compressed by " + i.Compression
		}
		w.paragraph("kind", kind)
	case lm.NgramFile:
		w.paragraph("kind", "the n-grams of a model, as ngram.Model.WriteTo writes them")
		w.ngrams(i.Inspection)
		w.paragraph("memory", figures.Bytes(i.MemoryBytes))
	case lm.NetworkFile:
		w.paragraph("kind", "a network, as rnnlm.File writes it")
	case lm.SafetensorsFile:
		w.paragraph("kind", "a safetensors file")
	case lm.ONNXFile:
		w.graph(i.Inspection)
	}
	if i.Model != nil {
		w.model(i.Inspection)
	}
	for _, n := range i.Networks {
		w.network(n)
	}
	w.tensors(i.Inspection)
	var metadata []string
	for _, m := range i.Metadata {
		metadata = append(metadata, short(m.Key)+": "+short(m.Value))
	}
	w.list("metadata", metadata)
	for k, u := range i.Uses {
		name := ""
		if k == 0 {
			name = "uses"
		}
		w.paragraph(name, u.Use+": "+u.How)
	}
	w.list("missing", i.Missing)
	file := figures.Bytes(i.Bytes)
	if i.Version > 0 {
		file += fmt.Sprintf(", version %d", i.Version)
	}
	if i.ModelVersion > 0 {
		file += fmt.Sprintf(" (its model %d)", i.ModelVersion)
	}
	w.paragraph("file", file+", written "+i.Modified.Format("2006-01-02 15:04 MST"))
	for _, s := range i.Sections {
		fmt.Fprintf(w, "%*s%-14s %13s bytes, CRC-32C %s\n", label, "", s.Name, figures.Count(s.Bytes), s.CRC32C)
	}
	w.paragraph("SHA-256", i.SHA256)
}

// model prints a language model.
func (w sheet) model(i lm.Inspection) {
	m := *i.Model
	token := lm.Corpus{Level: m.Level}.TokenName()
	w.paragraph("model", m.Description())
	if m.Kind == lm.RNN {
		size := figures.Plural(i.Parameters, "parameter")
		if i.Activation != "" {
			size += ", activation " + i.Activation
		}
		if len(i.Cutoffs) > 0 {
			size += ", cutoffs of the softmax " + figures.List(i.Cutoffs, ", ")
		}
		w.paragraph("", size)
	} else {
		w.ngrams(i)
	}
	if i.MemoryBytes > 0 {
		w.paragraph("memory", figures.Bytes(i.MemoryBytes)+", without the vocabulary")
	}
	w.paragraph("tokens", fmt.Sprintf("%ss, a vocabulary of %s, first", token, figures.Count(int64(m.Vocab))))
	var first []string
	for _, t := range i.FirstTokens {
		if m.Level == text.Char.String() && t != text.UnkToken {
			t = strconv.Quote(t)
		}
		first = append(first, t)
	}
	w.paragraph("", strings.Join(first, " "))
	trained := figures.Count(m.TrainTokens) + " tokens"
	if m.TrainSeconds > 0 {
		trained += " in " + figures.Seconds(m.TrainSeconds)
	}
	if m.ValidBits > 0 {
		trained += fmt.Sprintf("; %.3f bits per %s on the validation split", m.ValidBits, token)
	}
	if m.Interrupted {
		trained += "; stopped before its time"
	}
	if m.TrainTokens == 0 {
		trained = "elsewhere, or not at all"
	}
	w.paragraph("trained", trained)
	if options := trainingOptions(m); len(options) > 0 {
		w.paragraph("options", strings.Join(options, ", "))
	}
	if m.SHA256 != "" { // an ARPA file doesn't say it
		if m.Corpus != "" { // nor a checkpoint this
			w.paragraph("corpus", strconv.Quote(m.Corpus))
		}
		w.paragraph("SHA-256", m.SHA256)
	}
}

func (w sheet) ngrams(i lm.Inspection) {
	var entries []string
	for _, n := range i.Ngrams {
		entries = append(entries, figures.Count(int64(n)))
	}
	w.paragraph("", fmt.Sprintf("n-grams of each order: %s; in a %s", strings.Join(entries, ", "), i.Store))
}

// network prints a network in a file of tensors.
func (w sheet) network(n lm.FileNetwork) {
	if n.Hidden == 0 {
		w.paragraph("network", "behind "+short(n.Recurrent)+": of an unknown kind")
		return
	}
	parts := []string{lm.CellName(n.Cell) + " of " + figures.Plural(n.Layers, "layer") + " of " + figures.Plural(n.Hidden, "unit")}
	if n.Directions > 1 {
		parts = append(parts, "in both directions")
	}
	add := func(n int, format string, a ...any) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, a...))
		}
	}
	add(n.Projection, "projected to %d", n.Projection)
	switch {
	case n.Embedding > 0:
		parts = append(parts, fmt.Sprintf("reads %s ids by an embedding of width %d", figures.Count(int64(n.Input)), n.Embedding))
	case n.Reads == "ids":
		parts = append(parts, fmt.Sprintf("reads %s ids", figures.Count(int64(n.Input))))
	case n.Reads == "vectors":
		parts = append(parts, fmt.Sprintf("reads vectors of %d", n.Input))
	default:
		parts = append(parts, fmt.Sprintf("reads vectors of %d, or as many ids", n.Input))
	}
	add(n.Output, "%s outputs", figures.Count(int64(n.Output)))
	if n.Tied {
		parts = append(parts, "which are tied to the input")
	}
	add(len(n.Cutoffs), "cutoffs of the softmax %s", figures.List(n.Cutoffs, ", "))
	if n.Activation != "" {
		parts = append(parts, "activation "+n.Activation)
	}
	if n.Int8 {
		parts = append(parts, "weights of int8")
	}
	w.paragraph("network", strings.Join(parts, ", "))
	if n.Parameters > 0 {
		w.paragraph("", figures.Plural(n.Parameters, "parameter")+", "+figures.Bytes(n.MemoryBytes)+" in memory")
	}
	names := []string{}
	for _, part := range []struct{ what, name string }{{"cells", n.Recurrent}, {"embedding", n.EmbeddingName}, {"output", n.OutputName}} {
		if part.name != "" {
			names = append(names, part.what+" "+short(part.name))
		}
	}
	if len(names) > 0 {
		w.paragraph("", "names: "+strings.Join(names, ", "))
	}
	if k := len(n.Extra); k > 0 {
		const most = 4
		var extra []string
		for _, name := range n.Extra[:min(k, most)] {
			extra = append(extra, short(name))
		}
		if k > most {
			extra = append(extra, fmt.Sprintf("%s more", figures.Count(int64(k-most))))
		}
		w.paragraph("", "beside it: "+strings.Join(extra, ", "))
	}
}

// tensors prints a line for each tensor.
func (w sheet) tensors(i lm.Inspection) {
	const most = 40
	all := i.Tensors
	if len(all) == 0 {
		return
	}
	var t figures.Table
	for _, x := range all[:min(len(all), most)] {
		t.Add(short(x.Name), x.DType, "["+figures.List(x.Shape, " ")+"]", figures.Bytes(x.Bytes))
	}
	w.paragraph("tensors", fmt.Sprintf("%s, of %s", figures.Count(int64(len(all))), figures.Plural(i.Parameters, "value")))
	t.Write(w, "  ", "  ", 0, 1, 2)
	if len(all) > most {
		w.paragraph("", fmt.Sprintf("and %s more, which --json lists", figures.Count(int64(len(all)-most))))
	}
}

// graph prints the graph of an ONNX file.
func (w sheet) graph(i lm.Inspection) {
	g := i.Graph
	kind := "an ONNX file"
	if g.Producer != "" {
		kind += " of " + short(g.Producer)
	}
	var opsets []string
	for _, o := range g.Opsets {
		opset := fmt.Sprintf("opset %d", o.Version)
		if o.Domain != "" {
			opset += " of " + short(o.Domain)
		}
		opsets = append(opsets, opset)
	}
	w.paragraph("kind", strings.Join(append([]string{kind, fmt.Sprintf("IR version %d", g.IRVersion)}, opsets...), ", "))
	nodes := 0
	var operators []string
	for _, o := range g.Operators {
		nodes += o.Nodes
		name := o.Name
		if o.Domain != "" {
			name = o.Domain + "." + name
		}
		if name = strings.Trim(short(name), `"`); o.Refused != "" {
			name += " (not supported)"
		}
		operators = append(operators, fmt.Sprintf("%d %s", o.Nodes, name))
	}
	w.paragraph("graph", fmt.Sprintf("%s: %s, %s of %s, %s", short(g.Name), figures.Plural(nodes, "node"),
		figures.Plural(g.Tensors, "tensor"), figures.Plural(i.Parameters, "parameter"), figures.Bytes(g.Bytes)))
	const most = 60
	if k := len(operators); k > most {
		operators = append(operators[:most:most], fmt.Sprintf("and %d more operators, which --json lists", k-most))
	}
	if nodes > 0 {
		w.paragraph("nodes", strings.Join(operators, ", "))
	}
	var cells []string
	for _, r := range g.Recurrent {
		cell := fmt.Sprintf("%s %s: %s, %s", r.Operator, short(r.Name), r.Direction, figures.Plural(r.Hidden, "unit"))
		if r.Input > 0 {
			cell += fmt.Sprintf(", reads vectors of %d", r.Input)
		}
		cells = append(cells, cell)
	}
	w.list("recurrent", cells)
	values := func(name string, all []lm.FileValue) {
		var lines []string
		for _, v := range all {
			lines = append(lines, short(v.Name)+" "+v.Type+" "+dimensions(v))
		}
		w.list(name, lines)
	}
	values("inputs", g.Inputs)
	values("outputs", g.Outputs)
}

// dimensions formats the shape of a value, such as [batch 1 ? 4].
func dimensions(v lm.FileValue) string {
	if !v.Ranked {
		return "of any shape"
	}
	dims := make([]string, len(v.Shape))
	for k, n := range v.Shape {
		switch {
		case n >= 0:
			dims[k] = strconv.Itoa(n)
		case v.Dims[k] != "":
			dims[k] = strings.Trim(short(v.Dims[k]), `"`)
		default:
			dims[k] = "?"
		}
	}
	return "[" + strings.Join(dims, " ") + "]"
}

// trainingOptions lists the fields of c that are set and that no other line shows, by
// their JSON names. So it shows options that are added later, too.
func trainingOptions(c lm.Config) (options []string) {
	shown := map[string]bool{"Kind": true, "Level": true, "Vocab": true, "Corpus": true, "SHA256": true, "TrainSeconds": true,
		"TrainTokens": true, "ValidBits": true, "Interrupted": true, "Order": true, "Hidden": true, "Int8": true}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if shown[field.Name] || v.Field(i).IsZero() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		name = strings.ReplaceAll(name, "_", " ")
		if v.Field(i).Kind() != reflect.Bool {
			name += fmt.Sprintf(" %v", v.Field(i))
		}
		options = append(options, name)
	}
	return options
}
