package main

import (
	"math/rand/v2"
	"slices"
	"time"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/seq2seq"
)

const (
	hidden    = 128 // of each direction of the encoder
	batchSize = 64
	updates   = 2000
	rate      = 2e-3
	maxNorm   = 1
)

// newNetwork returns an encoder-decoder of characters. The encoder reads a date from
// both ends, because its parts may stand anywhere. ReLU from identity matrices carries
// them over thirty steps.
//
// So 99.95 % of unseen dates come out right. ReLU from uniform matrices reaches 12 %.
// Tanh reaches 93 % from orthogonal matrices, 19 % from identities, and 3 % from
// uniform ones. With skip connections through time (α = 0.3), tanh from uniform ones
// reaches 75 %.
func newNetwork(e *kernels.Engine, seed uint64) (*seq2seq.EncoderDecoder, error) {
	encoder, err := rnn.New(e, rnn.Config{
		Input: len(sourceCharacters), Layers: 1, Hidden: hidden,
		Activation: rnn.ReLU, Bidirectional: true,
	}, seed)
	if err != nil {
		return nil, err
	}
	decoder, err := rnn.New(e, rnn.Config{
		Input: len(targetCharacters) + 1, Layers: 1, Hidden: 2 * hidden, Output: len(targetCharacters) + 1,
		Activation: rnn.ReLU,
	}, seed+1)
	if err != nil {
		return nil, err
	}
	encoder.InitIdentity(1)
	decoder.InitIdentity(1)
	return seq2seq.New(encoder, decoder, end)
}

// train trains the network on dates, in a new style each time. It regularly calls
// report with the updates made and the mean loss since the last call.
func train(p *seq2seq.EncoderDecoder, dates []time.Time, seed uint64, report func(updates int, loss float64)) {
	r := rand.New(rand.NewPCG(seed, 0))
	tf := p.NewTraining(sourceSteps, targetSteps, batchSize)
	encoder, decoder := rnn.NewAdam(p.Encoder, rate), rnn.NewAdam(p.Decoder, rate)
	b := newBatch(batchSize)
	var sum float64
	for i := range updates {
		pairs := draw(dates, batchSize, r)
		slices.SortFunc(pairs, func(x, y pair) int { return len(y.source) - len(x.source) }) // longest first costs least
		for i, p := range pairs {
			b.set(i, p)
		}
		tf.SetLengths(b.lengths, nil)
		tf.Forward(b.source, b.target)
		sum += tf.Backward(b.target)

		lr := rate * min(1, 2*float32(updates-i)/updates) // falls from the middle on
		encoder.LR, decoder.LR = lr, lr
		p.Encoder.Step(encoder, tf.Encoder.Grads.Slab, maxNorm)
		p.Decoder.Step(decoder, tf.Decoder.Grads.Slab, maxNorm)
		const every = updates / 5
		if (i+1)%every == 0 {
			report(i+1, sum/every)
			sum = 0
		}
	}
}

// exact returns the share of pairs whose target the network writes, by greedy search.
func exact(p *seq2seq.EncoderDecoder, pairs []pair) float64 {
	right := 0
	for chunk := range slices.Chunk(pairs, 100) {
		b := newBatch(len(chunk))
		for i, x := range chunk {
			b.set(i, x)
		}
		s := p.NewSearch(sourceSteps, targetSteps, len(chunk), 1)
		s.SetLengths(b.lengths)
		for i, found := range s.Decode(b.source) {
			if targetText(found[0].IDs) == chunk[i].target {
				right++
			}
		}
	}
	return float64(right) / float64(len(pairs))
}

// answer returns the network's output for a text, by beam search with a beam of four.
func answer(p *seq2seq.EncoderDecoder, text string) (string, error) {
	ids, err := sourceIDs(text)
	if err != nil {
		return "", err
	}
	s := p.NewSearch(len(ids), targetSteps, 1, 4)
	return targetText(s.Decode(ids)[0][0].IDs), nil
}
