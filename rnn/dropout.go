package rnn

import (
	"fmt"
	"math"

	"batchrnn/kernels"
)

// A dropout clears what layers give at random, on its way to the layer above or the
// output layer.
type dropout struct {
	seed, draws uint64
	keep        uint64  // of 1<<16 random numbers, those below it keep a state
	scale       float32 // what is kept is as much larger
}

// Dropout clears what a layer gives with probability rate on its way to the layer
// above and, in Backward, to the output layer, and multiplies the rest by 1/(1-rate)
// (Srivastava et al. 2014); what goes on to the next step stays whole. Each Forward
// draws anew, the same for a seed. Loss and Logits drop nothing on the way to the
// output layer; to score a network of several layers take a workspace without
// dropout. A rate of 0 ends it. rate is kept to 16 bits. Dropout allocates room for
// another copy of the states; the passes still allocate nothing. It panics in a
// workspace not made by NewTraining, and where there is neither a layer above nor
// an output layer.
//
// A mask belongs to the place of a row in the batch, and hides what it clears: a
// NaN that is dropped is 0.
func (ws *Workspace) Dropout(rate float64, seed uint64) {
	ws.checkTraining("Dropout")
	if ws.m.Output == 0 && ws.m.Layers == 1 {
		panic("rnn: Dropout is of states on their way to a layer above or an output layer, and the model has neither")
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
			l.up = kernels.Floats(len(l.out))
		}
	}
	ws.pass.ran = false
}

// SkipDropout makes Dropout go on as after n more calls of Forward, so that a
// training that is taken up again draws the masks that it would have drawn.
func (ws *Workspace) SkipDropout(n uint64) {
	if ws.drop != nil {
		ws.drop.draws += n
		ws.pass.ran = false // Backward would draw other masks than Forward did
	}
}

// mask sets dst to src, both [T,B,W], cleared here and scaled there, rows shared
// out. A row's mask depends on its layer and number alone: its random numbers are
// those of SplitMix64 (Steele, Lea & Flood 2014), four from each word.
func (ws *Workspace) mask(w *kernels.Worker, k int, dst, src []float32) {
	d, width := ws.drop, ws.m.width()
	rows := w.Share(ws.T * ws.B)
	below := (len(ws.layers) - 1 - k) * ws.T * ws.B
	for row := rows.Lo; row < rows.Hi; row++ {
		state := mix(mix(d.seed^mix(d.draws)) + uint64(below+row))
		dst, src := dst[row*width:][:width], src[row*width:][:width]
		var bits uint64
		for i, x := range src {
			if i%4 == 0 {
				state += 0x9e3779b97f4a7c15
				bits = mix(state)
			}
			kept := uint32(int64(bits&0xffff-d.keep) >> 63) // all ones, or 0: a branch would miss half the time
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
