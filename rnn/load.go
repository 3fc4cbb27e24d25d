package rnn

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"batchrnn/kernels"
	"batchrnn/rnn/safetensors"
)

// LoadOptions say what a file does not tell, and which of its tensors are the network. For
// a file of [Model.WriteSafetensors] they may be empty.
type LoadOptions struct {
	// Activation is that of vanilla cells. PyTorch's files don't tell tanh from ReLU.
	Activation Activation
	// IDs and Dense say what a network without an embedding reads: ids, in the place of
	// one-hot vectors, or vectors. With Dense, Load looks for no embedding.
	IDs, Dense bool
	// LastStep gives each sequence one output, see [Config]. Of two directions that reads
	// PyTorch's h_n, not output[-1].
	LastStep bool

	// Prefix is what precedes the names of the network's tensors, such as "encoder.".
	// Tensors with other names are left out. Load finds members behind wrappers' prefixes,
	// such as "module." and "_orig_mod.", without it.
	Prefix string
	// Recurrent, Embedding and Output are the names of the members, behind Prefix: "lstm",
	// "encoder", "decoder". Each is needed only where several tensors fit. "." is a member
	// without a name.
	Recurrent, Embedding, Output string
	// IgnoreExtra leaves out tensors that are not of the network. Otherwise they are an
	// error, because what they did is missing.
	IgnoreExtra bool
}

// Load makes a model of a safetensors file of size bytes: the state_dict of a PyTorch
// module, or what [Model.WriteSafetensors] wrote. These members are read:
//
//	nn.RNN, nn.LSTM, nn.GRU         with every option; also one nn.RNNCell, nn.LSTMCell or nn.GRUCell
//	nn.Embedding                    in front, if there is one
//	nn.Linear                       behind, if there is one, with or without a bias
//	nn.AdaptiveLogSoftmaxWithLoss   in its place, with div_value 4
//
// Names and shapes tell the cell, the sizes, layers, directions and the projection. The
// recurrent member is found by the names of its weights. An embedding has the width that
// the first layer reads, [V,E], and no bias. An output layer has the width of the last
// layer, [V,W]. Where several tensors fit, Load takes those that leave fewest over. Then
// usual names decide, such as "embedding" and "encoder", "decoder", "linear", "fc" and
// "out". If that leaves a choice, Load returns an error with the candidates.
//
// Members with bias=False have biases of zero. Cells have two biases or none, and Load keeps
// the two apart ([Config.TwoBiases]). A GRU is PyTorch's, unless the metadata says otherwise. The output
// is tied if it has the bits of the embedding ([Config.Tied]), also where
// safetensors.torch.save_model kept only one of them. A Config in the metadata goes before
// all that, and must fit the shapes. No file holds batch_first and dropout: a model here
// is time-major and drops nothing.
//
// F16 and BF16 are converted exactly, and F64 is rounded. NaN and infinities are accepted.
// An error names the tensor or the option. Load allocates a few times the file's size.
func Load(e *kernels.Engine, r io.ReaderAt, size int64, o LoadOptions) (*Model, error) {
	if e == nil {
		return nil, errors.New("rnn: Load: the engine is nil: make one with kernels.New")
	}
	f, err := safetensors.Open(r, size)
	if err != nil {
		return nil, fmt.Errorf("rnn: %w", err)
	}
	m, err := load(e, withShared(f), o)
	if err != nil && o.Prefix != "" {
		return nil, fmt.Errorf("rnn: behind %.100q: %w", o.Prefix, err)
	}
	if err != nil {
		return nil, fmt.Errorf("rnn: %w", err)
	}
	return m, nil
}

func load(e *kernels.Engine, f *safetensors.File, o LoadOptions) (*Model, error) {
	f, err := f.Behind(o.Prefix)
	if err != nil {
		return nil, err
	}
	n, extra, err := look(f, o)
	switch {
	case err != nil:
		return nil, err
	case len(extra) > 0 && !o.IgnoreExtra:
		return nil, fmt.Errorf("the file has %s beside %v: set LoadOptions.IgnoreExtra to leave that out, or name other members", list(extra), n)
	}
	if err := n.ask(o); err != nil {
		return nil, err
	}
	m := zeroModel(e, n.config)
	if err := fill(f, n.stored, n.tensors(&m.Params)); err != nil {
		return nil, err
	}
	m.Update()
	return m, nil
}

