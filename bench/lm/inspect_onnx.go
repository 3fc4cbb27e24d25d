package lm

import (
	"cmp"
	"io"
	"slices"

	"batchrnn/rnn/onnx"
)

// A FileGraph is the graph of an ONNX file.
type FileGraph struct {
	Name      string          `json:"name"`
	Producer  string          `json:"producer"`
	IRVersion int64           `json:"ir_version"`
	Opsets    []FileOpset     `json:"opsets"`
	Inputs    []FileValue     `json:"inputs"`
	Outputs   []FileValue     `json:"outputs"`
	Operators []FileOperator  `json:"operators"` // the most frequent first
	Recurrent []FileRecurrent `json:"recurrent"`

	Tensors  int      `json:"tensors"` // with a value
	Bytes    int64    `json:"bytes"`   // of all tensors in the file
	External []string `json:"external,omitempty"`
	Refused  []string `json:"refused,omitempty"` // why onnx.Load does not take it
}

// A FileOpset is a set of operators that a graph needs.
type FileOpset struct {
	Domain  string `json:"domain"` // "" for ONNX's own
	Version int64  `json:"version"`
}

// A FileValue is an input or an output of a graph.
type FileValue struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Ranked bool     `json:"ranked"` // the file tells the number of dimensions
	Shape  []int    `json:"shape"`  // -1 for a size that is free
	Dims   []string `json:"dims"`   // the names of free sizes
}

// A FileOperator is an operator that a graph has.
type FileOperator struct {
	Name    string `json:"name"`
	Domain  string `json:"domain,omitempty"` // "" for ONNX's own
	Nodes   int    `json:"nodes"`
	Refused string `json:"refused,omitempty"` // why the first of its nodes that is not supported is not
}

// A FileRecurrent is a node that is an RNN, GRU or LSTM. A size of 0 is not known.
type FileRecurrent struct {
	Name      string `json:"name"`
	Operator  string `json:"operator"`
	Direction string `json:"direction"`
	Input     int    `json:"input"`
	Hidden    int    `json:"hidden"`
}

// onnx describes an ONNX file.
func (i *Inspection) onnx(r io.Reader) error {
	i.Kind = ONNXFile
	d, err := onnx.Describe(r)
	if err != nil {
		return err
	}
	g := &FileGraph{
		Name: d.Graph, Producer: d.Producer, IRVersion: d.IRVersion, Opsets: []FileOpset{}, Recurrent: []FileRecurrent{},
		Inputs: fileValues(d.Inputs), Outputs: fileValues(d.Outputs), Operators: []FileOperator{},
		Tensors: d.Tensors, Bytes: d.Bytes, External: d.External, Refused: d.Refused,
	}
	i.Graph, i.Parameters = g, d.Parameters
	i.takeMetadata(d.Metadata)
	for domain, version := range d.Opsets {
		g.Opsets = append(g.Opsets, FileOpset{domain, version})
	}
	slices.SortFunc(g.Opsets, func(a, b FileOpset) int { return cmp.Compare(a.Domain, b.Domain) })
	for _, o := range d.Recurrent {
		g.Recurrent = append(g.Recurrent, FileRecurrent{o.Node, o.Operator, o.Direction, o.Inputs, o.Units})
	}
	said := map[string]bool{}
	for _, reason := range d.Refused {
		said[reason] = true
		i.miss("%s", reason)
	}
	for _, o := range d.Operators {
		g.Operators = append(g.Operators, FileOperator{o.Name, o.Domain, o.Nodes, o.Refused})
		if o.Refused != "" && !said[o.Refused] {
			i.miss("%s (in a branch: a run that takes it fails)", o.Refused)
		}
	}
	for _, file := range d.External {
		i.miss("the weights in %.100q, another file", file)
	}
	return nil
}

func fileValues(all []onnx.Value) []FileValue {
	out := []FileValue{}
	for _, v := range all {
		out = append(out, FileValue{v.Name, v.Type.String(), v.Shape != nil, append([]int{}, v.Shape...), append([]string{}, v.Dims...)})
	}
	return out
}
