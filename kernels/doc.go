// Package kernels is the arithmetic of recurrent networks on a CPU:
// single-precision matrix products on packed weights, activations, softmax with
// cross-entropy and optimiser updates, on flat row-major []float32.
//
// An [Engine] holds the kernels of one instruction set and a pool of workers.
// [New] picks the best set that the machine has; BATCHRNN_ISA forces another.
//
//	e, err := kernels.New("", 0)
//	w := e.NewPacked(k, n)     // once per weight matrix
//	e.Pack(w, false, weights, n) // once per change of the weights
//	e.Gemm(kernels.Product{M: m, A: x, LDA: k, B: w, Bias: bias, C: y, LDC: n, Act: kernels.Tanh})
//
// # What holds
//
// No call allocates but the constructors, and the first ones of more callers
// than there were at once before. Shape mistakes panic with a message
// that names the argument, the wanted and the given size. NaN propagates and
// nothing skips zeros, but for the derivative of ReLU, which clears. Every element of a product is one chain of fused
// multiply-adds with k ascending that begins at its start value, so results
// have the same bits for any number of threads, for a row whatever rows stand
// around it, and from AVX2 and AVX-512. The portable set rounds differently in
// the last bits.
//
// # Regions
//
// [Engine.Run] starts one function on several workers. Inside it a [Worker]
// computes its share, given as a [Span] of rows or panels, and [Worker.Barrier]
// separates what depends on other workers' results.
package kernels
