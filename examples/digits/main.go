// Digits names the digit in a picture, letter by letter: one-to-many. The network sees
// the picture, 8 by 8 pixels, at the first step. From then on it reads only the letter
// that it wrote last, until it writes the end of the word.
//
// In training it reads the letters of the right name instead of its own (teacher
// forcing). So all steps of all words are one pass.
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
	letters = "efghinorstuvwxz." // a full stop ends each word
	steps   = len("seven.")
	width   = pixels + len(letters) // of the input: the picture beside the last letter, one-hot

	batch   = 32
	updates = 10000
	rate    = 2e-3 // learning rate, falls to 0
	heldOut = 2000 // pictures of the test
	shown   = 4
)

// run trains the network and shows some pictures with its names for them. It returns
// the share of pictures whose whole name is right.
func run(out io.Writer) (accuracy float64, err error) {
	engine, err := kernels.New("", 1) // one thread: a network this small gains little from more
	if err != nil {
		return 0, err
	}
	defer engine.Close()

	m, err := rnn.New(engine, rnn.Config{
		Input: width, Dense: true, // vectors instead of ids
		Layers: 1, Hidden: 128, Output: len(letters),
	}, 1)
	if err != nil {
		return 0, err
	}
	train(out, m)

	rng := rand.New(rand.NewPCG(2, 1)) // other pictures than in training
	digits, pictures := make([]int, heldOut), make([]float32, heldOut*pixels)
	for b := range digits {
		digits[b] = rng.IntN(10)
		draw(rng, pictures[b*pixels:][:pixels], digits[b])
	}
	right := 0
	for b, said := range name(m, pictures) {
		if said == names[digits[b]] {
			right++
		}
		if b < shown {
			fmt.Fprintf(out, "%s%s\n\n", show(pictures[b*pixels:][:pixels]), said)
		}
	}
	accuracy = float64(right) / heldOut
	fmt.Fprintf(out, "%.2f %% of %d pictures named\n", 100*accuracy, heldOut)
	return accuracy, nil
}

// train fits the model to pictures that are each drawn once.
func train(out io.Writer, m *rnn.Model) {
	ws := m.NewTraining(steps, batch)
	opt := rnn.NewAdam(m, rate)
	rng := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, steps*batch*width)
	targets := make([]int32, steps*batch)
	lengths := make([]int32, batch)
	for i := 1; i <= updates; i++ {
		opt.LR = rate * (1 - float32(i)/updates)
		clear(x)
		for b := range batch {
			digit := rng.IntN(10)
			draw(rng, x[b*width:][:pixels], digit) // step 0
			word := names[digit] + "."
			lengths[b] = int32(len(word))
			for t := range len(word) {
				letter := strings.IndexByte(letters, word[t])
				targets[t*batch+b] = int32(letter)
				if t+1 < len(word) {
					x[((t+1)*batch+b)*width+pixels+letter] = 1
				}
			}
		}
		ws.SetLengths(lengths)
		ws.ForwardDense(x)
		loss := ws.Backward(targets)
		m.Step(opt, ws.Grads.Slab, 1)
		if i%(updates/5) == 0 {
			fmt.Fprintf(out, "after %5d batches: loss %.4f a letter\n", i, loss)
		}
	}
}

// name returns the model's names for pictures, [B,64]. It feeds the model's own letters
// back, one step at a time, with the state carried along.
func name(m *rnn.Model, pictures []float32) []string {
	n := len(pictures) / pixels
	ws := m.NewWorkspace(1, n)
	x, logits := make([]float32, n*width), make([]float32, n*len(letters))
	for b := range n {
		copy(x[b*width:][:pixels], pictures[b*pixels:])
	}
	said, ended := make([]string, n), make([]bool, n)
	for range steps {
		ws.ForwardDense(x)
		ws.Logits(logits, 0)
		ws.Carry()
		clear(x)
		for b := range n {
			of := logits[b*len(letters):][:len(letters)]
			letter := slices.Index(of, slices.Max(of))
			x[b*width+pixels+letter] = 1
			ended[b] = ended[b] || letters[letter] == '.'
			if !ended[b] {
				said[b] += letters[letter : letter+1]
			}
		}
	}
	return said
}
