package text

import (
	"bytes"
	"strings"
	"testing"
)

func TestSyntheticIsDeterministic(t *testing.T) {
	a := Synthetic(1, 50_000)
	if b := Synthetic(1, 50_000); !bytes.Equal(a.Data, b.Data) || a.SHA256 != b.SHA256 {
		t.Error("one seed, two texts")
	}
	if b := Synthetic(2, 50_000); bytes.Equal(a.Data, b.Data) {
		t.Error("two seeds, one text")
	}
	if long := Synthetic(1, 60_000); !bytes.Equal(a.Data, long.Data[:50_000]) {
		t.Error("a shorter text is not the start of a longer one")
	}
	// Results that people publish depend on this text: it must be the same on
	// every machine and with every version of Go.
	const want = "e5cc9b7e08981ca10ad5521d25f15117572bd7ebf9827b7db81494683cfb1546"
	if a.SHA256 != want {
		t.Errorf("SHA-256 of seed 1 is %s, want %s", a.SHA256, want)
	}
}

func TestSyntheticShape(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 1000, 100_000} {
		text := Synthetic(7, n)
		if len(text.Data) != max(n, 0) || !text.Synthetic || text.BadBytes != 0 || !strings.Contains(text.Name, "synthetic") {
			t.Fatalf("asked for %d bytes: %d, %q", n, len(text.Data), text.Name)
		}
	}
	data := Synthetic(7, 100_000).Data
	for line := range bytes.Lines(data) {
		if len(line) > lineWidth+1 {
			t.Errorf("line of %d: %q", len(line), line)
		}
	}
	for i, b := range data {
		if b != '\n' && (b < ' ' || b > '~') {
			t.Fatalf("byte %d is %#x", i, b)
		}
	}
}

// TestSyntheticRewardsContext guesses each held-out token as the one that most
// often followed its context in training, or the shorter contexts where it is
// new: longer contexts must guess better, at both levels.
func TestSyntheticRewardsContext(t *testing.T) {
	text := Synthetic(1, syntheticBytes)
	for _, tc := range []struct {
		level  Level
		orders int
	}{{Char, 6}, {Word, 3}} {
		c, err := Build(text, Options{Level: tc.level})
		if err != nil {
			t.Fatal(err)
		}
		last := 0.0
		for order := 1; order <= tc.orders; order++ {
			got := guessed(c, order)
			t.Logf("%v, order %d: %.3f guessed", tc.level, order, got)
			if !(got > last) {
				t.Errorf("%v, order %d guesses %.3f, order %d guesses %.3f", tc.level, order, got, order-1, last)
			}
			last = got
		}
	}
}

// guessed returns the share of test tokens that contexts of up to order-1
// tokens guess.
func guessed(c *Corpus, order int) float64 {
	type context [5]int32
	key := func(ids []int32, i, n int) (k context) {
		for j := range n {
			k[j] = ids[i-1-j] + 1
		}
		return k
	}
	counts := make(map[context]map[int32]int)
	for i := order; i < len(c.Train); i++ {
		for n := range order {
			k := key(c.Train, i, n)
			if counts[k] == nil {
				counts[k] = make(map[int32]int)
			}
			counts[k][c.Train[i]]++
		}
	}
	best := make(map[context]int32, len(counts))
	for k, follow := range counts {
		top := Unk
		for id, n := range follow {
			if n > follow[top] || n == follow[top] && id < top {
				top = id
			}
		}
		best[k] = top
	}
	right := 0
	for i := order; i < len(c.Test); i++ {
		for n := order - 1; n >= 0; n-- {
			if id, ok := best[key(c.Test, i, n)]; ok {
				if id == c.Test[i] {
					right++
				}
				break
			}
		}
	}
	return float64(right) / float64(len(c.Test)-order)
}
