package rnn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"batchrnn/rnn/safetensors"
)

// WriteSafetensors writes the parameters to w and returns the number of bytes written.
// Names and layouts are those of PyTorch, where a weight is [outputs,inputs]. Without
// an output layer the file is the state_dict of a torch.nn.RNN, nn.LSTM or nn.GRU:
//
//	weight_ih_l0  [G·H,E]   Wxᵀ of the first cell
//	weight_hh_l0  [G·H,P]   Whᵀ
//	bias_ih_l0    [G·H]     Bh
//	bias_hh_l0    [G·H]     Br; zeros in a network of one bias, because PyTorch has two
//	weight_hr_l0  [P,H]     Wrᵀ, of an LSTM with a projection
//
// The G gates of H rows are in PyTorch's order: i, f, g, o of an LSTM; r, z, n of a GRU.
// No shape shows an order. Bring a file with another order, such as ONNX's, into this
// one first.
//
// Layers above have l1, l2 and so on, with W in the place of E. The second direction
// adds _reverse to the name.
//
// With an output layer the file is the state_dict of a module with two members. rnn is
// such a network, which reads one-hot vectors in the place of ids. Its names begin with
// "rnn.". out is an nn.Linear:
//
//	out.weight    [V,W]   Wyᵀ; of a tied output, the embedding or Wx
//	out.bias      [V]     By
//
// With an embedding there is a member embedding, an nn.Embedding, whose vectors rnn reads.
// rnn is then a member even without an output layer:
//
//	embedding.weight   [Input,E]   Params.We
//
// With an adaptive softmax out is an nn.AdaptiveLogSoftmaxWithLoss with head_bias. That
// module has no bias in its tails, so the last tensor is additional:
//
//	out.head.weight, out.head.bias     [Cutoffs[0]+K,W], [Cutoffs[0]+K]
//	out.tail.i.0.weight                [F,W]   Projᵀ of Tails[i]
//	out.tail.i.1.weight                [N,F]   its Wyᵀ
//	out.tail.i.1.bias                  [N]     its By
//
// The metadata holds what the shapes don't show. "cell" is the name of the [CellKind]:
// "gru-reset-before" is not PyTorch's GRU. "nonlinearity" is the activation of vanilla
// cells. "residual" and "time_skip" are connections that PyTorch lacks. "rnn.Config" is
// the whole Config as JSON, for [Load]. The same parameters give the same bytes.
func (m *Model) WriteSafetensors(w io.Writer) (int64, error) {
	m.checkWhole("WriteSafetensors")
	var out []safetensors.Floats
	for _, t := range m.Params.tensors(m.Config) {
		f := safetensors.Floats{Name: t.name, Shape: t.shape, Values: t.params}
		switch t.layout {
		case matrix:
			f.Values = make([]float32, len(t.params))
			transpose(f.Values, t.params, t.shape[1], t.shape[0])
		case secondBias:
			f.Values = make([]float32, len(t.params))
		}
		out = append(out, f)
	}
	metadata := m.metadata()
	config, err := json.Marshal(m.Config)
	if err != nil {
		return 0, fmt.Errorf("rnn: %w", err)
	}
	metadata[configKey] = string(config)
	return safetensors.Write(w, metadata, out)
}

// configKey is the key of the Config in a file's metadata.
const configKey = "rnn.Config"

// metadata returns the settings in which two networks of the same shapes may differ.
func (c Config) metadata() map[string]string {
	m := map[string]string{
		"cell":     c.Cell.String(),
		"residual": strconv.FormatBool(c.Residual),
	}
	if c.Cell == Vanilla {
		m["nonlinearity"] = c.Activation.String()
		m["time_skip"] = strconv.FormatFloat(float64(c.TimeSkip), 'g', -1, 32)
	}
	return m
}

// ReadSafetensors sets the parameters from a file of size bytes, as [Model.SetTensors]
// does.
func (m *Model) ReadSafetensors(r io.ReaderAt, size int64) error {
	m.checkWhole("ReadSafetensors")
	f, err := safetensors.Open(r, size)
	if err != nil {
		return fmt.Errorf("rnn: %w", err)
	}
	return m.SetTensors(f)
}

// SetTensors sets the parameters from a file, and prepares the model for the next pass.
// [Model.WriteSafetensors] or PyTorch may have written the file. The two biases are added,
// unless the model has both ([Config.TwoBiases]). F16 and BF16 are converted exactly, and
// F64 is rounded. NaN and infinities are accepted. Weights of two members of which
// safetensors.torch.save_model kept one are those of both.
//
// The file must have exactly the tensors of a network of this Config, in these shapes.
// Its metadata must agree with the model. Otherwise SetTensors returns an error and
// changes nothing. A file of other cells is refused by their name. Of a file whose names
// have a prefix, give what [safetensors.File.Behind] returns.
func (m *Model) SetTensors(f *safetensors.File) error {
	m.checkWhole("SetTensors")
	if err := m.readTensors(f); err != nil {
		return fmt.Errorf("rnn: %w", err)
	}
	return nil
}