// look finds the network in a file, and checks all names and shapes before anything is
// allocated. extra are the names of tensors that it hasn't. After an error n is what was
// found before.
func look(f *safetensors.File, o LoadOptions) (n *found, extra []string, err error) {
	if n, err = find(f, o); err != nil {
		return n, nil, err
	}
	empty := emptyParams(n.config)
	tensors := n.tensors(&empty)
	missing, extra := compare(f, n.stored, tensors)
	if len(missing) > 0 {
		return n, nil, fmt.Errorf("the file has no %s, which belongs to %v: give the whole state_dict", list(missing), n)
	}
	if t, shape := misfit(n.stored, tensors); t != nil {
		return n, nil, fmt.Errorf("tensor %.100q has shape %.200s, that of %v is %v: give the state_dict as PyTorch saves it", t.name, shape, n, t.shape)
	}
	for _, t := range tensors {
		if err := n.stored[t.name].CheckFloats(); err != nil {
			return n, nil, err
		}
	}
	return n, extra, nil
}

// A Found is a network in a file of tensors.
type Found struct {
	// Config is what the file tells. Without NeedsActivation and NeedsInput it is all that
	// Load sets. After an Err it holds the sizes of the cells, if these were found.
	Config Config
	// Options are those with which Load finds the network. They lack what the file does not
	// tell: Activation if NeedsActivation, and one of IDs and Dense if NeedsInput.
	Options                     LoadOptions
	NeedsActivation, NeedsInput bool
	// Recurrent, Embedding and Output are what precedes the names of the tensors, such as
	// "module.rnn.".
	Recurrent, Embedding, Output string
	Extra                        []string // names of tensors that the network hasn't
	Err                          error    // why Load refuses it
}

// maxFound is the maximum number of networks that Find returns.
const maxFound = 32

// Find returns the networks in a file, one for each recurrent member, in the order of the
// file, and what Load must be told of each. Of more than 32 it returns the first ones. It
// reads no data but that of embeddings and output layers, which may be the same.
func Find(f *safetensors.File) ([]Found, error) {
	f = withShared(f)
	all, err := groups(f)
	if err != nil {
		return nil, fmt.Errorf("rnn: %w", err)
	}
	var networks []Found
	for _, g := range all[:min(len(all), maxFound)] {
		try := []LoadOptions{{}}
		if len(all) > 1 {
			try = nil
			path := strings.TrimSuffix(g.member, ".")
			switch i := strings.LastIndexAny(path, "./"); {
			case path == g.member && path != "": // the names of its weights follow no dot
				try = append(try, LoadOptions{Prefix: path})
			case i >= 0:
				try = append(try, LoadOptions{Prefix: path[:i+1]})
			}
			try = append(try, LoadOptions{Recurrent: cmp.Or(path, ".")})
		}
		var network Found
		for _, o := range try {
			if network = findWith(f, o); network.Err == nil {
				break
			}
		}
		network.Recurrent = g.member
		networks = append(networks, network)
	}
	return networks, nil
}

// findWith returns the network that Load finds with these options.
func findWith(f *safetensors.File, o LoadOptions) Found {
	f, err := f.Behind(o.Prefix)
	if err != nil {
		return Found{Options: o, Err: err}
	}
	n, extra, err := look(f, o)
	o.IgnoreExtra = len(extra) > 0
	network := Found{
		Config: n.config, Options: o, NeedsActivation: n.needsActivation(), NeedsInput: n.needsInput(o),
		Extra: extra, Err: err,
	}
	if n.config.embeds() {
		network.Embedding = o.Prefix + n.embedding
	}
	if n.config.Output > 0 {
		network.Output = o.Prefix + n.output
	}
	return network
}

