// Package onnx runs recurrent networks in ONNX files, and writes networks of package rnn
// as such files.
//
//	m, err := onnx.Load(engine, file)
//	for _, v := range m.Inputs() {
//		fmt.Println(v)                       // "input" float[batch,512]
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
//	elements    Abs Add And Clip Div Elu Equal Exp Greater HardSigmoid LeakyRelu Less Log
//	            Mul Neg Not Or Pow Reciprocal Relu Sigmoid Softplus Softsign Sqrt Sub Tanh
//	            Where
//	axes        LogSoftmax ReduceMax ReduceMean ReduceSum Softmax
//	branches    If
//
// on tensors of float, int64, int32 and bool. Anything else in a file is refused by an
// error that names the node or the tensor.
//
// Shapes and the conditions of If must be known before a run computes floats. They may
// depend on the file, on the shapes of the inputs, and on the values of integer inputs.
//
// # Memory
//
// [Load] packs the weights for the engine, and holds each of them once. The first run with
// inputs of some shapes makes a plan: the order of the kernels, and all memory between
// them. Later runs with these shapes allocate nothing. A model keeps plans of up to 64
// shapes and 512 MiB.
//
// A file is not trusted. What it claims allocates nothing before it is checked. A run that
// would take more than 2^30 elements or 2^43 multiply-adds is refused.
//
// # Results
//
// They have the bits that package kernels promises: the same for any number of threads,
// for a row in any batch, and from AVX2 and AVX-512. NaN propagates.
package onnx
