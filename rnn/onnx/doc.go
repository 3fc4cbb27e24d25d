// Package onnx runs recurrent networks in ONNX files, and writes networks of package rnn
// as such files.
//
//	engine, err := kernels.New("", 1)         // one thread; more are worth it for large models
//	m, err := onnx.Load(engine, file)
//	for _, v := range m.Inputs() {
//		fmt.Println(v)                    // "input" float[batch,512]
//	}
//	x := &onnx.Tensor{Shape: []int{1, 512}, Floats: samples}
//	y := new(onnx.Tensor)
//	err = m.Run(map[string]*onnx.Tensor{"input": x}, map[string]*onnx.Tensor{"output": y})
//
// # What runs
//
// Versions 7 to 24 of the standard operators are read. There are
//
//	recurrent   GRU LSTM RNN, with all attributes
//	products    Conv (of one axis) Gemm MatMul
//	shapes      Cast Concat Constant ConstantOfShape Dropout Expand Flatten Gather Identity
//	            OneHot Pad Reshape Shape Size Slice Split Squeeze Transpose Unsqueeze
//	elements    Abs Add And Clip Div Elu Equal Erf Exp Greater GreaterOrEqual HardSigmoid
//	            LeakyRelu Less LessOrEqual Log Max Min Mul Neg Not Or Pow Reciprocal Relu
//	            Sigmoid Softplus Softsign Sqrt Sub Tanh Where
//	axes        BatchNormalization LayerNormalization LogSoftmax ReduceMax ReduceMean
//	            ReduceSum Softmax
//	branches    If
//
// on tensors of float, int64, int32 and bool. Anything else in a file is refused by an
// error that names the node or the tensor.
//
// These have limits:
//
//	Abs … Tanh    functions of one tensor take floats, and so does Pow
//	Cast          to one of the four types
//	Conv          weights stand in the file
//	Div           of integers by 0 is 0
//	Dropout       passes its input on; has no mask
//	GRU LSTM RNN  at least one step and one sequence
//	OneHot        the new axis comes last
//	Pad           modes constant, edge and reflect; negative pads in mode constant;
//	              the value stands in the file
//	ReduceMax     of at least one element
//	ReduceMean    of floats, at least one
//
// Where ONNX Runtime differs from the standard, the results are its own. Clip without a
// bound has that of the largest float. In Slice the largest int32 or int64 as an end means
// the end that lies ahead, for negative steps the front. An alpha that a recurrent node
// leaves out is 0 for Affine, ScaledTanh and ThresholdedRelu. A sequence of no steps has
// last states of zeros. These are not its own:
//
//	Gemm          of no columns adds beta·C; ONNX Runtime leaves out beta
//	GRU LSTM RNN  a clip of 0 is refused; ONNX Runtime takes it in an RNN
//	Pow           with the exponent 0.5 in the file is a square root: NaN for -Inf
//	ReduceSum     an axis without elements becomes one of size 1
//
// Shapes and the conditions of If must be known before a run computes floats. They may
// depend on the file, on the shapes of the inputs, and on the values of integer inputs.
//
// # Plans
//
// The first run with inputs of some shapes makes a plan: the order of the kernels, and all
// memory between them. What depends on the file and on these shapes is computed then. So
// is what depends on an input of integers, if its values decide shapes or an If. Other
// values then make another plan.
//
// Transpose, Squeeze, Unsqueeze, Expand, Split, Slice with steps above 0 and Gather of one
// known index take no time in a run. Products take in the bias and the activation that
// follow them.
//
// Any number of goroutines may run a model. Each has a plan of its own for that time. All
// share the engine's threads.
//
// # Memory
//
// [Load] packs the weights for the engine, and holds each of them once. Runs allocate
// nothing where there is a plan for their shapes. A recurrent node whose weights are
// computed in the run is the exception: it prepares them anew when they change. A model
// keeps plans of up to 64 shapes and 512 MiB.
//
// A file is not trusted. What it claims allocates nothing before it is checked. A run that
// would take more than 2^30 elements or 2^43 multiply-adds is refused.
//
// # Results
//
// They have the bits that package kernels promises: the same for any number of threads,
// for a row in any batch, and from AVX2 and AVX-512. NaN propagates.
package onnx
