// Package rnn is the vanilla recurrent network on batchrnn/kernels: batched,
// without allocations while it works, with backpropagation through time.
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
//	m, err := rnn.New(engine, rnn.Config{Input: 65, Layers: 1, Hidden: 256, Output: 65}, seed)
//	ws := m.NewTraining(T, B)              // every buffer of T steps and B rows
//	opt := rnn.NewAdam(m, 2e-3)
//	for each batch {
//		ws.Forward(ids)                    // ids [T,B]
//		loss := ws.Backward(targets)       // targets [T,B]; nats per step
//		m.Step(opt, ws.Grads.Slab, 5)      // clip to norm 5, update, repack
//		ws.Carry()                         // truncated BPTT: keep the state
//	}
//	m.Compact()                            // from now on only score, in half the memory
//
// An [EncoderDecoder] is two models that turn a sequence into one of another length:
// [TeacherForcing] trains it, a [Search] decodes, greedily or with a beam.
//
// # Symbols
//
// T steps, B batch rows, E input width (or number of ids), H hidden width, V
// outputs; K clusters of N outputs and D features each. Activations are
// time-major, [T,B,·], row-major and flat; row t·B+b is step t of sequence b. The
// states have T+1 slots, slot 0 being the initial one.
//
// # The way of the data
//
// Forward and backward are mirror images, and the code names the stages by
// these numbers:
//
//	1  ids [T,B]          each product of 2 starts from rows of Wx plus b_h   (dense: H_{1..T} = X·Wx + b_h)
//	2  for t              H_{t+1} = g(start + H_t·Wh)                         (start: H_{t+1} where dense)
//	3  logits [rows,V]    H·Wy + b_y, in blocks of rows that stay in cache
//	4  softmax            logits become dlogits in place, losses come out
//	                      (adaptive: 3 and 4 again for each cluster's rows, from features H·Proj)
//	backward 3            dH = dlogits·Wyᵀ, dWy += Hᵀ·dlogits        block by block, with 3 and 4
//	backward 2, for t     dZ_t = (dH_t + dZ_{t+1}·Whᵀ) ∘ g'(H_{t+1}); then one dWh = H_{0..T-1}ᵀ·dZ
//	backward 1            scatter-add dZ into dWx (dense: one GEMM), column sums into db_h
//	5  clip, step, pack   one pass over the parameter slab, then the panels anew
//
// Each pass is one parallel region. Where the batch is large and Wh fits a
// core's cache, workers share the batch's rows and never wait; else each owns
// some columns of Wh, and they meet at a barrier after each step. Results have
// the same bits either way, for any number of threads, for a row whatever the
// batch around it, and for T steps at once or one by one.
package rnn
