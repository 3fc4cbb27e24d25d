package rnn

import (
	"fmt"
	"math"

	"batchrnn/kernels"
)

// A dropout clears random elements of a layer's output, and of embeddings. It acts on the
// way to the layer above or to the output layer.
type dropout struct {
	seed, draws uint64
	keep        uint64  // a state is kept if its random number, below 1<<16, is below keep
	scale       float32 // the factor of kept states
}

// Dropout clears each element of a layer's output with probability rate, and multiplies
// the others by 1/(1-rate) (Srivastava et al. 2014). It acts on the way to the layer
// above and, in Backward, on the way to the output layer. It also acts on embeddings, on
// the way to the first layer (Zaremba, Sutskever & Vinyals 2014). The state that goes to
// the next step stays whole. Loss and Logits drop nothing on the way to the output layer.
// To score a network of several layers or with an embedding, use a workspace without
// dropout.
//
// Each Forward draws new masks; the same seed gives the same masks. rate is rounded to
// 16 bits, and a rate of 0 turns dropout off. A mask belongs to a row's place in the
// batch, with [Workspace.Shard] in the whole batch. An element that is dropped is 0, even
// if it was NaN.
//
// Dropout allocates a copy of the states; passes still allocate nothing. It panics in a
// workspace not made by NewTraining. It also panics if there is neither an embedding,
// nor a layer above, nor an output layer.
func (ws *Workspace) Dropout(rate float64, seed uint64) {
	ws.checkTraining("Dropout")
	if ws.m.Output == 0 && ws.m.Layers == 1 && !ws.m.embeds() {
		panic("rnn: Dropout is of embeddings, and of states on their way to a layer above or an output layer: the model has none of these")
	}
	if !(rate >= 0 && rate < 1) {
		panic(fmt.Sprintf("rnn: Dropout of %v: want a share of the states, from 0 to below 1", rate))
	}
	keep := max(uint64((1-rate)*(1<<16)+0.5), 1)
	ws.drop = nil
	if keep < 1<<16 {
		ws.drop = &dropout{seed: seed, keep: keep, scale: float32(1 << 16 / float64(keep))}
	}
	for k := range ws.layers {
		l := &ws.layers[k]
		l.up = l.out
		if ws.drop != nil && (k+1 < len(ws.layers) || ws.m.Output > 0) {
			l.up = kernels.Floats(ws.roomRows * ws.m.width())
		}
	}
	ws.pass.ran = false
}

// SkipDropout advances Dropout by n calls of Forward. A training that is resumed then
// draws the same masks as one that was never interrupted.
func (ws *Workspace) SkipDropout(n uint64) {
	if ws.drop != nil {
		ws.drop.draws += n
		ws.pass.ran = false // Backward would draw other masks than Forward did
	}
}

// mask sets some rows of dst to those of src, both [T,B,·], with the dropout mask of
// layer k applied. Layer -1 is the embedding. A row's mask depends only on its layer and
// its number. The random numbers are those of SplitMix64 (Steele, Lea & Flood 2014), four
// from each word.
func (ws *Workspace) mask(k int, rows kernels.Span, dst, src []float32) {
	d, width := ws.drop, ws.m.reads(k+1)
	batch, first := ws.B, 0 // of the whole batch: its rows, and the first of the workspace's
	if s := &ws.shards; s.Shards > 0 {
		batch, first = s.Rows, s.Own().Lo
	}
	first += (len(ws.layers) - 1 - k) * ws.T * batch
	for row := rows.Lo; row < rows.Hi; row++ {
		number := first + row/ws.B*batch + row%ws.B
		state := mix(mix(d.seed^mix(d.draws)) + uint64(number))
		dst, src := dst[row*width:][:width], src[row*width:][:width]
		var bits uint64
		for i, x := range src {
			if i%4 == 0 {
				state += 0x9e3779b97f4a7c15
				bits = mix(state)
			}
			kept := uint32(int64(bits&0xffff-d.keep) >> 63) // all ones, or 0: a branch would be mispredicted half the time
			dst[i] = math.Float32frombits(math.Float32bits(x*d.scale) & kept)
			bits >>= 16
		}
	}
}

// mix is the output function of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
