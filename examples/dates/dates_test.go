package main

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"batchrnn/kernels"
)

// TestDates: a network of one seed answers 99 % of the dates that it has not been
// trained on, to the last character.
func TestDates(t *testing.T) {
	switch {
	case os.Getenv("BATCHRNN_LONG") == "":
		t.Skip("trains for ten seconds: set BATCHRNN_LONG=1")
	case raceDetector:
		t.Skip("the race detector makes minutes of the training")
	}
	e, err := kernels.New("", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.ISA() == "generic" {
		t.Skip("the portable kernels train for minutes")
	}
	const seed = 1
	p, err := newNetwork(e, seed)
	if err != nil {
		t.Fatal(err)
	}
	learnt, heldOut := days()
	train(p, learnt, seed, func(updates int, loss float64) { t.Logf("%d updates: %.4f nats", updates, loss) })
	share := exact(p, draw(heldOut, tried, rand.New(rand.NewPCG(seed, 1))))
	t.Logf("%.2f %% of %d right", 100*share, tried)
	if !(share >= 0.99) {
		t.Errorf("%.2f %% of the dates are right, want 99", 100*share)
	}
	for text, want := range map[string]string{sample: "1998-05-03", "2/29/00": "2000-02-29", "Dec 31, 1999": "1999-12-31"} {
		if got, err := answer(p, text); got != want || err != nil {
			t.Errorf("%q is answered by %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestStyles: whatever is written means one date, fits the network, and can be read;
// the longest fills it.
func TestStyles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	means := map[string]string{}
	longest := 0
	learnt, heldOut := days()
	for _, d := range append(learnt, heldOut...) {
		iso := d.Format(time.DateOnly)
		for _, style := range styles {
			text := strings.ToLower(style(d, r))
			if other, ok := means[text]; ok && other != iso {
				t.Fatalf("%q means %s and %s", text, other, iso)
			}
			means[text] = iso
			if _, err := sourceIDs(text); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, len(text))
		}
	}
	if longest != sourceSteps {
		t.Errorf("the longest date has %d characters, the network reads %d", longest, sourceSteps)
	}
}

// TestHeldOut: no date is in both parts, and the sample is not learnt.
func TestHeldOut(t *testing.T) {
	learnt, heldOut := days()
	in := map[time.Time]bool{}
	for _, d := range learnt {
		in[d] = true
	}
	for _, d := range append(heldOut, time.Date(1998, 5, 3, 0, 0, 0, 0, time.UTC)) {
		if in[d] {
			t.Errorf("%v is learnt and held out", d)
		}
	}
	if n := len(learnt) + len(heldOut); n != 36525 {
		t.Errorf("%d days in a hundred years", n)
	}
}

// TestBadDates: what can't be read is an error that says why.
func TestBadDates(t *testing.T) {
	for text, part := range map[string]string{
		"":                      "no date",
		"3 März 1998":           "'ä'",
		"3 May 1998\xff":        "which no date",
		strings.Repeat("3", 37): "37 characters, more than the 36",
	} {
		err := run(nil, 1, []string{sample, text})
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: error %v, want %q in it", text, err, part)
		}
	}
}
