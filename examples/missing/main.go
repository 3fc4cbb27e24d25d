// Missing predicts the word that is missing from a sentence: many-to-one. The network
// reads the sentence with a blank in it, from both ends. After the last word it names
// the missing one:
//
//	the girls near the king ___ a letter now	write
//
// Here the words after the blank determine the verb. Those before it determine the
// number, singular or plural. The tense may stand at either end of the sentence.
package main

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"slices"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

func main() {
	if _, err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const (
	batch    = 64
	updates  = 1500
	heldOut  = 2000 // sentences of the test
	examples = 8    // sentences of the test that are shown
)

// run trains the network, shows some predictions, and returns the share of missing
// words that it names. The sentences of the test combine subjects and verbs that never
// meet in training.
func run(out io.Writer) (accuracy float64, err error) {
	engine, err := kernels.New("", 1) // one thread: a network this small gains little from more
	if err != nil {
		return 0, err
	}
	defer engine.Close()

	m, err := rnn.New(engine, rnn.Config{
		Input: len(words), Layers: 1, Hidden: 64, Output: len(words),
		Bidirectional: true,
		LastStep:      true, // one output a sentence, not one a word
	}, 1)
	if err != nil {
		return 0, err
	}
	ws := m.NewTraining(longest, batch)
	opt := rnn.NewAdam(m, 3e-3)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := 1; i <= updates; i++ {
		ids, lengths, missing := pack(draw(rng, batch, false))
		ws.SetLengths(lengths)
		ws.Forward(ids)
		loss := ws.Backward(missing)
		m.Step(opt, ws.Grads.Slab, 1)
		if i%(updates/5) == 0 {
			fmt.Fprintf(out, "after %4d batches: loss %.4f\n", i, loss)
		}
	}

	test := draw(rng, heldOut, true)
	score := m.NewWorkspace(longest, heldOut)
	ids, lengths, missing := pack(test)
	score.SetLengths(lengths)
	score.Forward(ids)
	logits := make([]float32, heldOut*len(words))
	score.Logits(logits, longest-1) // each sentence's own last step
	right := 0
	for b, s := range test {
		of := logits[b*len(words):][:len(words)]
		said := int32(slices.Index(of, slices.Max(of)))
		if said == missing[b] {
			right++
		}
		if b < examples {
			fmt.Fprintf(out, "%s\t%s\n", s, words[said])
		}
	}
	accuracy = float64(right) / heldOut
	fmt.Fprintf(out, "%.2f %% of %d missing words named\n", 100*accuracy, heldOut)
	return accuracy, nil
}

// pack returns sentences as a batch: ids [T,B], the number of words in each sentence,
// and the missing words. A blank is no input.
func pack(sentences []sentence) (ids, lengths, missing []int32) {
	ids = make([]int32, longest*len(sentences))
	for b, s := range sentences {
		for t, id := range s.words {
			ids[t*len(sentences)+b] = id
		}
		ids[s.blank*len(sentences)+b] = rnn.None
		lengths = append(lengths, int32(len(s.words)))
		missing = append(missing, s.words[s.blank])
	}
	return ids, lengths, missing
}
