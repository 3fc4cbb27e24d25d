package rnn

import (
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"batchrnn/kernels"
)

const writeChecksums = "BATCHRNN_CHECKSUMS" // set to "write", writes testdata/checksums anew

// checksum returns a hash of the bits of v.
func checksum(v []float32) string {
	h := fnv.New64a()
	for _, x := range v {
		b := math.Float32bits(x)
		h.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// checksums returns a line for each result of a fixed set of runs: states, losses,
// gradients and trained parameters of every kind of network.
func checksums(t *testing.T, e *kernels.Engine) []string {
	var lines []string
	add := func(what string, v []float32) { lines = append(lines, checksum(v)+" "+what) }
	for i, j := range exactJobs {
		tr := j.run(j.workspace(t, e, nil), 3)
		for k, v := range tr.values {
			add(fmt.Sprintf("job %d, %v, %s", i, j, tr.names[k]), v)
		}
	}
	for _, act := range []Activation{Tanh, ReLU, Sigmoid, Identity} {
		for _, loss := range []lossKind{binaryEntropy, squaredError} {
			c := Config{Input: 5, Layers: 1, Hidden: 33, Output: 6, Activation: act}
			m := newModel(t, e, c, 3)
			m.InitOrthogonal(1, 4)
			ws, opt := m.NewTraining(7, 9), NewSGD(0.1)
			b := newBatch(c, 7, 9, 5).vectorTargets(c, loss, 6)
			for range 3 {
				b.forward(ws)
				b.backward(ws)
				m.Step(opt, ws.Grads.Slab, 1)
			}
			add(fmt.Sprintf("%v, loss %d, SGD", act, loss), m.Slab)
		}
	}
	return lines
}

// TestChecksums holds results to the bits that earlier versions gave. Where a change of
// results is meant, BATCHRNN_CHECKSUMS=write writes the files anew.
func TestChecksums(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the generic Set may round differently on other processors")
	}
	for _, isa := range isas() {
		name := "simd"
		if isa == "generic" {
			name = isa
		}
		file := filepath.Join("testdata", "checksums."+name+".txt")
		got := strings.Join(checksums(t, newEngine(t, isa, 2)), "\n") + "\n"
		if os.Getenv(writeChecksums) == "write" {
			if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(want), "\n")
		for i, line := range strings.Split(got, "\n") {
			if i >= len(lines) || line != lines[i] {
				t.Fatalf("%s: %q, in %s line %d differs", isa, line, file, i+1)
			}
		}
	}
}
