package onnx

import (
	"fmt"
	"slices"
)

// An operator is one of ONNX's standard operators.
type operator struct {
	since       int64 // the version from which on it is in the standard
	least, most int   // numbers of inputs
	outputs     int   // the maximum number of outputs
	attributes  map[string]int64
	// plan adds the steps of a node to its plan, and returns the outputs.
	plan func(*call) ([]*tensor, error)
}

// unlimited is the maximum number of inputs or outputs of operators without a limit.
const unlimited = 1 << 30

var operators map[string]operator

// The table is filled here because If refers to it.
func init() {
	ints, texts, number := int64(attributeInts), int64(attributeTexts), int64(attributeInt)
	real, text := int64(attributeFloat), int64(attributeString)
	recurrent := map[string]int64{
		"activation_alpha": attributeFloats, "activation_beta": attributeFloats, "activations": texts,
		"clip": real, "direction": text, "hidden_size": number, "layout": number,
	}
	with := func(name string) map[string]int64 {
		m := map[string]int64{name: number}
		for k, v := range recurrent {
			m[k] = v
		}
		return m
	}
	axis := map[string]int64{"axis": number}
	axes := map[string]int64{"axes": ints}
	reduce := map[string]int64{"axes": ints, "keepdims": number, "noop_with_empty_axes": number}
	unary := func(f func(*call) (unaryFunc, error), attributes ...string) operator {
		m := map[string]int64{}
		for _, name := range attributes {
			m[name] = real
		}
		return operator{1, 1, 1, 1, m, func(c *call) ([]*tensor, error) { return c.unary(f) }}
	}
	operators = map[string]operator{
		// Shapes: shape.go and pick.go
		"Cast":            {1, 1, 1, 1, map[string]int64{"to": number, "saturate": number}, (*call).cast},
		"Concat":          {1, 1, unlimited, 1, axis, (*call).concat},
		"Constant":        {1, 0, 0, 1, map[string]int64{"value": attributeTensor, "value_float": real, "value_floats": attributeFloats, "value_int": number, "value_ints": ints}, (*call).constant},
		"ConstantOfShape": {9, 1, 1, 1, map[string]int64{"value": attributeTensor}, (*call).constantOfShape},
		"Dropout":         {1, 1, 3, 2, map[string]int64{"ratio": real, "seed": number}, (*call).dropout},
		"Expand":          {8, 2, 2, 1, nil, (*call).expand},
		"Flatten":         {1, 1, 1, 1, axis, (*call).flatten},
		"Gather":          {1, 2, 2, 1, axis, (*call).gather},
		"Identity":        {1, 1, 1, 1, nil, (*call).identity},
		"OneHot":          {9, 3, 3, 1, axis, (*call).oneHot},
		"Pad":             {1, 1, 4, 1, map[string]int64{"mode": text, "pads": ints, "value": real}, (*call).pad},
		"Reshape":         {5, 2, 2, 1, map[string]int64{"allowzero": number}, (*call).reshape},
		"Shape":           {1, 1, 1, 1, map[string]int64{"start": number, "end": number}, (*call).shape},
		"Size":            {1, 1, 1, 1, nil, (*call).size},
		"Slice":           {1, 1, 5, 1, map[string]int64{"axes": ints, "starts": ints, "ends": ints}, (*call).slice},
		"Split":           {2, 1, 2, unlimited, map[string]int64{"axis": number, "split": ints, "num_outputs": number}, (*call).split},
		"Squeeze":         {1, 1, 2, 1, axes, (*call).squeeze},
		"Transpose":       {1, 1, 1, 1, map[string]int64{"perm": ints}, (*call).transpose},
		"Unsqueeze":       {1, 1, 2, 1, axes, (*call).unsqueeze},

		// Elements: math.go
		"Abs":         unary(plain(abs)),
		"Clip":        {6, 1, 3, 1, map[string]int64{"min": real, "max": real}, (*call).clip},
		"Elu":         unary(elu, "alpha"),
		"Erf":         {9, 1, 1, 1, nil, func(c *call) ([]*tensor, error) { return c.unary(plain(erf)) }},
		"Exp":         unary(exponential),
		"HardSigmoid": unary(hardSigmoid, "alpha", "beta"),
		"LeakyRelu":   unary(leakyRelu, "alpha"),
		"Log":         unary(logarithm),
		"Neg":         unary(plain(negative)),
		"Reciprocal":  unary(plain(reciprocal)),
		"Relu":        {1, 1, 1, 1, nil, applied("ReLU")},
		"Sigmoid":     {1, 1, 1, 1, nil, applied("Sigmoid")},
		"Softplus":    unary(plain(softplus)),
		"Softsign":    unary(plain(softsign)),
		"Sqrt":        unary(root),
		"Tanh":        {1, 1, 1, 1, nil, applied("Tanh")},

		"Add":            pairwise(add),
		"And":            pairwise(and),
		"Div":            pairwise(div),
		"Equal":          pairwise(equal),
		"Greater":        pairwise(greater),
		"Less":           pairwise(less),
		"Max":            {8, 1, unlimited, 1, nil, func(c *call) ([]*tensor, error) { return c.folded(largest) }},
		"Min":            {8, 1, unlimited, 1, nil, func(c *call) ([]*tensor, error) { return c.folded(smallest) }},
		"Mul":            pairwise(mul),
		"Not":            {1, 1, 1, 1, nil, (*call).not},
		"Or":             pairwise(or),
		"Pow":            pairwise(pow),
		"Sub":            pairwise(sub),
		"GreaterOrEqual": {12, 2, 2, 1, nil, func(c *call) ([]*tensor, error) { return c.binary(greaterOrEqual) }},
		"LessOrEqual":    {12, 2, 2, 1, nil, func(c *call) ([]*tensor, error) { return c.binary(lessOrEqual) }},
		"Where":          {9, 3, 3, 1, nil, (*call).where},

		"LogSoftmax": {1, 1, 1, 1, axis, (*call).softmax},
		"ReduceMax":  {1, 1, 2, 1, reduce, (*call).reduce},
		"ReduceMean": {1, 1, 2, 1, reduce, (*call).reduce},
		"ReduceSum":  {1, 1, 2, 1, reduce, (*call).reduce},
		"Softmax":    {1, 1, 1, 1, axis, (*call).softmax},

		// Means and variances: norm.go
		"BatchNormalization": {9, 5, 5, 1, map[string]int64{"epsilon": real, "momentum": real, "training_mode": number}, (*call).batchNormalization},
		"LayerNormalization": {17, 2, 3, 1, map[string]int64{"axis": number, "epsilon": real, "stash_type": number}, (*call).layerNormalization},

		// Products: product.go and conv.go
		"Conv":   {1, 2, 3, 1, map[string]int64{"auto_pad": text, "dilations": ints, "group": number, "kernel_shape": ints, "pads": ints, "strides": ints}, (*call).conv},
		"Gemm":   {7, 2, 3, 1, map[string]int64{"alpha": real, "beta": real, "transA": number, "transB": number}, (*call).gemm},
		"MatMul": {1, 2, 2, 1, nil, (*call).matMul},

		// Recurrent nodes: recurrent_node.go
		"GRU":  {7, 3, 6, 2, with("linear_before_reset"), (*call).recurrent},
		"LSTM": {7, 3, 8, 3, with("input_forget"), (*call).recurrent},
		"RNN":  {7, 3, 6, 2, recurrent, (*call).recurrent},

		// A graph in a graph
		"If": {1, 1, 1, unlimited, map[string]int64{"then_branch": attributeGraph, "else_branch": attributeGraph}, (*call).choose},
	}
}