// A found network is what a file holds: its Config, and the names of its tensors.
type found struct {
	config            Config
	says              *Config // in the file's metadata; nil if it has none
	cells             group
	embedding, output string        // what precedes the names of their tensors
	absent            map[role]bool // biases that the file need not have: WriteSafetensors writes them all
	stored            map[string]safetensors.Tensor
}

// String names the members, for an error message.
func (n *found) String() string {
	c := &n.config
	s := fmt.Sprintf("the %v", c.Cell)
	if n.cells.member != "" {
		s += fmt.Sprintf(" %.100q", n.cells.member)
	}
	if s += " of layer 0"; c.Layers > 1 {
		s += fmt.Sprintf(" to %d", c.Layers-1)
	}
	if c.Bidirectional {
		s += " in 2 directions"
	}
	if c.embeds() {
		s += fmt.Sprintf(", embedding %.100q", n.embedding)
	}
	if c.Output > 0 {
		s += fmt.Sprintf(", output %.100q", n.output)
	}
	return s
}

// tensors lists the parameters under the file's names, without those that it may lack.
func (n *found) tensors(p *Params) []tensor {
	all := p.tensors(n.config)
	for i := range all {
		all[i].name = n.name(all[i].name)
	}
	return slices.DeleteFunc(all, func(t tensor) bool { return n.absent[t.role] })
}

// name returns the file's name of a tensor that [Model.WriteSafetensors] would call table.
func (n *found) name(table string) string {
	if table == embeddingName {
		return n.embedding + "weight"
	}
	if rest, ok := strings.CutPrefix(table, "out."); ok {
		return n.output + rest
	}
	table = strings.TrimPrefix(table, "rnn.")
	if name, ok := n.cells.names[table]; ok {
		return name
	}
	return n.cells.member + table
}

// has says whether the file has a tensor of that name.
func (n *found) has(name string) bool {
	_, ok := n.stored[name]
	return ok
}

// matrix returns the sizes of a tensor, which must be a matrix.
func (n *found) matrix(name string) (rows, cols int, err error) {
	t, ok := n.stored[name]
	if !ok {
		return 0, 0, fmt.Errorf("the file has no %.100q: give the whole state_dict", name)
	}
	if len(t.Shape) != 2 || t.Shape[0] < 1 || t.Shape[1] < 1 {
		return 0, 0, fmt.Errorf("tensor %.100q has shape %.200s, want a matrix: give the state_dict as PyTorch saves it", name, fmt.Sprint(t.Shape))
	}
	return t.Shape[0], t.Shape[1], nil
}

// find finds the network in a file. After an error it returns what was found before.
func find(f *safetensors.File, o LoadOptions) (*found, error) {
	n := &found{absent: map[role]bool{}, stored: byName(f)}
	if err := n.takeConfig(f.Metadata); err != nil {
		return n, err
	}
	if err := n.findCells(f, o.Recurrent); err != nil {
		return n, err
	}
	if err := n.findEnds(f, o); err != nil {
		return n, err
	}
	if err := n.takeMetadata(f.Metadata); err != nil {
		return n, err
	}
	if err := n.takeOptions(o); err != nil {
		return n, err
	}
	return n, n.config.valid()
}

// valid is Validate without the name of the package.
func (c *Config) valid() error {
	if err := c.Validate(); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "rnn: "))
	}
	return nil
}

// A group holds the tensors of one recurrent member.
type group struct {
	member  string            // what precedes the names of the weights
	names   map[string]string // in the file, by PyTorch's names of the weights
	layers  int
	reverse bool
}

// has says whether any cell has such a weight.
func (g *group) has(kind string) bool {
	for name := range g.names {
		if strings.HasPrefix(name, kind) {
			return true
		}
	}
	return false
}

// cellName matches the names of an nn.RNN's weights, and of an nn.RNNCell's.
var cellName = regexp.MustCompile(`(?s)^(.*)(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)(?:_l(0|[1-9][0-9]{0,5})(_reverse)?)?$`)

