package streams

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"batchrnn/rnn"
)

// Options of a Batcher. The zero value has the defaults.
type Options struct {
	// Rows is the maximum number of streams in a pass; 0 means 64.
	Rows int
	// Steps is the maximum number of steps of a pass; 0 means 32. A longer chunk takes
	// several passes, and other streams join between them.
	Steps int
	// Window is how long a pass waits for more streams; 0 means not at all. It ends early
	// when the pass is full, or when all open streams wait. A chunk waits once.
	Window time.Duration
	// MaxStreams is the maximum number of open streams; 0 means no limit.
	MaxStreams int
}

const (
	defaultRows  = 64
	defaultSteps = 32
	// roomRows is how many steps and rows a workspace holds in all. A pass of 64 rows
	// then has up to 8 steps. More would gain little, and other streams wait meanwhile.
	roomRows = 512
	// maxRows and maxSteps keep workspaces within bounds.
	maxRows, maxSteps = 1 << 16, 1 << 16
)

// Errors of a Batcher and its streams. Test for them by [errors.Is].
var (
	ErrClosed = errors.New("streams: closed")
	ErrFull   = errors.New("streams: all streams are in use: close some, or set a larger Options.MaxStreams")
	ErrBusy   = errors.New("streams: the stream has a call under way: wait for it, or open a stream for each goroutine")
)

// A Batcher runs many streams on one model. All methods may be called from any goroutine.
type Batcher struct {
	rows, steps, maxStreams int
	window                  time.Duration

	mu      sync.Mutex
	run     *runner // of the model for new calls
	running *runner // of the pass that runs, or nil
	queue   queue   // the streams whose calls wait for a pass
	led     bool    // some caller leads
	skip    int     // passes that begin without a yield
	skips   int     // what the last dear yield set skip to
	open    int     // streams
	calls   int     // streams with a call under way
	closed  bool
	quiet   sync.Cond // calls is 0
	stats   Stats

	// A leader that waits for Window listens to full.
	collecting bool
	full       chan struct{}
	timer      *time.Timer // nil without Window
}

// Stats are counts since New.
type Stats struct {
	Streams int    // open now
	Waiting int    // calls that wait for a pass now
	Passes  uint64 // passes begun
	Steps   uint64 // steps of all streams in these passes
	// LongestWait is the maximum number of passes that began without a call while it
	// waited. With up to Options.Rows calls at a time it is 0: a call waits for the pass
	// that runs, and is in the next one. Each pass is of one model. After Replace a call
	// may so wait for one more pass for each older model with calls under way.
	LongestWait uint64
}

// New returns a Batcher for m. It allocates a workspace. It returns an error if an option
// is out of range, or if m is bidirectional: such a model reads a sequence as a whole.
//
// Nothing may change the parameters of m until Close, or until the calls that began before
// a Replace have ended. To go on training, copy them to another model.
func New(m *rnn.Model, o Options) (*Batcher, error) {
	if o.Rows == 0 {
		o.Rows = defaultRows
	}
	if o.Steps == 0 {
		o.Steps = defaultSteps
	}
	switch {
	case o.Rows < 0 || o.Rows > maxRows:
		return nil, fmt.Errorf("streams: Options.Rows is %d, must be from 1 to %d, or 0 for %d", o.Rows, maxRows, defaultRows)
	case o.Steps < 0 || o.Steps > maxSteps:
		return nil, fmt.Errorf("streams: Options.Steps is %d, must be from 1 to %d, or 0 for %d", o.Steps, maxSteps, defaultSteps)
	case o.Window < 0:
		return nil, fmt.Errorf("streams: Options.Window is %v, must be 0 or more", o.Window)
	case o.MaxStreams < 0:
		return nil, fmt.Errorf("streams: Options.MaxStreams is %d, must be 1 or more, or 0 for no limit", o.MaxStreams)
	}
	if err := check(m); err != nil {
		return nil, err
	}
	b := &Batcher{rows: o.Rows, steps: o.Steps, window: o.Window, maxStreams: o.MaxStreams, full: make(chan struct{}, 1)}
	b.quiet.L = &b.mu
	b.run = newRunner(m, o.Rows, o.Steps)
	if o.Window > 0 {
		b.timer = time.NewTimer(o.Window)
		b.timer.Stop()
	}
	return b, nil
}

// check returns an error if a model can't run as streams.
func check(m *rnn.Model) error {
	switch {
	case m == nil:
		return errors.New("streams: the model is nil: make one with rnn.New")
	case m.Bidirectional:
		return errors.New("streams: the model is bidirectional and reads each sequence as a whole: run it in an rnn.Workspace")
	}
	return nil
}

// Open returns a stream whose state is zero. It returns ErrFull if MaxStreams are open,
// and ErrClosed after Close.
func (b *Batcher) Open() (*Stream, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, ErrClosed
	case b.maxStreams > 0 && b.open >= b.maxStreams:
		return nil, ErrFull
	}
	b.open++
	s := &Stream{b: b, state: b.run.model.NewState(1), output: b.run.model.Output}
	s.own.wake = make(chan struct{}, 1)
	return s, nil
}

// Replace makes m the model of all calls from now on. Calls under way end on the model
// that they began with. The states of the streams go on.
//
// It returns an error unless m reads and writes what the model before did, and has states
// of the same shape.
func (b *Batcher) Replace(m *rnn.Model) error {
	if err := check(m); err != nil {
		return err
	}
	if err := b.fits(m); err != nil {
		return err
	}
	run := newRunner(m, b.rows, b.steps)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if b.run != b.running { // otherwise settle does it
		b.run.vacate() // streams without calls must not keep a model that is gone
	}
	b.run = run
	return nil
}

// fits returns an error if m can't go on from the states of the streams.
func (b *Batcher) fits(m *rnn.Model) error {
	b.mu.Lock()
	old := b.run.model
	b.mu.Unlock()
	for _, c := range []struct {
		what      string
		have, was any
	}{
		{"Cell", m.Cell, old.Cell},
		{"Layers", m.Layers, old.Layers},
		{"Hidden", m.Hidden, old.Hidden},
		{"Projection", m.Projection, old.Projection},
		{"Input", m.Input, old.Input},
		{"Dense", m.Dense, old.Dense},
		{"Output", m.Output, old.Output},
		{"LastStep", m.LastStep, old.LastStep},
	} {
		if c.have != c.was {
			return fmt.Errorf("streams: Replace: %s of the model is %v, but the streams have %v: make a Batcher for it", c.what, c.have, c.was)
		}
	}
	return nil
}

// Stats returns the counts.
func (b *Batcher) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Streams, s.Waiting = b.open, b.queue.n
	return s
}

// Close refuses new calls and waits for those under way. Afterwards [Stream.State] still
// gives the states of open streams, so that they can go on elsewhere. The Batcher has no
// goroutines and nothing else to release. A second Close waits too.
func (b *Batcher) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.enough(true)
	for b.calls > 0 {
		b.quiet.Wait()
	}
}
