package rnn_test

import (
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// The textbook's four letters: a network reads h, e, l, l and is to say e, l, l,
// o. After the same letter l it must say l once and o once, which only the state
// can tell apart.
func Example() {
	engine, err := kernels.New("", 0) // the fastest instruction set, all processors
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	const letters = "helo"
	read, say := ids(letters, "hell"), ids(letters, "ello")
	const seed = 1
	m, err := rnn.New(engine, rnn.Config{Input: len(letters), Layers: 1, Hidden: 8, Output: len(letters)}, seed)
	if err != nil {
		log.Fatal(err)
	}
	ws := m.NewTraining(len(read), 1)
	opt := rnn.NewAdagrad(m, 0.1)

	for range 1000 {
		ws.Forward(read)
		if said := likeliest(ws, letters); said == "ello" {
			fmt.Println("hell gives", said)
			return
		}
		ws.Backward(say)
		m.Step(opt, ws.Grads.Slab, 5)
	}
	fmt.Println("not learnt")
	// Output: hell gives ello
}

// A file of PyTorch's nn.LSTM, as safetensors.torch.save_file writes its state_dict, runs
// on a stream. Each piece of the stream goes on from the state after the piece before.
func ExampleModel_ReadSafetensors() {
	engine, err := kernels.New("", 0)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	// torch.nn.LSTM(input_size=6, hidden_size=9)
	m, err := rnn.New(engine, rnn.Config{Input: 6, Dense: true, Cell: rnn.LSTM, Layers: 1, Hidden: 9}, 1)
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open("testdata/nn_lstm.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		log.Fatal(err)
	}
	if err := m.ReadSafetensors(file, info.Size()); err != nil {
		log.Fatal(err)
	}

	const steps = 4
	ws := m.NewWorkspace(steps, 1)
	state := m.NewState(1) // h and c, zero before the first piece
	x := make([]float32, steps*m.Input)
	for piece := range 3 {
		for i := range x {
			x[i] = float32((piece*len(x)+i)%5) / 5
		}
		ws.SetState(state)
		ws.ForwardDense(x)
		ws.State(state)
		fmt.Printf("h %.4f, c %.4f\n", state.H[:3], state.C[:3])
	}
	// Output:
	// h [0.1012 0.2275 0.0185], c [0.2419 0.4305 0.0396]
	// h [0.1183 0.2121 0.0265], c [0.3258 0.3877 0.0626]
	// h [0.1367 0.1908 0.0369], c [0.3497 0.3033 0.0798]
}

// A classifier of sequences that PyTorch trained: an nn.GRU of two layers, whose last
// state an nn.Linear reads. Load finds the sizes in the file. That the input is vectors,
// and that one output for each sequence is wanted, it has to be told.
func ExampleLoad() {
	engine, err := kernels.New("", 0)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	file, err := os.Open("testdata/pytorch.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		log.Fatal(err)
	}
	m, err := rnn.Load(engine, file, info.Size(), rnn.LoadOptions{
		Prefix: "last/", // the file holds other networks too
		Dense:  true, LastStep: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Cell, m.Layers, "layers of", m.Hidden, "units:", m.Input, "inputs,", m.Output, "classes")

	const steps = 3
	ws := m.NewWorkspace(steps, 1)
	ws.ForwardDense([]float32{0.1, 0.2, 0.3, 0.4, 0.5, 0.6})
	scores := make([]float32, m.Output)
	ws.Logits(scores, steps-1)
	best := slices.Max(scores)
	fmt.Printf("class %d: %.3f\n", slices.Index(scores, best), best)
	// Output:
	// gru 2 layers of 3 units: 2 inputs, 5 classes
	// class 4: 0.088
}

// ids returns the places of text's letters in letters.
func ids(letters, text string) []int32 {
	var ids []int32
	for i := range text {
		ids = append(ids, int32(strings.IndexByte(letters, text[i])))
	}
	return ids
}

// likeliest returns the likeliest letter after each step of the only row.
func likeliest(ws *rnn.Workspace, letters string) string {
	logits := make([]float32, len(letters))
	var said []byte
	for t := range ws.T {
		ws.Logits(logits, t)
		best := 0
		for i, y := range logits {
			if y > logits[best] {
				best = i
			}
		}
		said = append(said, letters[best])
	}
	return string(said)
}

// A language model of characters: trained on one line by truncated BPTT, a piece
// of ten characters at a time, it then says the line by heart.
func ExampleModel_NewGenerator() {
	engine, err := kernels.New("", 0)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	const letters = " abcdefghijklmnopqrstuvwxyz."
	text := ids(letters, "the cat sat on the mat and the dog sat on the log.") // 50 characters
	m, err := rnn.New(engine, rnn.Config{Input: len(letters), Layers: 1, Hidden: 32, Output: len(letters)}, 1)
	if err != nil {
		log.Fatal(err)
	}
	const steps = 10
	ws := m.NewTraining(steps, 1)
	opt := rnn.NewAdam(m, 0.01)
	for loss := 1.0; loss > 0.01; {
		loss = 0
		ws.Reset()
		for at := 0; at+steps < len(text); at += steps {
			ws.Forward(text[at : at+steps])
			loss = max(loss, ws.Backward(text[at+1:at+steps+1]))
			m.Step(opt, ws.Grads.Slab, 5)
			ws.Carry()
		}
	}

	g, err := m.NewGenerator(rnn.Sampling{}) // takes the likeliest
	if err != nil {
		log.Fatal(err)
	}
	said, id := "t", text[0]
	for range 39 {
		if id, err = g.Next(id); err != nil {
			log.Fatal(err)
		}
		said += letters[id : id+1]
	}
	fmt.Println(said)
	// Output: the cat sat on the mat and the dog sat o
}
