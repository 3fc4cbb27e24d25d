package rnn_test

import (
	"fmt"
	"log"
	"slices"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// train fits a new model to one batch, by Adam, until pass, which runs it forward
// and backward, returns a loss below enough.
func train(c rnn.Config, steps, batch int, enough float64, pass func(*rnn.Workspace) float64) (*rnn.Model, *rnn.Workspace) {
	engine, err := kernels.New("", 1)
	if err != nil {
		log.Fatal(err)
	}
	m, err := rnn.New(engine, c, 1)
	if err != nil {
		log.Fatal(err)
	}
	ws := m.NewTraining(steps, batch)
	opt := rnn.NewAdam(m, 0.02)
	for range 5000 {
		if pass(ws) < enough {
			return m, ws
		}
		m.Step(opt, ws.Grads.Slab, 1)
	}
	log.Fatal("not learnt")
	return nil, nil
}

// outputs returns the logits of a step, [B,V].
func outputs(m *rnn.Model, ws *rnn.Workspace, t int) []float32 {
	logits := make([]float32, ws.B*m.Output)
	ws.Logits(logits, t)
	return logits
}

// One-to-one is a single step: which bars of a display with seven light up for each
// digit. Each bar is on or off for itself, which is a loss of BackwardBinary.
func Example_oneToOne() {
	// The bars are a to g: top, the right two, bottom, the left two, middle.
	bars := []string{"abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg"}
	digits, on := make([]int32, 10), make([]float32, 10*7)
	for d, names := range bars {
		digits[d] = int32(d)
		for _, name := range names {
			on[d*7+int(name-'a')] = 1
		}
	}
	c := rnn.Config{Input: 10, Layers: 1, Hidden: 16, Output: 7}
	m, ws := train(c, 1, 10, 0.01, func(ws *rnn.Workspace) float64 {
		ws.Forward(digits)
		return ws.BackwardBinary(on)
	})
	for bar, y := range outputs(m, ws, 0)[4*7:][:7] { // of the digit 4
		if y > 0 { // a probability above one half
			fmt.Printf("%c", 'a'+bar)
		}
	}
	fmt.Println()
	// Output: bcfg
}

// One-to-many reads something at its first step alone: here a number, and then
// nothing, while it spells the number's name. What follows a name is ignored.
func Example_oneToMany() {
	const letters = "efhinorstuvwx"
	names := []string{"one", "two", "three", "four", "five", "six"}
	const steps, batch = 5, 6
	read, say := make([]int32, steps*batch), make([]int32, steps*batch)
	for b, name := range names {
		for t := range steps {
			read[t*batch+b], say[t*batch+b] = rnn.None, rnn.Ignore
		}
		read[b] = int32(b) // at step 0
		for t, id := range ids(letters, name) {
			say[t*batch+b] = id
		}
	}
	c := rnn.Config{Input: batch, Layers: 1, Hidden: 32, Output: len(letters)}
	m, ws := train(c, steps, batch, 0.02, func(ws *rnn.Workspace) float64 {
		ws.Forward(read)
		return ws.Backward(say)
	})
	for t := range steps {
		y := outputs(m, ws, t)[2*m.Output:][:m.Output] // of the number 3, in row 2
		fmt.Print(letters[slices.Index(y, slices.Max(y)):][:1])
	}
	fmt.Println()
	// Output: three
}

// Many-to-one has one output a sequence, after its last step, wherever that is:
// whether a string of brackets is in balance.
func Example_manyToOne() {
	const brackets = "()"
	texts := []string{"()", "(", "(())", "(()", "()()", "())(", "((()))", ")()(", ")(", "()(())"}
	balanced := []int32{1, 0, 1, 0, 1, 0, 1, 0, 0, 1}
	const steps, batch = 6, 10
	read, lengths := make([]int32, steps*batch), make([]int32, batch)
	for b, text := range texts {
		lengths[b] = int32(len(text))
		for t, id := range ids(brackets, text) {
			read[t*batch+b] = id
		}
	}
	c := rnn.Config{Input: len(brackets), Layers: 1, Hidden: 16, Output: 2, LastStep: true}
	m, ws := train(c, steps, batch, 0.02, func(ws *rnn.Workspace) float64 {
		ws.SetLengths(lengths)
		ws.Forward(read)
		return ws.Backward(balanced) // [B]
	})
	y := outputs(m, ws, steps-1) // [B,2], of each sequence's own last step
	for _, b := range []int{2, 3} {
		fmt.Println(texts[b], y[b*2+1] > y[b*2])
	}
	// Output:
	// (()) true
	// (() false
}

// Synced many-to-many has an output at every step: here whether a letter is the same
// as the one that follows, which a network knows only if it also reads from the end.
func Example_synced() {
	const letters = " abcdefghijklmnopqrstuvwxyz"
	text := "the little rabbit will cross a brook in the hollow"
	read := ids(letters, text)
	twice := make([]int32, len(read))
	for t := range len(read) - 1 {
		if read[t] == read[t+1] {
			twice[t] = 1
		}
	}
	c := rnn.Config{Input: len(letters), Layers: 1, Hidden: 16, Output: 2, Bidirectional: true}
	m, ws := train(c, len(read), 1, 0.02, func(ws *rnn.Workspace) float64 {
		ws.WeightLabels([]float32{1, 5}) // of twice 0 and 1, which is rare
		ws.Forward(read)
		return ws.Backward(twice)
	})
	for t := range read {
		if y := outputs(m, ws, t); y[1] > y[0] {
			fmt.Print(text[t:t+2], " ")
		}
	}
	fmt.Println()
	// Output: tt bb ll ss oo ll
}