func (m *Model) readTensors(f *safetensors.File) error {
	f = withShared(f)
	read := newParams(m.Config)
	tensors, stored := read.tensors(m.Config), byName(f)
	if prefix := prefixOf(f, tensors); prefix != "" {
		return fmt.Errorf("the names of the model's tensors all have the prefix %.100q in the file: give that prefix", prefix)
	}
	if err := m.checkKind(f); err != nil {
		return err
	}
	if err := m.checkEmbedding(f); err != nil {
		return err
	}
	if _, ok := f.Metadata["cell"]; m.Cell == GRUResetBefore && !ok {
		return fmt.Errorf("the file does not say its cell, so a GRU in it is PyTorch's, with the reset gate after the product, and the model's is %v: set Config.Cell to %v", m.Cell, GRU)
	}
	if key := m.disagrees(f.Metadata); key != "" {
		return fmt.Errorf("the file's %s is %.20q, the model's %q: make the model with the file's", key, f.Metadata[key], m.metadata()[key])
	}
	missing, extra := compare(f, stored, tensors)
	if len(missing)+len(extra) > 0 {
		var wrong []string
		if len(missing) > 0 {
			wrong = append(wrong, "has no "+list(missing))
		}
		if len(extra) > 0 {
			wrong = append(wrong, "has "+list(extra)+", which the model has not")
		}
		return errors.New("the file " + strings.Join(wrong, ", and ") + ": give the parameters of a network of the model's Config, and no more")
	}
	if t, shape := misfit(stored, tensors); t != nil {
		return fmt.Errorf("tensor %q has shape %.200s, the model's is %v: make the model with the file's sizes", t.name, shape, t.shape)
	}
	if err := fill(f, stored, tensors); err != nil {
		return err
	}
	m.engine.Copy(m.Slab, read.Slab)
	m.Update()
	return nil
}

// disagrees returns the first key under which a file's metadata says something else than
// c, or "".
func (c Config) disagrees(metadata map[string]string) string {
	own := c.metadata()
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if v, ok := metadata[key]; ok && v != own[key] {
			return key
		}
	}
	return ""
}

// fill sets the parameters of tensors to what a file has stored for them, in these shapes.
func fill(f *safetensors.File, stored map[string]safetensors.Tensor, tensors []tensor) error {
	for _, t := range tensors {
		values := t.params
		if t.layout != asIs {
			values = make([]float32, len(t.params))
		}
		if err := f.Floats(values, stored[t.name]); err != nil {
			return err
		}
		switch t.layout {
		case matrix:
			transpose(t.params, values, t.shape[0], t.shape[1])
		case secondBias:
			for i, v := range values {
				if v != 0 { // -0 stays -0
					t.params[i] += v
				}
			}
		case sharedWeight:
			for i, v := range values {
				if v != t.params[i] && (v == v || t.params[i] == t.params[i]) {
					return fmt.Errorf("tensor %.100q is not the same weights as those that read the ids, and the network's output is tied: leave Tied out of its Config", t.name)
				}
			}
		}
	}
	return nil
}

// checkKind returns an error if the shapes of a file are those of other cells.
func (m *Model) checkKind(f *safetensors.File) error {
	for _, t := range f.Tensors {
		if !strings.HasSuffix(t.Name, "weight_hh_l0") || len(t.Shape) != 2 || t.Shape[1] < 1 {
			continue
		}
		rows, units := t.Shape[0], t.Shape[1]
		if hr, ok := f.Tensor(strings.Replace(t.Name, "_hh_", "_hr_", 1)); ok && len(hr.Shape) == 2 {
			units = hr.Shape[1] // with a projection the columns are its outputs
		}
		if kind, ok := kindOf(rows, units); ok && kind.gates() != m.Cell.gates() {
			name, ok := f.Metadata["cell"]
			if !ok {
				name = kind.String()
			}
			return fmt.Errorf("tensor %q has %d·%d rows: the cells of the file are %.20s, the model's %v: set Config.Cell", t.Name, kind.gates(), units, name, m.Cell)
		}
	}
	return nil
}

// kindOf returns PyTorch's cell that has so many rows of Whᵀ for its hidden units.
func kindOf(rows, units int) (kind CellKind, ok bool) {
	for _, kind := range []CellKind{Vanilla, GRU, LSTM} {
		if g := kind.gates(); rows%g == 0 && rows/g == units {
			return kind, true
		}
	}
	return 0, false
}

