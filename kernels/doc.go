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
// A right-hand matrix that changes with each product may stay as it is:
// [Engine.GemmPlain] packs it on the way.
//
// # What holds
//
// Steady-state calls allocate nothing. Constructors allocate, and so do the first
// call that runs beside more callers than before and a worker's first product of a plain
// matrix. Shape mistakes panic with a message
// that names the argument, the wanted and the given size. NaN propagates and nothing
// skips zeros, but for the derivative of ReLU, which clears. Every element of a
// product is one chain of fused multiply-adds with k ascending that begins at its
// start value, so results have the same bits for any number of threads, for a row
// whatever rows stand around it, and from AVX2 and AVX-512. The portable set rounds
// differently in the last bits.
//
// [Engine.Run], [Engine.Gemm] and [Engine.GemmPlain] set the usual mode of arithmetic on
// each thread, and restore the one they found. Other operations of an Engine use the
// mode of the thread that they are called on: where a library has made it flush
// subnormals to zero, they do. So does a region that the runtime moves to such a thread
// half-way, which it does seldom. The portable set never sets the mode.
//
// # Regions
//
// [Engine.Run] starts one function on several workers. Inside it a [Worker]
// computes its share, given as a [Span] of rows or panels, and [Worker.Barrier]
// ends a phase, after which others' results may be read. A region's team may change
// at each barrier:
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
// The engine never waits for a worker that has not come. It begins with those that are
// there and takes in the others at a later barrier. It leaves out a worker that it had
// to wait for, and tries again later, at most about once a second while tries fail:
// beside busy processes or goroutines, with GOMAXPROCS or the affinity mask lowered,
// and where several engines or callers share the processors, it is about as fast as
// an engine of one worker. Idle workers look for work for at most 0.1 ms, less where
// that has proved useless, and then use no processor time.
//
// Between two calls into assembly the runtime can stop the goroutine, and no call
// runs longer than about 50 µs.
package kernels
