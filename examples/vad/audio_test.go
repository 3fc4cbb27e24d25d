package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
)

// speakers are espeak-ng's voices: languages, men and women.
var speakers = []string{"en-us", "en-gb+f2", "de+m3", "fr+f4", "es", "it+f1", "pl+m5", "nl+f3"}

// recording returns that many seconds of audio at 16 kHz, and for each sample whether it
// is spoken. espeak-ng reads Newton's Opticks in several voices, loud and faint. Between
// the sentences are gaps up to four seconds. The background is silence, white noise,
// rumble or a hum, with clicks now and then. It is the same each time, as far as espeak-ng
// is. Where espeak-ng is missing the test is skipped; in CI it fails.
func recording(t testing.TB, seconds int) (audio []float32, spoken []bool) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		const how = "espeak-ng is missing: install Debian's espeak-ng"
		if os.Getenv("CI") != "" {
			t.Fatal(how)
		}
		t.Skip("SKIPPED: " + how)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	words := strings.Fields(string(text.Default(1).Data))
	for len(audio) < seconds*16000 {
		for range 300 + rng.IntN(64000) {
			audio, spoken = append(audio, 0), append(spoken, false)
		}
		at := rng.IntN(len(words) - 40)
		said := speech(t, speakers[rng.IntN(len(speakers))], 120+rng.IntN(100), strings.Join(words[at:at+3+rng.IntN(30)], " "))
		loud := float32(math.Pow(10, -1.5*rng.Float64())) // 0 to -30 dB
		for _, x := range said {
			audio, spoken = append(audio, loud*x), append(spoken, true)
		}
	}
	audio, spoken = audio[:seconds*16000], spoken[:seconds*16000]
	for rest := audio; len(rest) > 0; {
		n := min(160000+rng.IntN(320000), len(rest)) // 10 to 30 seconds
		background(rng, rest[:n])
		rest = rest[n:]
	}
	return audio, spoken
}

// speech returns what a voice says, at 16 kHz.
func speech(t testing.TB, voice string, wordsPerMinute int, words string) []float32 {
	cmd := exec.Command("espeak-ng", "--stdout", "-v", voice, "-s", fmt.Sprint(wordsPerMinute))
	cmd.Stdin = strings.NewReader(words)
	file, err := cmd.Output()
	if err != nil {
		t.Fatalf("espeak-ng -v %s: %v", voice, err)
	}
	p, err := openWAV(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	r := resample(p, newFilter(p.rate, 16000))
	var x []float32
	frame := make([]float32, 512)
	for err == nil {
		var n int
		n, err = r.read(frame)
		x = append(x, frame[:n]...)
	}
	if err != io.EOF || len(x) == 0 {
		t.Fatalf("espeak-ng -v %s: %d samples, %v", voice, len(x), err)
	}
	return x
}

// background adds one kind of noise.
func background(rng *rand.Rand, x []float32) {
	level := float32(math.Pow(10, -1-2*rng.Float64())) // -20 to -60 dB
	kind, low := rng.IntN(4), float32(0)
	for i := range x {
		white := float32(rng.NormFloat64())
		switch kind { // 0 is silence
		case 1:
			x[i] += level * white
		case 2:
			low += (white - low) / 40 // below 60 Hz, and then 6 dB an octave
			x[i] += 6 * level * low
		case 3:
			for _, hz := range []float64{50, 150, 1000} {
				x[i] += level * float32(math.Sin(2*math.Pi*hz*float64(i)/16000))
			}
		}
		if kind != 0 && rng.IntN(30000) == 0 {
			x[i] += 0.5 // a click
		}
		x[i] = max(-1, min(x[i], 1))
	}
}
