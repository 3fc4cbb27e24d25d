// Package rnn is the vanilla recurrent network on batchrnn/kernels, batched, with
// backpropagation through time (BPTT). Steady-state calls allocate nothing.
//
//	h_t = g(Wx x_t + Wh h_{t-1} + b_h)
//	y_t = Wy h_t + b_y
//	J   = -(1/T) Σ_t log softmax(y_t)[target_t]      averaged over the batch too
//
// g is tanh, ReLU, sigmoid or the identity. The input x_t is an id, one-hot, or
// a dense vector. Wy may be Wxᵀ ([Config].Tied). For large vocabularies the softmax
// may be adaptive ([Config].Cutoffs, [Tail]).
//
// # Use
//
//	c := rnn.Config{Input: 65, Layers: 1, Hidden: 256, Output: 65}
//	m, err := rnn.New(engine, c, seed)
//	ws := m.NewTraining(T, B)              // every buffer of T steps and B rows
//	opt := rnn.NewAdam(m, 2e-3)
//	for each batch {
//		ws.Forward(ids)                    // ids [T,B]
//		loss := ws.Backward(targets)       // targets [T,B]; nats per step
//		m.Step(opt, ws.Grads.Slab, 5)      // clip to norm 5, update, repack
//		ws.Carry()                         // truncated BPTT: keep the state
//	}
//	m.WriteSafetensors(file)               // the parameters, under PyTorch's names
//	m.Compact()                            // from now on only score, in half the memory
//
// # The four kinds
//
//	one-to-one         T = 1
//	one-to-many        an input at the first step; then its own output, or no input
//	                   (the id None, or a dense vector of zeros)
//	many-to-one        Config.LastStep: one output for each sequence
//	many-to-many       an output at each step
//	encoder-decoder    two models: package rnn/seq2seq
//
// Sequences of a batch may have different lengths ([Workspace.SetLengths]). Layers
// may be stacked ([Config].Layers, Residual) and read both ways (Bidirectional).
// Losses are cross-entropy, binary cross-entropy (BackwardBinary) and squared error
// (BackwardSquared). They are means over the rows that count ([Ignore]). Labels and rows
// may have weights (WeightLabels, WeightRows).
//
// Gradients may vanish or explode; [Workspace.StateGradNorms] shows it. These help:
//
//   - initial weights: [Model.InitIdentity] with ReLU, [Model.InitOrthogonal];
//   - clipping by norm ([Model.Step]) and by value ([ClipValue]);
//   - skip connections between layers (Residual) and through time (TimeSkip).
//
// # Symbols
//
//	T  steps             E  input width, or number of ids
//	B  batch rows        H  hidden width
//	L  layers            W  output width of a layer, D·H
//	D  directions        V  output width of the network
//	R  rows of outputs: T·B, or B with LastStep
//	K  clusters of an adaptive softmax, of N outputs and F features each
//
// Activations are time-major, [T,B,·], row-major and flat: row t·B+b is step t of
// sequence b. Initial and last states are [L·D,B,H]: layer by layer, with the forward
// direction first.
//
// The states of a layer have T+1 slots; slot 0 holds the initial state. A second
// direction stands beside the first, in rows of width W. Its initial state is in an
// additional slot T+1.
//
// # The way of the data
//
// Forward and backward are mirror images. The code names the stages by these numbers:
//
//	1  ids [T,B]          each product of 2 starts from rows of Wx plus b_h   (dense: H_{1..T} = X·Wx + b_h)
//	2  for t              H_{t+1} = g(start + H_t·Wh)                         (start: H_{t+1} where dense)
//	   1 and 2 again for each layer above, dense, on the output of the one below
//	3  logits [rows,V]    H·Wy + b_y, in blocks of rows that stay in cache
//	4  loss               logits become dlogits in place, losses come out
//	                      (adaptive: 3 and 4 again for each cluster's rows, from features H·Proj)
//	backward 3            dH = dlogits·Wyᵀ, dWy += Hᵀ·dlogits        block by block, with 3 and 4
//	backward 2, for t     dZ_t = (dH_t + dZ_{t+1}·Whᵀ) ∘ g'(H_{t+1}); then one dWh = H_{0..T-1}ᵀ·dZ
//	backward 1            scatter-add dZ into dWx (dense: one GEMM, and dX = dZ·Wxᵀ for the layer below),
//	                      column sums into db_h
//	5  clip, step, pack   one pass over the parameter slab, then the panels anew
//
// forward.go and backward.go call the stages in this order. Each stage stands in one
// file with its mirror image: 1 input.go, 2 cell_vanilla.go, 3 head.go and
// head_adaptive.go, 4 loss.go, 5 optimizer.go and model.go. weights.go has the one
// table of all weights.
//
// Each stage of a layer is one parallel region. It has as many workers as its work is
// worth. If the batch is large and Wh fits a core's cache, workers share the rows of the
// batch. Otherwise each owns some columns of Wh, and they meet at a barrier after each
// step. Results have the same bits for any number of threads, and for a row in any
// batch. They are also the same for T steps at once or one by one.
//
// # Threads
//
// Results don't depend on threads, so the engine decides at every barrier how many
// workers go on. It leaves out for a while a worker that has lost its processor to other
// work. Choose by the kind of program:
//
//	a service      kernels.New("", 0). Requests on many goroutines fill the processors by
//	               themselves: call Workspace.LimitThreads(1) in their workspaces. Set
//	               no limit if a single request must be fast
//	a batch job    kernels.New("", 0), without limits: training, scoring a corpus
//	a test         kernels.New("", 1): nothing to wait for, nothing to leave running
//
// All models of a program may share one engine. While one caller has its workers, the
// others work on their own goroutines.
package rnn
