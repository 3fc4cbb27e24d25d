package lm

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/safetensors"
)

// A FileNetwork is a recurrent network in a file of tensors. A size of 0 is not there.
type FileNetwork struct {
	Cell       string `json:"cell"`
	Activation string `json:"activation,omitempty"` // of vanilla cells, if the file tells it
	Layers     int    `json:"layers"`
	Hidden     int    `json:"hidden"`
	Directions int    `json:"directions"`
	Projection int    `json:"projection,omitempty"`
	// Input is the number of ids, or the width of vectors. Reads is "ids" or "vectors", or
	// "" if the file doesn't tell.
	Input     int    `json:"input"`
	Reads     string `json:"reads,omitempty"`
	Embedding int    `json:"embedding,omitempty"`
	Output    int    `json:"output,omitempty"`
	Tied      bool   `json:"tied,omitempty"`
	Cutoffs   []int  `json:"cutoffs,omitempty"`
	Int8      bool   `json:"int8,omitempty"` // its weights are

	Parameters  int64 `json:"parameters,omitempty"`
	MemoryBytes int64 `json:"bytes,omitempty"` // in memory

	// What precedes the names of the tensors, such as "module.rnn.".
	Recurrent     string `json:"recurrent_name"`
	EmbeddingName string `json:"embedding_name,omitempty"`
	OutputName    string `json:"output_name,omitempty"`
	// Options are those that rnn.Load needs, as in Go, and Untold those of them that the
	// file leaves open.
	Options string   `json:"load_options,omitempty"`
	Untold  []string `json:"untold,omitempty"`
	Extra   []string `json:"extra,omitempty"`   // tensors that are not of the network
	Refused string   `json:"refused,omitempty"` // why rnn.Load does not take it
}

// A FileTensor is a tensor of a file.
type FileTensor struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
}

// isSafetensors says whether a file that begins so is one of tensors: the size of a header,
// below 2⁴⁰, and the header.
func isSafetensors(head []byte) bool {
	return len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < 1<<40
}

// safetensors describes a file of tensors.
func (i *Inspection) safetensors(file *os.File, size int64, e *kernels.Engine) error {
	i.Kind = SafetensorsFile
	f, err := safetensors.Open(file, size)
	if err != nil {
		return err
	}
	i.takeMetadata(f.Metadata)
	for _, t := range f.Tensors {
		i.Tensors = append(i.Tensors, FileTensor{t.Name, t.DType, append([]int{}, t.Shape...), t.Size()})
		i.Parameters += int64(t.Len())
	}
	networks, err := rnn.Find(f)
	switch {
	case err != nil:
		i.miss("a network that rnn.Load finds: %s", strings.TrimPrefix(err.Error(), "rnn: "))
	case len(networks) == 0:
		i.miss("a recurrent network: no name of a tensor ends in weight_hh_l0")
	}
	for _, n := range networks {
		i.Networks = append(i.Networks, newFileNetwork(n, e))
		if n.Err != nil {
			i.miss("network %.100q: what rnn.Load needs: %v", n.Recurrent, n.Err)
			continue
		}
		if n.NeedsActivation {
			i.miss("network %.100q: whether its cells have tanh or ReLU", n.Recurrent)
		}
		if n.NeedsInput {
			i.miss("network %.100q: whether it reads ids or vectors", n.Recurrent)
		}
		if n.Config.Output == 0 {
			i.miss("network %.100q: an output layer: its states are the output", n.Recurrent)
		}
	}
	if err := checkFinite(f, ""); err != nil {
		i.NotFinite = true
		i.miss("finite weights: %v", err)
	}
	i.miss("a vocabulary: its ids are numbers")
	return nil
}

func newFileNetwork(f rnn.Found, e *kernels.Engine) FileNetwork {
	n := describeNetwork(f.Config, e)
	n.Recurrent, n.EmbeddingName, n.OutputName, n.Extra = f.Recurrent, f.Embedding, f.Output, f.Extra
	if f.Err != nil {
		n.Refused, n.Reads, n.Parameters, n.MemoryBytes = f.Err.Error(), "", 0, 0
		if n.Hidden == 0 { // not even the cells
			n.Cell, n.Activation = "", ""
		}
		return n
	}
	var options []string
	set := func(name, value string) { options = append(options, name+": "+value) }
	if f.Options.Prefix != "" {
		set("Prefix", fmt.Sprintf("%q", f.Options.Prefix))
	}
	if f.Options.Recurrent != "" {
		set("Recurrent", fmt.Sprintf("%q", f.Options.Recurrent))
	}
	if f.NeedsActivation {
		n.Activation, n.Untold = "", append(n.Untold, "Activation")
		set("Activation", "rnn.Tanh /* or rnn.ReLU */")
	}
	if f.NeedsInput {
		n.Reads, n.Untold = "", append(n.Untold, "IDs or Dense")
		set("Dense", "true /* or IDs */")
	}
	if f.Options.IgnoreExtra {
		set("IgnoreExtra", "true")
	}
	n.Options = "rnn.LoadOptions{" + strings.Join(options, ", ") + "}"
	return n
}

// describeNetwork describes a network that is known by its Config.
func describeNetwork(c rnn.Config, e *kernels.Engine) FileNetwork {
	n := FileNetwork{
		Cell: c.Cell.String(), Layers: c.Layers, Hidden: c.Hidden, Directions: 1, Projection: c.Projection,
		Input: c.Input, Reads: "ids", Embedding: c.Embedding, Output: c.Output, Tied: c.Tied, Cutoffs: c.Cutoffs, Int8: c.Int8,
	}
	if c.Bidirectional {
		n.Directions = 2
	}
	if c.Dense {
		n.Reads = "vectors"
	}
	if c.Cell == rnn.Vanilla {
		n.Activation = c.Activation.String()
	}
	if c.Validate() == nil {
		n.Parameters, n.MemoryBytes = int64(c.Params()), c.Bytes(e)
	}
	return n
}

// network describes a file of [rnnlm.File].
func (i *Inspection) network(r io.Reader, size int64, e *kernels.Engine) error {
	i.Kind = NetworkFile
	m, err := rnnlm.Read(e, r, size)
	if err != nil {
		return err
	}
	i.Networks = []FileNetwork{describeNetwork(m.Config, e)}
	i.Parameters = int64(m.Config.Params())
	i.weights(m)
	i.miss("a vocabulary: its ids are numbers")
	return nil
}
