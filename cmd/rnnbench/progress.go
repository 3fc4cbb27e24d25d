package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// tellEvery is the interval between two lines about one model, without a bar.
const tellEvery = 10 * time.Second

// progress reports on w how far a run is. If w is a terminal it draws a bar for each
// model, otherwise it writes lines.
type progress struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // of the current model, on a terminal
	nth      int                      // number of that model
	told     time.Time                // when the last line was written
	unsaved  string                   // the last warning about a checkpoint
}

// barSteps is the resolution of a bar. barWidth is its width in columns, less beside
// long text.
const (
	barSteps    = 1000
	barWidth    = 16
	barNarrow   = 6
	barThrottle = 100 * time.Millisecond
)

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), told: time.Now()}
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

// on handles an event of [study.Study.Run].
func (p *progress) on(e study.Event) {
	p.warn(e.Unsaved)
	name := e.Model
	if e.Of > 1 {
		name = fmt.Sprintf("%d/%d %s", e.Nth, e.Of, e.Model)
	}
	width := barWidth
	if e.Left > 0 {
		width = barNarrow
		e.Detail = strings.TrimSuffix(e.Left.Round(time.Second).String()+" left, "+e.Detail, ", ")
	}
	switch {
	case e.Measured != nil:
		p.clear()
		bits := fmt.Sprintf("%.3f", e.Measured.BitsPerToken)
		if e.Measured.Unscored {
			bits = "-"
		}
		fmt.Fprintf(p.w, "%-12s %10s   %5s bits   after %.2f s of training\n", name,
			figures.Bytes(e.Measured.BytesPredicted), bits, e.Measured.TrainSeconds)
		p.told = time.Now()
	case p.terminal:
		if p.bar == nil || p.nth != e.Nth {
			p.bar, p.nth = newBar(p.w, width, e.Left == 0), e.Nth
		}
		p.bar.Describe(p.fit(name+"  "+e.Detail, width))
		p.bar.Set(int(e.Fraction * (barSteps - 1))) // less than the maximum, which would close the bar
	case e.Detail != "" && time.Since(p.told) >= tellEvery:
		fmt.Fprintf(p.w, "%-12s %9.0f %%   %s\n", name, 100*e.Fraction, e.Detail)
		p.told = time.Now()
	}
}

// warn writes a line when checkpoints, or the files of a report, begin to fail, for another
// reason than before, and when they no longer do.
func (p *progress) warn(unsaved error) {
	said := ""
	if unsaved != nil {
		said = message(unsaved)
	}
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

// fit shortens the text beside a bar of the given width to the terminal's width, at a
// comma. A wrapped line can't be redrawn.
func (p *progress) fit(text string, width int) string {
	const besideBar = len("  100% || [12m34s:12m34s] ")
	columns := 80
	if f, ok := p.w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			columns = n
		}
	}
	room := columns - width - besideBar
	if width == barNarrow {
		room += len(" [12m34s:12m34s]")
	}
	if utf8.RuneCountInString(text) > room {
		text = strings.Replace(text, " tokens/s", "/s", 1)
	}
	for utf8.RuneCountInString(text) > room {
		at := strings.LastIndex(text, ", ")
		if at < 0 {
			break
		}
		text = text[:at]
	}
	return text
}

// clear removes the bar to make room for a line.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// close removes the bar.
func (p *progress) close() {
	p.clear()
	fmt.Fprintln(p.w)
}
