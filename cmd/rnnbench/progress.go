package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"batchrnn/bench/lm"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// When a piece of work is told of. Nothing is silent for more than two seconds.
const (
	tickEvery   = 200 * time.Millisecond
	tellFirst   = 1200 * time.Millisecond // a line about work that has none yet, after the line before
	tellEvery   = 10 * time.Second        // between two lines about one piece of work
	objectEvery = time.Second             // between two objects of --progress json
)

// The forms of progress.
type form int

const (
	silent  form = iota // --quiet
	lines               // standard error is no terminal
	bars                // it is
	objects             // --progress json
)

// progress reports on w how far a command is: as a bar on a terminal, as lines elsewhere,
// or as JSON objects. A goroutine repeats what goes on, for work that reports nothing
// itself. Between done and the next piece of work, progress writes nothing.
type progress struct {
	w     io.Writer
	form  form
	began time.Time

	mu      sync.Mutex
	at      *piece    // what goes on; nil in between
	told    time.Time // when something was written last
	bar     *progressbar.ProgressBar
	rows    bool          // a line about a measured model was written
	unsaved string        // the last warning about a checkpoint
	stopped chan struct{} // ends the goroutine; nil before it runs
}

// A piece of work.
type piece struct {
	study.Event // its Measured is nil
	began       time.Time
	lined       bool // a line was written about it
	steps       bool // it is one of the steps of a measurement, which share a bar
	count       int  // of things it has gone through, of an unknown number
}

// barSteps is the resolution of a bar. barWidth is its width in columns, less beside
// long text.
const (
	barSteps    = 1000
	barWidth    = 16
	barNarrow   = 6
	barThrottle = 100 * time.Millisecond
)

// clock is the longest time beside a bar or a spinner.
const clock = " [12m34s:12m34s] "

func newProgress(w io.Writer, f form) *progress {
	now := time.Now()
	if file, ok := w.(*os.File); ok && f == lines && term.IsTerminal(int(file.Fd())) {
		f = bars
	}
	return &progress{w: w, form: f, began: now, told: now}
}

// work says what goes on from now until done or the next piece of work, in words such as
// "reading the text".
func (p *progress) work(what string) {
	p.set(piece{Event: study.Event{Progress: lm.Progress{Work: what, Fraction: lm.Unknown}}})
}

// part returns a function that says how far such work is.
func (p *progress) part(what string) func(fraction float64) {
	return func(fraction float64) {
		p.set(piece{Event: study.Event{Progress: lm.Progress{Work: what, Fraction: fraction}}})
	}
}

// count says how many things the work has gone through, of an unknown number.
func (p *progress) count(what string, n int, thing string) {
	p.set(piece{count: n, Event: study.Event{Progress: lm.Progress{Work: what, Detail: what + ", " + figures.Plural(int64(n), thing), Fraction: lm.Unknown}}})
}

// on handles an event of [study.Study.Run].
func (p *progress) on(e study.Event) {
	p.warn(e.Unsaved)
	if e.Measured != nil {
		p.measured(e)
		return
	}
	p.set(piece{Event: e})
}

// step reports the start of a piece of work: its number nth, of pieces in all.
func (p *progress) step(nth, of int, name string) {
	p.set(piece{Event: study.Event{Progress: lm.Progress{Model: name, Work: "measuring", Fraction: lm.Unknown}, Nth: nth, Of: of}, steps: true})
}

// set makes at what goes on. The goroutine tells of it when it is time.
func (p *progress) set(at piece) {
	if p.form == silent {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	at.began = now
	same := p.at != nil && p.at.Nth == at.Nth && p.at.Model == at.Model && p.at.Work == at.Work
	if same {
		at.began, at.lined = p.at.began, p.at.lined
	}
	if p.at == nil || (at.steps != p.at.steps) || !at.steps && (!same || (at.Fraction < 0) != (p.at.Fraction < 0)) {
		p.clear() // each piece has a bar of its own, the steps of a measurement one together
	}
	p.at = &at
	switch {
	case !same && p.form == objects:
		p.object(now, "start")
	case !same && at.steps && at.Nth == 1:
		p.line(now)
	}
	if p.stopped == nil {
		p.stopped = make(chan struct{})
		go p.repeat(p.stopped)
	}
}

// repeat calls tick until stopped is closed.
func (p *progress) repeat(stopped chan struct{}) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stopped:
			return
		case now := <-ticker.C:
			p.mu.Lock()
			p.tick(now)
			p.mu.Unlock()
		}
	}
}