// groups returns the recurrent members of a file, in its order.
func groups(f *safetensors.File) ([]*group, error) {
	var all []*group
	known := map[string]*group{}
	for _, t := range f.Tensors {
		part := cellName.FindStringSubmatch(t.Name)
		if part == nil {
			continue
		}
		member, layer, reverse := part[1], cmp.Or(part[3], "0"), part[4]
		g := known[member]
		if g == nil {
			g = &group{member: member, names: map[string]string{}}
			known[member] = g
			all = append(all, g)
		}
		name := part[2] + "_l" + layer + reverse
		if other, ok := g.names[name]; ok {
			return nil, fmt.Errorf("tensors %.100q and %.100q are the same weight of a cell: leave one out", other, t.Name)
		}
		g.names[name] = t.Name
		k, err := strconv.Atoi(layer)
		if err != nil {
			return nil, err
		}
		g.layers = max(g.layers, k+1)
		g.reverse = g.reverse || reverse != ""
	}
	return slices.DeleteFunc(all, func(g *group) bool { return !g.has("weight_hh") }), nil
}

// findCells finds the recurrent member and its sizes.
func (n *found) findCells(f *safetensors.File, name string) error {
	all, err := groups(f)
	if err != nil {
		return err
	}
	var members []string
	for _, g := range all {
		members = append(members, g.member)
	}
	if name != "" {
		all = slices.DeleteFunc(all, func(g *group) bool { return g.member != member(name) })
	}
	switch {
	case len(members) == 0:
		return errors.New("no name of a tensor ends in weight_hh_l0: give the state_dict of a module with an nn.RNN, nn.LSTM or nn.GRU")
	case len(all) == 0:
		return fmt.Errorf("LoadOptions.Recurrent is %.100q, and the recurrent networks of the file are %s: name one of them", name, list(members))
	case len(all) > 1:
		return fmt.Errorf("the file has the recurrent networks %s: name one in LoadOptions.Recurrent, or what precedes it in Prefix", list(members))
	}
	n.cells = *all[0]
	g := &n.cells
	if g.layers > maxLayers {
		return fmt.Errorf("the recurrent network %.100q has a layer %d, at most %d are supported: number the layers from 0", g.member, g.layers-1, maxLayers)
	}

	hh, ih := n.name("weight_hh_l0"), n.name("weight_ih_l0")
	rows, cols, err := n.matrix(hh)
	if err != nil {
		return err
	}
	_, inputs, err := n.matrix(ih)
	if err != nil {
		return err
	}
	kind, units, projection := LSTM, cols, 0
	if g.has("weight_hr") {
		hr := n.name("weight_hr_l0")
		if projection, units, err = n.matrix(hr); err != nil {
			return err
		}
		if cols != projection || units <= projection || rows%4 != 0 || rows/4 != units {
			return fmt.Errorf("tensor %.100q has shape [%d %d], and %.100q [%d %d]: an nn.LSTM with a projection has [4·H P] and [P H], P below H: give the state_dict as PyTorch saves it",
				hh, rows, cols, hr, projection, units)
		}
	} else {
		var ok bool
		if kind, ok = kindOf(rows, cols); !ok {
			return fmt.Errorf("tensor %.100q has shape [%d %d]: its rows must be 1 (nn.RNN), 3 (nn.GRU) or 4 times (nn.LSTM) its columns; an nn.LSTM with a projection also has weight_hr_l0: give the whole state_dict", hh, rows, cols)
		}
	}
	first, second := g.has("bias_ih"), g.has("bias_hh")
	none := n.says == nil && !first && !second
	n.absent[cellBh], n.absent[cellBr] = none, none
	n.config = Config{
		Input: inputs, Layers: g.layers, Hidden: units, Cell: kind, Projection: projection,
		TwoBiases: second, Bidirectional: g.reverse,
	}
	return nil
}

// member returns what precedes the names of a member's tensors.
func member(name string) string {
	if name = strings.TrimSuffix(name, "."); name != "" {
		name += "."
	}
	return name
}

// An end is a candidate for the embedding or the output layer.
type end struct {
	member string
	rows   int
	bias   bool
	tails  int  // of an adaptive softmax; 0 of an nn.Linear
	named  bool // its name is that of such a layer
}

