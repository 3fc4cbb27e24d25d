// Tags labels each character of a line as a vowel, a consonant, a digit or something
// else. It is many-to-many, synced: an output at every step. A letter such as y is a
// vowel or a consonant depending on its neighbours. So the network reads each line from
// both ends:
//
//	say, beyond 17 ways of white
//	cvv. cvcvcc dd cvvc vc ccvcv
//
// The text is Newton's Opticks, from the Go distribution.
package main

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

func main() {
	if _, err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const (
	longest = 80 // characters of a line that are read
	batch   = 32
	updates = 800
	shown   = 3 // lines of the test
)

// A score is the share of correctly tagged characters.
type score struct {
	all    float64
	beside float64 // of those whose tag depends on the neighbouring characters
}

// run trains one network that reads lines from both ends and one that reads them
// forward, on nine tenths of the text. It returns the first one's score on the rest.
func run(out io.Writer) (score, error) {
	engine, err := kernels.New("", 1) // one thread: a network this small gains little from more
	if err != nil {
		return score{}, err
	}
	defer engine.Close()

	source := text.Default(1)
	lines := strings.FieldsFunc(string(source.Data), func(r rune) bool { return r == '\n' || r == '\r' })
	train, test := lines[:len(lines)*9/10], lines[len(lines)*9/10:]
	fmt.Fprintf(out, "%s: %d lines to learn from, %d to be tagged\n", source.Name, len(train), len(test))
	var scores [2]score
	for i, both := range []bool{false, true} {
		m, err := rnn.New(engine, rnn.Config{
			Input:  256, // bytes
			Layers: 1, Hidden: 32, Output: tags,
			Bidirectional: both,
		}, 1)
		if err != nil {
			return score{}, err
		}
		fit(m, train)
		if both {
			show(out, m, test[len(test)/2:][:shown])
		}
		scores[i] = rate(m, test)
	}
	for i, how := range []string{"from the left alone", "from both ends"} {
		fmt.Fprintf(out, "read %-20s %.2f %% of all characters are right, %.2f %% of y, w and u\n",
			how+":", 100*scores[i].all, 100*scores[i].beside)
	}
	return scores[1], nil
}

// fit trains the model on batches of random lines.
func fit(m *rnn.Model, lines []string) {
	ws := m.NewTraining(longest, batch)
	ws.WeightLabels([]float32{vowel: 1, consonant: 1, digit: 4, other: 1}) // digits are rare
	opt := rnn.NewAdam(m, 5e-3)
	rng := rand.New(rand.NewPCG(1, 1))
	some := make([]string, batch)
	for range updates {
		for b := range some {
			some[b] = lines[rng.IntN(len(lines))]
		}
		ids, lengths, targets := pack(some)
		ws.SetLengths(lengths)
		ws.Forward(ids)
		ws.Backward(targets)
		m.Step(opt, ws.Grads.Slab, 1)
	}
}

// rate returns the score on lines.
func rate(m *rnn.Model, lines []string) score {
	var all, beside, allRight, besideRight float64
	said := tagged(m, lines)
	for b, line := range lines {
		for i := range said[b] {
			if line[i] == ' ' {
				continue
			}
			right := 0.0
			if said[b][i] == letters[tag(line, i)] {
				right = 1
			}
			all++
			allRight += right
			if depends(line, i) {
				beside++
				besideRight += right
			}
		}
	}
	return score{allRight / all, besideRight / beside}
}

// show prints lines, each with its tags below it.
func show(out io.Writer, m *rnn.Model, lines []string) {
	for b, said := range tagged(m, lines) {
		fmt.Fprintf(out, "%s\n%s\n", lines[b], said)
	}
}

// tagged returns the model's tags of the characters of lines.
func tagged(m *rnn.Model, lines []string) []string {
	ws := m.NewWorkspace(longest, len(lines))
	ids, lengths, targets := pack(lines)
	ws.SetLengths(lengths)
	ws.Forward(ids)
	said := make([]string, len(lines))
	logits := make([]float32, len(lines)*tags)
	for t := range longest {
		ws.Logits(logits, t)
		for b := range lines {
			of := logits[b*tags:][:tags]
			switch {
			case t >= int(lengths[b]):
			case targets[t*len(lines)+b] == rnn.Ignore:
				said[b] += " "
			default:
				best := slices.Index(of, slices.Max(of))
				said[b] += letters[best : best+1]
			}
		}
	}
	return said
}

// pack returns lines as a batch: their bytes and tags, [T,B], and their lengths. Spaces
// are read, but their tags don't count.
func pack(lines []string) (ids, lengths, targets []int32) {
	ids, targets = make([]int32, longest*len(lines)), make([]int32, longest*len(lines))
	for b, line := range lines {
		line = line[:min(len(line), longest)]
		lengths = append(lengths, int32(len(line)))
		for t := range len(line) {
			ids[t*len(lines)+b] = int32(line[t])
			targets[t*len(lines)+b] = tag(line, t)
			if line[t] == ' ' {
				targets[t*len(lines)+b] = rnn.Ignore
			}
		}
	}
	return ids, lengths, targets
}