// tick tells of what goes on, if it is time.
func (p *progress) tick(now time.Time) {
	if p.at == nil {
		return
	}
	switch p.form {
	case bars:
		p.draw()
	case lines:
		wait := tellFirst
		if p.at.lined {
			wait = tellEvery
		}
		if now.Sub(p.told) >= wait {
			p.line(now)
		}
	case objects:
		if now.Sub(p.told) >= objectEvery {
			p.object(now, "progress")
		}
	}
}

// name returns the name of a piece with its number, "" if it has none.
func (at *piece) name() string {
	if at.Of > 1 {
		return fmt.Sprintf("%d/%d %s", at.Nth, at.Of, at.Model)
	}
	return at.Model
}

// words returns what is known about a piece beside its name.
func (at *piece) words() string {
	if at.Detail != "" {
		return at.Detail
	}
	return at.Work
}

// line writes a line about what goes on.
func (p *progress) line(now time.Time) {
	if p.form != lines {
		return
	}
	p.at.lined, p.told = true, now
	took := now.Sub(p.at.began).Round(time.Second)
	switch name := p.at.name(); {
	case name == "" && p.at.Fraction >= 0:
		fmt.Fprintf(p.w, "%s: %.0f %%\n", p.at.Work, 100*p.at.Fraction)
	case name == "":
		fmt.Fprintf(p.w, "%s ... %v\n", p.at.words(), took)
	case p.at.Fraction >= 0:
		fmt.Fprintf(p.w, "%-12s %9.0f %%   %s\n", name, 100*p.at.Fraction, p.at.words())
	case p.at.steps:
		fmt.Fprintln(p.w, name)
	default:
		fmt.Fprintf(p.w, "%-12s %s ... %v\n", name, p.at.words(), took)
	}
}

// draw draws the bar, or a spinner where no share is known.
func (p *progress) draw() {
	width, left := barWidth, ""
	if p.at.Left > 0 {
		width, left = barNarrow, p.at.Left.Round(time.Second).String()+" left, "
	}
	if p.at.Fraction >= 0 || p.at.steps {
		if p.bar == nil {
			p.bar = newBar(p.w, width, p.at.Left == 0)
		}
		text := p.at.name()
		if !p.at.steps {
			text = strings.TrimSpace(text + "  " + left + p.at.words())
		}
		beside := width + len("  100% || ")
		if p.at.Left == 0 {
			beside += len(clock)
		}
		p.bar.Describe(fit(text, p.room(beside)))
		fraction := p.at.Fraction
		if p.at.steps {
			fraction = float64(p.at.Nth-1) / float64(p.at.Of)
		}
		p.bar.Set(int(min(fraction, 1) * (barSteps - 1))) // less than the maximum, which would close the bar
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetSpinnerChangeInterval(0), // it turns when it is drawn
			progressbar.OptionThrottle(barThrottle),
			progressbar.OptionSetElapsedTime(true),
		)
	}
	p.bar.Describe(fit(strings.TrimSpace(p.at.name()+"  "+left+p.at.words()), p.room(len("|  ")+len(clock))))
}

// newBar returns a bar that fits 80 columns with its text. With time, the bar shows the
// elapsed and the remaining time; events may show it instead.
func newBar(w io.Writer, width int, time bool) *progressbar.ProgressBar {
	return progressbar.NewOptions(barSteps,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(width),
		progressbar.OptionSetPredictTime(time),
		progressbar.OptionSetElapsedTime(time),
		progressbar.OptionThrottle(barThrottle),
		progressbar.OptionClearOnFinish(),
	)
}

// measured writes the row of a measured model.
func (p *progress) measured(e study.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	at := piece{Event: e, began: p.began}
	p.at = nil
	p.told = time.Now()
	switch p.form {
	case objects:
		p.at = &at
		p.object(p.told, "result")
		p.at = nil
	case lines, bars:
		bits := fmt.Sprintf("%.3f", e.Measured.BitsPerToken)
		if e.Measured.Unscored {
			bits = "-"
		}
		line := fmt.Sprintf("%-22s %10s   %5s bits   after %.2f s of training", at.name(),
			figures.Bytes(e.Measured.BytesPredicted), bits, e.Measured.TrainSeconds)
		if utf8.RuneCountInString(line) > figures.Screen {
			line = strings.TrimSuffix(line, " of training")
		}
		fmt.Fprintln(p.w, line)
		p.rows = true
	}
}

