package seq2seq

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

// checksums returns a line for each gradient of a fixed set of pairs.
func checksums(t *testing.T, e *kernels.Engine) []string {
	var lines []string
	add := func(what string, v []float32) { lines = append(lines, checksum(v)+" "+what) }
	for _, j := range pairJobs {
		p := j.pair(t, e)
		tf := p.NewTraining(j.source, j.target, j.batch)
		tf.SetLengths(j.sourceLens, j.targetLens)
		source, target := j.data(3)
		tf.Forward(source, target)
		tf.Backward(target)
		add("encoder of "+j.name, tf.Encoder.Grads.Slab)
		add("decoder of "+j.name, tf.Decoder.Grads.Slab)
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
