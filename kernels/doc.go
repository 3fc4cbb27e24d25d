// Package kernels is the arithmetic of recurrent networks on a CPU:
// single-precision matrix products on packed weights, activations, softmax with
// cross-entropy and optimiser updates. Matrices are flat row-major []float32.
//
// An [Engine] holds the kernels of one instruction set and a pool of workers.
// [New] picks the best set that the machine has; BATCHRNN_ISA forces another.
//
//	e, err := kernels.New("", 0)
//	w := e.NewPacked(k, n)       // once per weight matrix
//	e.Pack(w, false, weights, n) // once per change of the weights
//	e.Gemm(kernels.Product{M: m, A: x, LDA: k, B: w, Bias: bias, C: y, LDC: n, Act: kernels.Tanh})
//
// [Engine.GemmPlain] takes a right-hand matrix that is not packed. It is for matrices
// that change with each product.
//
// [Algebra] is linear algebra in float32 or float64 on matrices that are not packed.
// Package kernels/blas puts gonum on it.
//
// # Guarantees
//
// Steady-state calls allocate nothing. Constructors allocate, and so does the first
// call that runs beside more callers than before. So does a worker's first product of
// a plain matrix.
//
// Shape mistakes panic. The message names the argument, the wanted and the given size.
//
// NaN propagates and nothing skips zeros. The one exception is the derivative of ReLU:
// it stores 0 where y <= 0, even for a NaN.
//
// Every element of a product is one chain of fused multiply-adds, k ascending, from its
// start value. So results have the same bits for any number of threads and for a row in
// any batch. AVX2 and AVX-512 give the same bits. The portable set rounds differently in
// the last bits.
//
// [Engine.Run], [Engine.Gemm] and [Engine.GemmPlain] set the usual floating-point mode
// on each thread, and restore the mode that they found. Other operations of an Engine
// use the mode of the thread that calls them. If a library has made that thread flush
// subnormals to zero, they flush them too. So does a region that the runtime moves to
// such a thread half-way, which is rare. The portable set never sets the mode.
//
// # Regions
//
// [Engine.Run] starts one function on several workers. Inside it a [Worker] computes its
// share, a [Span] of rows or panels. [Worker.Barrier] ends a phase. After it a worker may
// read the results of the others. A region's team may change at each barrier:
//
//	e.Run(e.Threads(), func(w *kernels.Worker) {
//		for range steps {
//			w.Gemm(product, w.Share(weights.Panels()))
//			w.Barrier()
//		}
//	})
//
// # Beside others
//
// The engine never waits for a worker that has not come. A region begins with the
// workers that are ready, and takes in the others at a later barrier. It leaves out a
// worker that it had to wait for, and tries again later. While tries fail, they come
// about once a second at most.
//
// So with only one free processor an engine is about as fast as one of a single worker.
// Processors may be busy with other processes, goroutines, engines or callers. GOMAXPROCS
// or the affinity mask may be lowered.
//
// Idle workers look for work for at most 0.1 ms. They look for less time if they found
// no work in time before. Then they park, and use no processor time.
//
// Between two calls into assembly the runtime can stop the goroutine. No call runs
// longer than about 50 µs.
package kernels
