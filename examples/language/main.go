// Language names the language of a line of text: many-to-one. The network reads the
// line byte by byte, from both ends, and then names the language:
//
//	die sonne geht hinter dem wald auf.	german
//
// It trains on about forty sentences of each language, and is tested on others.
package main

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

func main() {
	if _, err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const (
	batch   = 32
	updates = 3000
	rate    = 2e-3 // learning rate, falls to 0
	shown   = 7    // every seventh line of the test
)

// run trains the network, shows some of its answers, and returns the share of unseen
// sentences whose language it names.
func run(out io.Writer) (accuracy float64, err error) {
	languages, train, test, err := read()
	if err != nil {
		return 0, err
	}
	engine, err := kernels.New("", 1) // one thread: a network this small gains little from more
	if err != nil {
		return 0, err
	}
	defer engine.Close()

	m, err := rnn.New(engine, rnn.Config{
		Input:  256, // bytes
		Layers: 1, Hidden: 64, Output: len(languages),
		Bidirectional: true,
		LastStep:      true, // one output a line, not one a byte
	}, 1)
	if err != nil {
		return 0, err
	}
	ws := m.NewTraining(longest, batch)
	ws.Dropout(0.3, 1)
	opt := rnn.NewAdam(m, rate)
	rng := rand.New(rand.NewPCG(1, 1))
	some := make([]line, batch)
	var loss float64
	for i := 1; i <= updates; i++ {
		for b := range some {
			some[b] = piece(rng, train[rng.IntN(len(train))])
		}
		// The longest come first, so that each step computes only the lines that reach
		// it.
		slices.SortFunc(some, func(a, b line) int { return len(b.text) - len(a.text) })
		ids, lengths, targets := pack(some)
		ws.SetLengths(lengths)
		ws.Forward(ids)
		loss += ws.Backward(targets)
		opt.LR = rate * (1 - float32(i)/updates)
		m.Step(opt, ws.Grads.Slab, 1)
		if each := updates / 5; i%each == 0 {
			fmt.Fprintf(out, "after %4d batches: loss %.3f\n", i, loss/float64(each))
			loss = 0
		}
	}

	score := m.NewWorkspace(longest, len(test))
	ids, lengths, targets := pack(test)
	score.SetLengths(lengths)
	score.Forward(ids)
	logits := make([]float32, len(test)*len(languages))
	score.Logits(logits, longest-1) // each line's own last step
	right := 0
	for b, l := range test {
		of := logits[b*len(languages):][:len(languages)]
		said := slices.Index(of, slices.Max(of))
		if int32(said) == targets[b] {
			right++
		}
		if b%shown == 0 {
			fmt.Fprintf(out, "%s\t%s\n", l.text, languages[said])
		}
	}
	accuracy = float64(right) / float64(len(test))
	fmt.Fprintf(out, "%.1f %% of %d lines named\n", 100*accuracy, len(test))
	return accuracy, nil
}

// piece cuts a random part of words out of a line, so that a few sentences give many
// examples.
func piece(rng *rand.Rand, l line) line {
	words := strings.Fields(l.text)
	from := rng.IntN(len(words) - 1)
	to := from + 2 + rng.IntN(len(words)-from-1)
	return line{strings.Join(words[from:to], " "), l.language}
}

// pack returns lines as a batch: their bytes [T,B], their lengths in bytes, and their
// languages.
func pack(lines []line) (ids, lengths, targets []int32) {
	ids = make([]int32, longest*len(lines))
	for b, l := range lines {
		text := l.text[:min(len(l.text), longest)]
		for t := range len(text) {
			ids[t*len(lines)+b] = int32(text[t])
		}
		lengths = append(lengths, int32(len(text)))
		targets = append(targets, l.language)
	}
	return ids, lengths, targets
}