// tensors returns how many tensors an end explains, of which a tail counts as one.
func (d *end) tensors() int {
	if d == nil {
		return 0
	}
	n := 1 + d.tails
	if d.bias {
		n++
	}
	return n
}

var (
	embeddingNames = regexp.MustCompile(`(?i)emb[^.]*\.$|(^|\.)(encoder|wte)\.$`)
	outputNames    = regexp.MustCompile(`(?i)(^|\.)(out|linear|fc|head|lm_head|classifier|hidden2|h2o)[^.]*\.$|(^|\.)decoder\.$`)
)

// ends returns what the file has in the shapes of embeddings and output layers.
func (n *found) ends(f *safetensors.File) (embeddings, outputs []*end) {
	tails := map[string]int{} // the numbers of clusters of adaptive softmaxes
	for _, t := range f.Tensors {
		if base, ok := strings.CutSuffix(t.Name, "head.weight"); ok {
			for n.has(base + tailName(tails[base]) + "0.weight") {
				tails[base]++
			}
		}
	}
	c := &n.config
	for _, t := range f.Tensors {
		name, ok := strings.CutSuffix(t.Name, "weight")
		if !ok || len(t.Shape) != 2 || t.Shape[0] < 1 || name != "" && !strings.HasSuffix(name, ".") {
			continue
		}
		if base, _, ok := strings.Cut(name, "tail."); ok && tails[base] > 0 {
			continue
		}
		bias := n.has(name + "bias")
		base, head := strings.CutSuffix(name, "head.")
		if head = head && tails[base] > 0; head {
			name = base
		}
		if t.Shape[1] == c.Input && !bias && !head {
			embeddings = append(embeddings, &end{member: name, rows: t.Shape[0], named: embeddingNames.MatchString(name)})
		}
		if t.Shape[1] == c.width() {
			d := &end{member: name, rows: t.Shape[0], bias: bias, named: outputNames.MatchString(name)}
			if head {
				d.tails = tails[base]
			}
			outputs = append(outputs, d)
		}
	}
	return embeddings, outputs
}

// tailName is the name of cluster i behind the member's.
func tailName(i int) string { return fmt.Sprintf("tail.%d.", i) }

// findEnds finds the embedding and the output layer.
func (n *found) findEnds(f *safetensors.File, o LoadOptions) error {
	switch {
	case o.IDs && o.Dense:
		return errors.New("LoadOptions has both IDs and Dense: leave one out")
	case o.Dense && o.Embedding != "":
		return errors.New("LoadOptions has both Dense and Embedding, which is for ids: leave one out")
	case n.says != nil && (o.IDs && n.says.Dense || o.Dense && !n.says.Dense):
		return fmt.Errorf("the file's metadata %s says that Dense is %v: leave LoadOptions.IDs and Dense out", configKey, n.says.Dense)
	}
	embeddings, outputs := n.ends(f)
	if o.Dense || n.says != nil && !n.says.embeds() {
		embeddings = nil
	}
	if n.says != nil && n.says.Output == 0 {
		outputs = nil
	}
	c := &n.config
	embeddings, err := n.only("Embedding", o.Embedding, embeddings, c.Input)
	if err != nil {
		return err
	}
	outputs, err = n.only("Output", o.Output, outputs, c.width())
	if err != nil {
		return err
	}
	embedding, output, err := choose(embeddings, outputs, o)
	if err != nil {
		return err
	}
	if embedding != nil {
		n.embedding = embedding.member
		c.Input, c.Embedding = embedding.rows, c.Input
	}
	if output == nil {
		return nil
	}
	n.output, c.Output = output.member, output.rows
	n.absent[headBy] = n.says == nil && !output.bias
	if output.tails > 0 {
		return n.findTails(output)
	}
	if c.embeds() {
		c.Tied, err = f.Same(n.stored[n.name(embeddingName)], n.stored[n.name("out.weight")])
	}
	return err
}

