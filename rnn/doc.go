// Package rnn holds recurrent networks on batchrnn/kernels: vanilla cells, LSTM and GRU,
// batched, with backpropagation through time (BPTT). Steady-state calls allocate
// nothing.
//
//	h_t = g(Wx x_t + Wh h_{t-1} + b_h)               or another cell
//	y_t = Wy h_t + b_y
//	J   = -(1/T) Σ_t log softmax(y_t)[target_t]      averaged over the batch too
//
// g is tanh, ReLU, sigmoid or the identity. The input x_t is an id, one-hot, or a dense
// vector. [Config.Embedding] turns ids into vectors that are learnt. Wy may be Wxᵀ, or
// the transpose of the embedding ([Config].Tied). For large vocabularies the softmax may
// be adaptive ([Config].Cutoffs, [Tail]).
//
// # Cells
//
// [Config.Cell] chooses the cell. The gates of a cell have blocks of H columns of Wx, Wh
// and b_h, in PyTorch's order. σ is the sigmoid, ∘ the product of elements.
//
//	Vanilla           h_t = g(Wx x_t + Wh h_{t-1} + b_h)
//
//	LSTM              i, f, o = σ(Wx x_t + Wh h_{t-1} + b_h)
//	                  g   = tanh(Wx x_t + Wh h_{t-1} + b_h)
//	                  c_t = f∘c_{t-1} + i∘g
//	                  h_t = o∘tanh(c_t)                         Wr (o∘tanh(c_t)) with a projection
//
//	GRU               r, z = σ(Wx x_t + Wh h_{t-1} + b_h)
//	                  n   = tanh(Wx x_t + b_h + r∘(Wh h_{t-1} + b_r))
//	                  h_t = (1-z)∘n + z∘h_{t-1}
//
//	GRUResetBefore    as GRU, with n = tanh(Wx x_t + b_h + Wh (r∘h_{t-1}))
//
// The LSTM is that of Hochreiter & Schmidhuber (1997) with the forget gate of Gers,
// Schmidhuber & Cummins (2000), without peepholes. The projection is by Sak, Senior &
// Beaufays (2014). The GRU is by Cho et al. (2014), who have the reset gate before the
// product. PyTorch and cuDNN have it after the product. ONNX has both:
// linear_before_reset=1 is GRU, and 0 is GRUResetBefore.
//
// With [Config.TwoBiases], b_r is added to each product with Wh, as in PyTorch. A GRU
// always has b_r: its candidate n needs it apart from b_h.
//
// A [State] holds h of all cells, and c of LSTM cells. [Model.NewState] makes one. A
// state without c is no state of an LSTM.
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
//	m.WriteSafetensors(file)               // the parameters, under PyTorch's names; Load reads them
//	q, err := m.Quantise(nil)              // weights of int8, which only score, in a quarter of the memory
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
// Sequences of a batch may have different lengths ([Workspace.SetLengths]); a row of
// length 0 is idle. One workspace serves batches of all sizes that fit into it
// ([Workspace.Resize]). Rows may be streams that begin and end at any time
// ([Workspace.SetRow], [Workspace.Row]).
//
// Layers may be stacked ([Config].Layers, Residual) and read both ways (Bidirectional).
// Losses are cross-entropy, binary cross-entropy (BackwardBinary) and squared error
// (BackwardSquared). They are means over the rows that count ([Ignore]). Labels and rows
// may have weights (WeightLabels, WeightRows).
//
// Gradients may vanish or explode; [Workspace.StateGradNorms] shows it. These help:
//
//   - gates: LSTM or GRU cells, for long ranges with [Model.InitChrono];
//   - initial weights: [Model.InitIdentity] with ReLU, [Model.InitOrthogonal],
//     [Model.InitForget];
//   - clipping by norm ([Model.Step]) and by value ([ClipValue]);
//   - skip connections between layers (Residual) and, in vanilla cells, through time
//     (TimeSkip).
//
// # Symbols
//
//	T  steps             E  input width: of vectors or embeddings, or number of ids
//	B  batch rows        H  hidden width
//	L  layers            P  width of h: H, or Config.Projection
//	D  directions        W  output width of a layer, D·P
//	V  output width of the network
//	G  gates: 1 of a vanilla cell, 3 of a GRU, 4 of an LSTM
//	S  groups of H values that a step of a gated cell keeps: 4 of a GRU, 5 of an LSTM
//	R  rows of outputs: T·B, or B with LastStep
//	K  clusters of an adaptive softmax, of N outputs and F features each
//
// Activations are time-major, [T,B,·], row-major and flat: row t·B+b is step t of
// sequence b. Initial and last states are [L·D,B,P] for h and [L·D,B,H] for c: layer by
// layer, with the forward direction first.
//
// The states of a layer have T+1 slots; slot 0 holds the initial state. A second
// direction stands beside the first, in rows of width W. Its initial state is in an
// additional slot T+1.
//
// # The way of the data
//
// Forward and backward are mirror images. The code names the stages by these numbers:
//
//	   embedding          X: a row of [Input,E] for each id, masked by dropout; then as dense input
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
//	   embedding          dX, masked as X; then scatter-add dX into the embedding's gradient
//	5  clip, step, pack   one pass over the parameter slab, then the panels anew
//
// Of gated cells 1 and 2 differ. Z, [T,B,D,S,H], holds the gates of all steps, and what
// else backward 2 needs: tanh(c_t) of an LSTM, the state's part of n of a GRU.
//
//	1  as above           the start values are G·H wide                       (dense: in Z)
//	2  for t              Z_t = σ or tanh(start + H_t·Wh), gate by gate; then the cell's step
//	                      makes H_{t+1}, and C_{t+1} of an LSTM, while Z_t is in L2
//	                      GRUResetBefore and projections have a second product in each step
//	backward 2, for t     dH_t += dZ_{t+1}·Whᵀ + what has not come through Wh: by z of a GRU;
//	                      the cell's derivative makes dZ_t of dH_t and Z_t, and dC_{t-1} of dC_t
//	                      then one product of all steps for dWh and dWr
//
// forward.go and backward.go call the stages in this order. Each stage stands in one
// file with its mirror image: 1 input.go, 2 cell_vanilla.go, cell_lstm.go and
// cell_gru.go, 3 head.go and head_adaptive.go, 4 loss.go, 5 optimizer.go and model.go.
// cell_gated.go has the loops that gated cells share. weights.go has the one table of
// all weights.
//
// Each stage of a layer is one parallel region. It has as many workers as its work is
// worth. If the batch is large and Wh fits a core's cache, workers share the rows of the
// batch. Otherwise each owns some columns of Wh, and they meet at a barrier after each
// step. Results have the same bits for any number of threads, and for a row in any
// batch. They are also the same for T steps at once or one by one.
//
// # Weights of int8
//
// [Model.Quantise] returns a model with int8 weights. It runs the same stages with other
// products: see quantise.go, and kernels/int8.go for the arithmetic. Rows of ids are
// converted in a separate pass of stage 1. Biases, activations and states stay float32.
// A step of one row reads a quarter of the bytes, and memory is what bounds it.
//
// # Threads
//
// Results don't depend on threads, so the engine decides at every barrier how many
// workers go on. It leaves out for a while a worker that has lost its processor to other
// work. Choose by the kind of program:
//
//	a service      kernels.New("", 0) and a streams.Batcher, which computes requests
//	               together. With a workspace for each request, call LimitThreads(1) in
//	               it: many goroutines fill the processors by themselves
//	a batch job    kernels.New("", 0), without limits: training, scoring a corpus
//	a test         kernels.New("", 1): nothing to wait for, nothing to leave running
//
// All models of a program may share one engine. While one caller has its workers, the
// others work on their own goroutines.
//
// # Many streams
//
// Sequences that come in piece by piece, from many clients at once, go through one
// workspace together in package rnn/streams. Each gets the bits that it has alone.
package rnn