// A move is the version from which on an operator has attributes as its inputs.
type move struct {
	version    int64
	attributes []string // in their place are inputs, from input 1 on
}

var moves = map[string]move{
	"Clip":       {11, []string{"min", "max"}},
	"Dropout":    {12, []string{"ratio"}},
	"Pad":        {11, []string{"pads", "value"}},
	"ReduceMax":  {18, []string{"axes"}},
	"ReduceMean": {18, []string{"axes"}},
	"ReduceSum":  {13, []string{"axes"}},
	"Slice":      {10, []string{"starts", "ends", "axes"}},
	"Split":      {13, []string{"split"}},
	"Squeeze":    {13, []string{"axes"}},
	"Unsqueeze":  {13, []string{"axes"}},
}

// moved says whether the operator has its attributes as inputs.
func (c *call) moved() bool { return c.m.opset >= moves[c.n.op].version }

// check returns an error if a node has attributes where its version has inputs, or inputs
// where it has attributes.
func (v move) check(n *node, opset int64) error {
	if opset < v.version {
		if len(n.inputs) > 1 {
			return fmt.Errorf("%s has %d inputs, which it has from version %d of the standard operators on, and the file has %d: damaged, export the model anew", n.label, len(n.inputs), v.version, opset)
		}
		return nil
	}
	for i := range n.attributes {
		if name := n.attributes[i].name; slices.Contains(v.attributes, name) {
			return fmt.Errorf("%s: the attribute %s became an input in version %d of the standard operators, and the file has %d: damaged, export the model anew", n.label, quote(name), v.version, opset)
		}
	}
	return nil
}

// choose takes the branch of an If. Its condition must be known when the plan is made. It
// may depend on the shapes of inputs, and on the values of integer inputs.
func (c *call) choose() ([]*tensor, error) {
	condition, err := c.values(0)
	if err != nil {
		return nil, err
	}
	if len(condition) != 1 {
		return nil, wrongShape("the condition", c.in[0], "one element")
	}
	branch := "else_branch"
	if condition[0] != 0 {
		branch = "then_branch"
	}
	g := c.n.graphs[branch]
	if g == nil {
		return nil, missing(branch)
	}
	out, err := c.graph(&scope{g, map[string]*tensor{}, c.s})
	for _, t := range out {
		t.shared = true
	}
	return out, err
}