// findTails finds the cutoffs of an adaptive softmax.
func (n *found) findTails(d *end) error {
	if d.tails > MaxCutoffs {
		return fmt.Errorf("the adaptive softmax %.100q has %d clusters, at most %d are supported: train it with fewer cutoffs", d.member, d.tails, MaxCutoffs)
	}
	n.config.Output -= d.tails
	n.absent[tailBy] = n.says == nil
	for i := range d.tails {
		n.config.Cutoffs = append(n.config.Cutoffs, n.config.Output)
		rows, _, err := n.matrix(d.member + tailName(i) + "1.weight")
		if err != nil {
			return err
		}
		n.config.Output += rows
		if n.has(d.member + tailName(i) + "1.bias") { // as WriteSafetensors has it, not PyTorch
			n.absent[tailBy] = false
		}
	}
	return nil
}

// only returns the candidate that an option names, or all if it names none.
func (n *found) only(option, name string, all []*end, width int) ([]*end, error) {
	if name == "" {
		return all, nil
	}
	for _, d := range all {
		if d.member == member(name) {
			return []*end{d}, nil
		}
	}
	weight := member(name) + "weight"
	if t, ok := n.stored[weight]; ok {
		return nil, fmt.Errorf("LoadOptions.%s is %.100q, and tensor %.100q of shape %.200s does not fit %v: want %d columns, of an embedding without a bias: name another, or none",
			option, name, weight, fmt.Sprint(t.Shape), n, width)
	}
	return nil, fmt.Errorf("LoadOptions.%s is %.100q, and the file has no %.100q: name one of its members, or none", option, name, weight)
}

// choose returns the candidates that explain most tensors of the file, and among those
// the ones with such names. Either is nil if the file has none.
func choose(embeddings, outputs []*end, o LoadOptions) (embedding, output *end, err error) {
	const most = 32 // more are not told apart by names
	if len(embeddings) > most || len(outputs) > most {
		return nil, nil, ambiguous(embeddings, outputs)
	}
	if o.Embedding == "" {
		embeddings = append(embeddings, nil)
	}
	if o.Output == "" {
		outputs = append(outputs, nil)
	}
	best, tie := -1, false
	for _, e := range embeddings {
		for _, d := range outputs {
			if e != nil && d != nil && e.member == d.member {
				continue
			}
			score := 3 * (e.tensors() + d.tensors()) // above both names
			if e != nil && e.named {
				score++
			}
			if d != nil && d.named {
				score++
			}
			if score > best {
				best, tie, embedding, output = score, false, e, d
			} else if score == best {
				tie = true
			}
		}
	}
	if tie || best < 0 {
		return nil, nil, ambiguous(embeddings, outputs)
	}
	return embedding, output, nil
}

// ambiguous returns an error that names the candidates.
func ambiguous(embeddings, outputs []*end) error {
	say := func(all []*end, what, option string) string {
		var names []string
		for _, d := range all {
			if d != nil {
				names = append(names, d.member+"weight")
			}
		}
		if len(names) == 0 {
			return ""
		}
		return fmt.Sprintf("%s may be %s (LoadOptions.%s)", list(names), what, option)
	}
	parts := slices.DeleteFunc([]string{
		say(embeddings, "the embedding", "Embedding"), say(outputs, "the output layer", "Output"),
	}, func(s string) bool { return s == "" })
	return fmt.Errorf("%s: set those options, so that one of each is left", strings.Join(parts, ", and "))
}

// takeConfig reads the Config in a file's metadata, as WriteSafetensors writes it.
func (n *found) takeConfig(metadata map[string]string) error {
	text, ok := metadata[configKey]
	if !ok {
		return nil
	}
	n.says = new(Config)
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields() // an unknown field may change what the network computes
	err := d.Decode(n.says)
	if err == nil {
		err = n.says.valid()
	}
	if err != nil {
		return fmt.Errorf("the file's metadata %s: %.200w: damaged, or of a newer program", configKey, err)
	}
	return nil
}