// embeddingName is the name of the embedding in a file.
const embeddingName = "embedding.weight"

// checkEmbedding returns an error if only one of the file and the model has an embedding.
func (m *Model) checkEmbedding(f *safetensors.File) error {
	switch t, ok := f.Tensor(embeddingName); {
	case ok && !m.embeds():
		return fmt.Errorf("the file has an embedding, tensor %q of shape %.200s, and the model has none: set Config.Embedding", embeddingName, fmt.Sprint(t.Shape))
	case !ok && m.embeds():
		return fmt.Errorf("the file has no embedding, tensor %q, and the model's has width %d: leave Config.Embedding out", embeddingName, m.Embedding)
	}
	return nil
}

// prefixOf returns what stands before the names of all tensors in the file, "" if nothing
// does.
func prefixOf(f *safetensors.File, tensors []tensor) string {
	for _, stored := range f.Tensors {
		prefix, ok := strings.CutSuffix(stored.Name, tensors[0].name)
		if ok && prefix != "" && !slices.ContainsFunc(tensors, func(t tensor) bool {
			_, whole := f.Tensor(t.name)
			_, behind := f.Tensor(prefix + t.name)
			return whole || !behind
		}) {
			return prefix
		}
	}
	return ""
}

// withShared returns f with the tensors that safetensors.torch.save_model leaves out. Of
// weights that several members share it keeps one, and the metadata names it for the
// others.
func withShared(f *safetensors.File) *safetensors.File {
	stored, whole := byName(f), *f
	whole.Tensors = slices.Clip(f.Tensors)
	for _, name := range slices.Sorted(maps.Keys(f.Metadata)) {
		t, ok := stored[f.Metadata[name]]
		if _, there := stored[name]; ok && !there {
			t.Name = name
			whole.Tensors = append(whole.Tensors, t)
		}
	}
	return &whole
}

// byName returns the tensors of a file by their names.
func byName(f *safetensors.File) map[string]safetensors.Tensor {
	stored := make(map[string]safetensors.Tensor, len(f.Tensors))
	for _, t := range f.Tensors {
		stored[t.Name] = t
	}
	return stored
}

// compare returns the names of tensors that the file has not, and of those that it has
// beside them.
func compare(f *safetensors.File, stored map[string]safetensors.Tensor, tensors []tensor) (missing, extra []string) {
	wanted := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		wanted[t.name] = true
		if _, ok := stored[t.name]; !ok {
			missing = append(missing, t.name)
		}
	}
	for _, t := range f.Tensors {
		if !wanted[t.Name] {
			extra = append(extra, t.Name)
		}
	}
	return missing, extra
}

// misfit returns the first tensor that the file has in another shape, and that shape; nil
// if there is none.
func misfit(stored map[string]safetensors.Tensor, tensors []tensor) (t *tensor, shape string) {
	for i := range tensors {
		t := &tensors[i]
		if s := stored[t.name].Shape; !slices.Equal(s, t.shape) {
			return t, fmt.Sprint(s)
		}
	}
	return nil, ""
}

// list joins names for an error message. Of many names it shows only the first.
func list(names []string) string {
	const most = 8
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == most:
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			return b.String()
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.100q", name)
	}
	return b.String()
}

// A tensor is a part of the parameters as it stands in a file.
type tensor struct {
	role   role
	name   string
	shape  []int
	params []float32
	layout layout
}

// A layout is the relation of a tensor's values to the parameters.
type layout int

const (
	asIs         layout = iota // the parameters as they are
	matrix                     // the transpose of the parameters
	secondBias                 // added to the bias before it
	sharedWeight               // the parameters as they are, which an earlier matrix also holds
)

// tensors lists the parameters in the order of a file.
func (p *Params) tensors(c Config) []tensor {
	var all []tensor
	for _, w := range c.weights() {
		t := tensor{w.role, w.name, []int{w.cols, w.rows}, p.values(&w), matrix}
		switch {
		case w.bias():
			t.shape, t.layout = []int{w.cols}, asIs
		case w.role == embedding:
			t.shape, t.layout = []int{w.rows, w.cols}, asIs
		case w.tied:
			t.layout = sharedWeight
		}
		all = append(all, t)
		if w.role == cellBh && !c.twoBiases() {
			t.role, t.name, t.layout = cellBr, strings.Replace(t.name, "bias_ih", "bias_hh", 1), secondBias
			all = append(all, t)
		}
	}
	return all
}

// transpose sets dst, [cols,rows], to the transpose of src, [rows,cols].
func transpose(dst, src []float32, rows, cols int) {
	for i := range rows {
		for j := range cols {
			dst[j*rows+i] = src[i*cols+j]
		}
	}
}
