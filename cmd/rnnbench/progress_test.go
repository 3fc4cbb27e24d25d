package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/study"
)

// A piece of work that reports nothing is told of all the same: soon, then now and then.
func TestSilentWorkIsToldOf(t *testing.T) {
	for _, test := range []struct {
		form  form
		after []time.Duration // since the start of the work
		want  []bool          // whether something is written then
	}{
		{lines, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 11 * time.Second, 13 * time.Second},
			[]bool{false, true, false, false, true}},
		{objects, []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 2 * time.Second, 3 * time.Second},
			[]bool{false, true, false, true}},
		{bars, []time.Duration{200 * time.Millisecond, 400 * time.Millisecond}, []bool{true, true}},
		{silent, []time.Duration{time.Hour}, []bool{false}},
	} {
		var b bytes.Buffer
		p := newProgress(&b, test.form)
		p.stopped = make(chan struct{}) // no goroutine beside the test
		p.work("reading the text")
		start := p.told
		b.Reset()
		for i, after := range test.after {
			if p.form == bars {
				time.Sleep(barThrottle) // the bar has a clock of its own
			}
			p.tick(start.Add(after))
			if got := b.Len() > 0; got != test.want[i] {
				t.Errorf("form %d, %v after the start: wrote %q", test.form, after, b.String())
			}
			if b.Len() > 0 && !strings.Contains(b.String(), "reading the text") {
				t.Errorf("form %d wrote %q", test.form, b.String())
			}
			b.Reset()
		}
		p.done()
		b.Reset()
		p.tick(start.Add(time.Hour))
		if b.Len() > 0 {
			t.Errorf("form %d wrote %q after its end", test.form, b.String())
		}
		p.close()
	}
}

// Pieces of work that each take less than the time before the first line are not silent
// together.
func TestManyShortPiecesAreToldOf(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, lines)
	p.stopped = make(chan struct{})
	start := p.told
	for i := range 10 {
		p.on(study.Event{Progress: lm.Progress{Model: strings.Repeat("x", i+1), Work: "scoring", Fraction: lm.Unknown}})
		p.tick(start.Add(time.Duration(i) * time.Second))
	}
	if n := strings.Count(b.String(), "\n"); n < 4 {
		t.Errorf("%d lines in nine seconds:\n%s", n, b.String())
	}
	p.close()
}

func TestProgressObjects(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, objects)
	p.stopped = make(chan struct{})
	e := study.Event{Progress: lm.Progress{Model: "RNN 8", Work: "training", Fraction: 0.25, Left: 3 * time.Second}, Nth: 2, Of: 5}
	e.Training.Tokens, e.Training.Loss, e.Training.Steps = 1000, 1, time.Second
	p.on(e)
	e.Measured = &study.Model{BitsPerToken: 2.5, BytesPredicted: 99}
	p.on(e)
	d := json.NewDecoder(&b)
	var start, result progressLine
	if err := d.Decode(&start); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(&result); err != nil {
		t.Fatal(err)
	}
	if start.Event != "start" || start.Name != "RNN 8" || start.Nth != 2 || start.Of != 5 || *start.Fraction != 0.25 || start.LeftSeconds != 3 ||
		start.Tokens != 1000 || start.TokensPerSecond != 1000 || !(start.LossBits > 1.44 && start.LossBits < 1.45) {
		t.Errorf("start %+v", start)
	}
	if result.Event != "result" || result.BitsPerToken != 2.5 || result.Bytes != 99 || result.Fraction != nil {
		t.Errorf("result %+v", result)
	}
	p.close()
}

// What a bar shows, and what a result does, fits a line of 80 columns.
func TestBarsFitTheScreen(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, bars)
	p.stopped = make(chan struct{})
	for _, e := range []study.Event{
		{Progress: lm.Progress{Model: "word GRU (reset before) 102", Work: "training", Fraction: 0.5, Detail: "loss 10.12, valid 10.123, 12.3 M tokens/s", Left: time.Hour}, Nth: 10, Of: 30},
		{Progress: lm.Progress{Model: "word GRU (reset before) 102", Work: "training", Fraction: 0.5, Detail: "loss 10.12, valid 10.123, 12.3 M tokens/s"}, Nth: 10, Of: 30},
		{Progress: lm.Progress{Work: "cutting the text into tokens", Fraction: lm.Unknown}},
	} {
		p.on(e)
		p.tick(time.Now())
	}
	p.on(study.Event{Progress: lm.Progress{Model: "word GRU (reset before) 1024"}, Nth: 10, Of: 30, Measured: &study.Model{TrainSeconds: 240, BytesPredicted: 999 << 20}})
	for line := range strings.FieldsFuncSeq(b.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
		if n := len([]rune(strings.TrimRight(line, " "))); n >= 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	p.close()
}

// A text is cut to the room that a narrow terminal has for it.
func TestFit(t *testing.T) {
	for _, test := range []struct {
		text string
		room int
		want string
	}{
		{"loss 1.04, valid 1.046, 1.39 M tokens/s", 39, "loss 1.04, valid 1.046, 1.39 M tokens/s"},
		{"loss 1.04, valid 1.046, 1.39 M tokens/s", 38, "loss 1.04, valid 1.046, 1.39 M/s"},
		{"loss 1.04, valid 1.046, 1.39 M tokens/s", 30, "loss 1.04, valid 1.046"},
		{"loss 1.04, valid 1.046, 1.39 M tokens/s", 6, "loss 1"},
		{"größer als", 5, "größe"},
		{"measuring", 0, ""},
	} {
		if got := fit(test.text, test.room); got != test.want {
			t.Errorf("%q in %d columns: %q, want %q", test.text, test.room, got, test.want)
		}
	}
}