// takeMetadata completes the Config by what a file says of itself.
func (n *found) takeMetadata(metadata map[string]string) error {
	if n.says == nil {
		return n.config.takeOldMetadata(metadata)
	}
	c, says := &n.config, n.says
	for _, field := range []struct {
		name      string
		says, has any
	}{
		{"Input", says.Input, c.Input}, {"Layers", says.Layers, c.Layers}, {"Hidden", says.Hidden, c.Hidden},
		{"Output", says.Output, c.Output}, {"Projection", says.Projection, c.Projection}, {"Embedding", says.Embedding, c.Embedding},
		{"Bidirectional", says.Bidirectional, c.Bidirectional}, {"Cutoffs", says.Cutoffs, c.Cutoffs},
		{"Int8", says.Int8, false}, // tensors are floats
	} {
		if a, b := fmt.Sprint(field.says), fmt.Sprint(field.has); a != b {
			return fmt.Errorf("the file's metadata %s says that %s is %s, and its tensors that it is %s: damaged, or changed by hand: leave the metadata out", configKey, field.name, a, b)
		}
	}
	if says.Cell.gates() != c.Cell.gates() {
		return fmt.Errorf("the file's metadata %s says that its cells are %v, and its tensors that they are %v: damaged, or changed by hand: leave the metadata out", configKey, says.Cell, c.Cell)
	}
	*c = *says
	if key := c.disagrees(metadata); key != "" {
		return fmt.Errorf("the file's metadata %s is %.20q, and its %s says %q: damaged, or changed by hand: leave the metadata out", key, metadata[key], configKey, c.metadata()[key])
	}
	return nil
}

// takeOldMetadata completes c by the keys that files had before they held the Config.
func (c *Config) takeOldMetadata(metadata map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		var err error
		switch text := metadata[key]; key {
		case "cell":
			gates := c.Cell.gates()
			if err = c.Cell.UnmarshalText([]byte(text)); err == nil && c.Cell.gates() != gates {
				err = fmt.Errorf("the shapes are those of %d gates", gates)
			}
		case "nonlinearity":
			if c.Cell == Vanilla {
				err = c.Activation.UnmarshalText([]byte(text))
			}
		case "residual":
			c.Residual, err = strconv.ParseBool(text)
		case "time_skip":
			var skip float64
			skip, err = strconv.ParseFloat(text, 32)
			c.TimeSkip = float32(skip)
		}
		if err != nil {
			return fmt.Errorf("the file's metadata %s is %.20q: %.200w: damaged, or of another program: leave it out", key, metadata[key], err)
		}
	}
	return nil
}

// takeOptions completes the Config by the caller's options.
func (n *found) takeOptions(o LoadOptions) error {
	c := &n.config
	switch {
	case o.Activation != 0 && c.Cell != Vanilla:
		return fmt.Errorf("the activations of %v cells are fixed: leave LoadOptions.Activation out", c.Cell)
	case o.Activation != 0 && c.Activation != 0 && o.Activation != c.Activation:
		return fmt.Errorf("the file's metadata says that the activation is %v, LoadOptions.Activation %v: leave it out", c.Activation, o.Activation)
	case o.LastStep && c.Output == 0:
		return errors.New("LoadOptions.LastStep asks for one output, and the file has no output layer: leave it out, and read the last state")
	}
	c.Activation = cmp.Or(c.Activation, o.Activation)
	c.Dense = c.Dense || o.Dense
	c.LastStep = c.LastStep || o.LastStep
	return nil
}

// needsActivation says whether neither the file nor an option tells the activation.
func (n *found) needsActivation() bool { return n.config.Cell == Vanilla && n.config.Activation == 0 }

// needsInput says whether neither the file nor an option tells what the network reads.
func (n *found) needsInput(o LoadOptions) bool {
	return n.says == nil && !n.config.embeds() && !o.IDs && !o.Dense
}

// ask returns an error that asks for what neither the file nor an option tells.
func (n *found) ask(o LoadOptions) error {
	var ask []string
	if n.needsActivation() {
		ask = append(ask, "whether its cells have tanh or ReLU: set LoadOptions.Activation")
	}
	if n.needsInput(o) {
		ask = append(ask, "whether it reads ids or vectors: set LoadOptions.IDs or Dense")
	}
	if ask != nil {
		return fmt.Errorf("the file does not say of %v %s", n, strings.Join(ask, ", nor "))
	}
	return nil
}