// warn writes a line when checkpoints, or the files of a report, begin to fail, for another
// reason than before, and when they no longer do.
func (p *progress) warn(unsaved error) {
	said := ""
	if unsaved != nil {
		said = message(unsaved)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if said == p.unsaved {
		return
	}
	p.unsaved = said
	p.clear()
	if said == "" {
		fmt.Fprintln(p.w, "the files are written again")
		return
	}
	fmt.Fprintf(p.w, "warning: %s: the run goes on, and tries again\n", said)
}

// A progressLine is a line of --progress json.
type progressLine struct {
	Format      int      `json:"format"`
	Event       string   `json:"event"`   // "start" of a piece of work, "progress", or the "result" of a model
	Seconds     float64  `json:"seconds"` // since the command began
	Name        string   `json:"name,omitempty"`
	Work        string   `json:"work,omitempty"`
	Nth         int      `json:"nth,omitempty"`
	Of          int      `json:"of,omitempty"`
	Fraction    *float64 `json:"fraction,omitempty"` // of this piece of work; absent if it is not known
	LeftSeconds float64  `json:"left_seconds,omitempty"`
	Count       int      `json:"count,omitempty"` // of lines scored so far

	// An RNN in training.
	Tokens          int64   `json:"tokens,omitempty"`
	LossBits        float64 `json:"loss_bits_per_token,omitempty"`
	ValidBits       float64 `json:"valid_bits_per_token,omitempty"`
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`

	// A result.
	Bytes        int64   `json:"bytes,omitempty"`
	BitsPerToken float64 `json:"bits_per_token,omitempty"`
	TrainSeconds float64 `json:"train_seconds,omitempty"`
}

// object writes an object about what goes on.
func (p *progress) object(now time.Time, event string) {
	at := p.at
	p.told = now
	o := progressLine{
		Format: jsonFormat, Event: event, Seconds: now.Sub(p.began).Seconds(),
		Name: at.Model, Work: at.Work, Nth: at.Nth, Of: at.Of, LeftSeconds: at.Left.Seconds(), Count: at.count,
	}
	if at.Fraction >= 0 {
		o.Fraction = &at.Fraction
	}
	if t := at.Training; t.Tokens > 0 {
		o.Tokens, o.LossBits, o.ValidBits, o.TokensPerSecond = t.Tokens, lm.Bits(t.Loss, 1), lm.Bits(t.Valid, 1), t.TokensPerSecond()
	}
	if m := at.Measured; m != nil {
		o.Work, o.LeftSeconds, o.Fraction = "", 0, nil
		o.Bytes, o.BitsPerToken, o.TrainSeconds = m.BytesPredicted, m.BitsPerToken, m.TrainSeconds
	}
	json.NewEncoder(p.w).Encode(o)
}

// room returns how many columns of the terminal are left for text. A wrapped line can't
// be redrawn.
func (p *progress) room(beside int) int {
	columns := figures.Screen
	if f, ok := p.w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			columns = n
		}
	}
	return max(columns-beside, 0)
}

// fit shortens a text to a number of columns, at a comma where there is one.
func fit(text string, room int) string {
	if utf8.RuneCountInString(text) > room {
		text = strings.Replace(text, " tokens/s", "/s", 1)
	}
	for utf8.RuneCountInString(text) > room {
		at := strings.LastIndex(text, ", ")
		if at < 0 {
			return string([]rune(text)[:room])
		}
		text = text[:at]
	}
	return text
}

// clear removes the bar.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Clear()
		p.bar = nil
	}
}

// done ends the piece of work that goes on. Until the next one, others may write.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.at = nil
}

// close ends the progress of a command.
func (p *progress) close() {
	p.done()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped != nil {
		close(p.stopped)
		p.stopped = nil
	}
	if p.rows && p.form == bars {
		fmt.Fprintln(p.w) // on a terminal the tables follow
		p.rows = false
	}
}
