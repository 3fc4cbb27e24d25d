package ngram

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestChecksums holds scores to the bits that earlier versions gave. Where a change of
// scores is meant, BATCHRNN_CHECKSUMS=write writes the file anew.
func TestChecksums(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("math.Log may round differently on other processors")
	}
	var lines []string
	rng := rand.New(rand.NewPCG(5, 6))
	for _, s := range streams() {
		for order := 1; order <= MaxOrder; order += 2 {
			for _, smoothing := range []Smoothing{KneserNey, Absolute} {
				est, _ := mustEstimate(t, s.tokens, Config{Vocab: s.vocab, Order: order, Smoothing: smoothing})
				for _, store := range Stores {
					m, h := mustModel(t, est, store), fnv.New64a()
					for _, tokens := range [][]int32{s.tokens, randomStream(rand.New(rand.NewPCG(rng.Uint64(), 1)), 200, s.vocab)} {
						h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(m.Score(tokens))))
					}
					lines = append(lines, fmt.Sprintf("%016x %s, order %d, %v, %v", h.Sum64(), s.name, order, smoothing, store))
				}
			}
		}
	}
	const file = "testdata/checksums.txt"
	got := strings.Join(lines, "\n") + "\n"
	if os.Getenv("BATCHRNN_CHECKSUMS") == "write" {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lines, strings.Split(strings.TrimSpace(string(want)), "\n")) {
		t.Errorf("the scores are not those of %s", file)
		for i, line := range strings.Split(strings.TrimSpace(string(want)), "\n") {
			if i < len(lines) && lines[i] != line {
				t.Fatalf("first %q, want %q", lines[i], line)
			}
		}
	}
}
