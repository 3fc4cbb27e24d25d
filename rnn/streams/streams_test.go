package streams_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/streams"
)

var (
	long    = os.Getenv("BATCHRNN_LONG") != ""
	soaking = flag.Duration("soak", 0, "how long TestSoak runs; 0 means 10 s with BATCHRNN_LONG, else not at all")
)

// A holder is a context that holds its leader after each pass, until it may go on. Only
// the leader asks it, once before its call and once after each pass.
type holder struct {
	context.Context
	after chan struct{} // a pass has run; its streams are not told yet
	goOn  chan error    // what Err gives
	asked atomic.Bool
}

func newHolder(t *testing.T) *holder {
	return &holder{Context: t.Context(), after: make(chan struct{}), goOn: make(chan error)}
}

func (h *holder) Err() error {
	if !h.asked.Swap(true) {
		return nil
	}
	h.after <- struct{}{}
	return <-h.goOn
}

// A result is what a call gave.
type result struct {
	n   int
	err error
}

// start makes a call on a goroutine of its own.
func start(ctx context.Context, s *streams.Stream, c streams.Call) chan result {
	done := make(chan result, 1)
	go func() {
		n, err := s.Step(ctx, c)
		done <- result{n, err}
	}()
	return done
}

// waiting returns when n calls wait.
func waiting(t *testing.T, b *streams.Batcher, n int) {
	t.Helper()
	for b.Stats().Waiting != n {
		if t.Context().Err() != nil {
			t.Fatal("never")
		}
		runtime.Gosched()
	}
}

func want(t *testing.T, what string, done chan result, n int, err error) {
	t.Helper()
	if got := <-done; got.n != n || !errors.Is(got.err, err) {
		t.Errorf("%s: %d steps, error %v; want %d, %v", what, got.n, got.err, n, err)
	}
}

var small = rnn.Config{Input: 9, Cell: rnn.LSTM, Layers: 1, Hidden: 8, Output: 9}

// chunk returns n ids.
func chunk(n int) (ids []int32) {
	for i := range n {
		ids = append(ids, int32(i*i%9))
	}
	return ids
}

// TestEnds: calls that end while they wait, while their pass runs, and as leaders have the
// state of their last whole step, and the others go on.
func TestEnds(t *testing.T) {
	m, ref := newModel(t, 1, small, 1), newModel(t, 1, small, 1)
	b := newBatcher(t, m, streams.Options{Steps: 4})
	leader, second, third, fourth, fifth := open(t, b), open(t, b), open(t, b), open(t, b), open(t, b)
	check := func(what string, s *streams.Stream, ids []int32) {
		t.Helper()
		a := newAlone(ref)
		a.step(streams.Call{IDs: ids}, len(ids))
		a.sameState(t, what, s)
	}

	h := newHolder(t)
	led := start(h, leader, streams.Call{IDs: chunk(11)})
	<-h.after // 4 steps of the leader
	ctx, cancel := context.WithCancel(t.Context())
	waits := start(ctx, second, streams.Call{IDs: chunk(3)})
	closes := start(t.Context(), third, streams.Call{IDs: chunk(3)})
	stays := start(t.Context(), fourth, streams.Call{IDs: chunk(6)})
	waiting(t, b, 3)
	cancel()
	want(t, "a context that ends while its call waits", waits, 0, context.Canceled)
	check("after it", second, nil)
	third.Close()
	want(t, "a stream that is closed while its call waits", closes, 0, streams.ErrClosed)

	ctx, cancel = context.WithCancel(t.Context())
	within := start(ctx, fifth, streams.Call{IDs: chunk(9)})
	waiting(t, b, 2)
	h.goOn <- nil
	<-h.after // 4 more of the leader, 4 of the fourth and the fifth, who don't know yet
	cancel()
	if _, err := fifth.Step(t.Context(), streams.Call{IDs: chunk(1)}); err != streams.ErrBusy {
		t.Errorf("a second call at a time: error %v", err)
	}
	if err := fifth.SetState(ref.NewState(1)); err != streams.ErrBusy {
		t.Errorf("SetState beside a call: error %v", err)
	}
	h.goOn <- nil
	<-h.after // 2 of the fourth; 2 of the leader, and 2 of the fifth unless it has ended
	h.goOn <- errors.New("the end")
	if got := <-led; got.n != 10 || got.err == nil || got.err.Error() != "the end" {
		t.Errorf("a leader whose context ends: %+v", got)
	}
	check("after it", leader, chunk(11)[:10])
	want(t, "a call beside these", stays, 6, nil)
	check("after it", fourth, chunk(6))
	got := <-within // the goroutine may have seen its context late
	if got.err != context.Canceled || got.n < 4 {
		t.Errorf("a context that ends in a pass: %+v", got)
	}
	check("after it", fifth, chunk(9)[:got.n])
	if _, err := third.Step(t.Context(), streams.Call{IDs: chunk(1)}); err != streams.ErrClosed {
		t.Errorf("a step on a closed stream: error %v", err)
	}
	if err := third.State(ref.NewState(1)); err != streams.ErrClosed {
		t.Errorf("State of a closed stream: error %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if n, err := second.Step(ctx, streams.Call{IDs: chunk(2)}); n != 0 || err != context.Canceled {
		t.Errorf("a context that has ended before: %d steps, error %v", n, err)
	}
	jobs := []streams.Job{{Stream: second, Call: streams.Call{IDs: chunk(2)}}}
	if err := b.Step(ctx, jobs); jobs[0].Taken != 0 || err != context.Canceled || jobs[0].Err != err {
		t.Errorf("a context that has ended before: %+v, error %v", jobs[0], err)
	}
}

// TestEndsInPass: a stream that is closed, or whose context ends, while its pass runs takes
// no more steps. If that pass was its last one, the call is done.
func TestEndsInPass(t *testing.T) {
	b := newBatcher(t, newModel(t, 1, small, 1), streams.Options{Steps: 4})
	var got result
	for try := 0; got.n != 4; try++ {
		if try == 100 { // a goroutine may see late that its context has ended, but not each time
			t.Fatalf("a context that ended in the first pass: %+v, a hundred times", got)
		}
		h := newHolder(t)
		led := start(h, open(t, b), streams.Call{IDs: chunk(100)})
		<-h.after
		closed, done, ends := open(t, b), open(t, b), open(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		inPass := start(t.Context(), closed, streams.Call{IDs: chunk(9)})
		inLast := start(t.Context(), done, streams.Call{IDs: chunk(4)})
		within := start(ctx, ends, streams.Call{IDs: chunk(50)})
		waiting(t, b, 3)
		h.goOn <- nil
		<-h.after // 4 steps of each
		closed.Close()
		done.Close()
		cancel()
		time.Sleep(time.Duration(try) * time.Millisecond)
		h.goOn <- nil
		want(t, "closed in a pass", inPass, 4, streams.ErrClosed)
		want(t, "closed in the last pass", inLast, 4, nil)
		<-h.after
		h.goOn <- errors.New("enough")
		<-led
		if got = <-within; got.err != context.Canceled || got.n > 12 {
			t.Fatalf("a context that ended in the first pass: %+v", got)
		}
	}
}

// TestLargeChunks: passes of many rows are shorter, within the room of the workspace.
func TestLargeChunks(t *testing.T) {
	m, ref := newModel(t, 2, small, 1), newModel(t, 1, small, 1)
	b := newBatcher(t, m, streams.Options{})
	r := rand.New(rand.NewPCG(1, 1))
	var jobs []streams.Job
	for range 64 {
		jobs = append(jobs, streams.Job{Stream: open(t, b), Call: newCall(r, m, 40)})
	}
	if err := b.Step(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	for i, j := range jobs {
		a := newAlone(ref)
		sameCall(t, fmt.Sprintf("stream %d", i), j.Call, a.step(j.Call, 40))
	}
	if s := b.Stats(); s.Steps != 64*40 || s.Passes != 5 {
		t.Errorf("%+v, want 5 passes of 8 steps", s)
	}
}

// TestFair: waiting calls are in the next pass, the oldest first, and a long chunk lets
// others in.
func TestFair(t *testing.T) {
	m := newModel(t, 1, small, 1)
	b := newBatcher(t, m, streams.Options{Rows: 2, Steps: 4})
	h := newHolder(t)
	led := start(h, open(t, b), streams.Call{IDs: chunk(100)})
	<-h.after
	var done []chan result
	for i := range 3 {
		done = append(done, start(t.Context(), open(t, b), streams.Call{IDs: chunk(1)}))
		waiting(t, b, i+1)
	}
	h.goOn <- nil
	<-h.after // of the first two
	h.goOn <- nil
	want(t, "the first", done[0], 1, nil)
	want(t, "the second", done[1], 1, nil)
	<-h.after // of the third and the leader
	if s := b.Stats(); s.Passes != 3 || s.Steps != 4+2+2 || s.LongestWait != 1 {
		t.Errorf("after three passes %+v", s)
	}
	h.goOn <- errors.New("enough")
	want(t, "the third", done[2], 1, nil)
	if got := <-led; got.n != 5 {
		t.Errorf("the leader took %d steps, want 4 and 1", got.n)
	}
}

// TestNobodyWaitsForTwo: with no more callers than rows each call is in the pass that
// begins after it, single steps beside chunks.
func TestNobodyWaitsForTwo(t *testing.T) {
	b := newBatcher(t, newModel(t, 2, small, 1), streams.Options{Rows: 16, Steps: 8})
	var group sync.WaitGroup
	for i := range 16 {
		s, r := open(t, b), rand.New(rand.NewPCG(uint64(i), 1))
		group.Go(func() {
			for range 200 {
				n := 1
				if i%4 == 0 {
					n += r.IntN(50)
				}
				if taken, err := s.Step(t.Context(), streams.Call{IDs: chunk(n)}); taken != n || err != nil {
					t.Errorf("%d of %d steps, error %v", taken, n, err)
				}
			}
		})
	}
	group.Wait()
	if s := b.Stats(); s.LongestWait != 0 {
		t.Errorf("a call waited while %d passes began without it", s.LongestWait)
	}
}

// TestReplace: a chunk ends on the model that it began with, and the next call has the new
// one.
func TestReplace(t *testing.T) {
	old, renewed := newModel(t, 1, small, 1), newModel(t, 1, small, 2)
	b := newBatcher(t, newModel(t, 1, small, 1), streams.Options{Steps: 4})
	first, second := open(t, b), open(t, b)
	h := newHolder(t)
	c := streams.Call{IDs: chunk(8), Logits: make([]float32, 9)}
	led := start(h, first, c)
	<-h.after
	if err := b.Replace(newModel(t, 1, small, 2)); err != nil {
		t.Fatal(err)
	}
	d := streams.Call{IDs: chunk(4), Logits: make([]float32, 4*9)}
	other := start(t.Context(), second, d)
	waiting(t, b, 1)
	h.goOn <- nil
	<-h.after // of the second
	h.goOn <- nil
	<-h.after // of the first
	h.goOn <- nil
	want(t, "begun before", led, 8, nil)
	want(t, "begun after", other, 4, nil)
	a, z := newAlone(old), newAlone(renewed)
	sameCall(t, "begun before", c, a.step(c, 8))
	sameCall(t, "begun after", d, z.step(d, 4))
	a.sameState(t, "begun before", first)
	z.state, a = a.state, z
	if _, err := first.Step(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	sameCall(t, "the next call", c, a.step(c, 8))

	for _, bad := range []rnn.Config{
		{Input: 9, Cell: rnn.GRU, Layers: 1, Hidden: 8, Output: 9},
		{Input: 9, Cell: rnn.LSTM, Layers: 2, Hidden: 8, Output: 9},
		{Input: 9, Cell: rnn.LSTM, Layers: 1, Hidden: 9, Output: 9},
		{Input: 9, Cell: rnn.LSTM, Layers: 1, Hidden: 8, Projection: 4, Output: 9},
		{Input: 8, Cell: rnn.LSTM, Layers: 1, Hidden: 8, Output: 9},
		{Input: 9, Dense: true, Cell: rnn.LSTM, Layers: 1, Hidden: 8, Output: 9},
		{Input: 9, Cell: rnn.LSTM, Layers: 1, Hidden: 8, Output: 8},
		{Input: 9, Cell: rnn.LSTM, Layers: 1, Hidden: 8, Output: 9, LastStep: true},
		{Input: 9, Cell: rnn.LSTM, Layers: 1, Hidden: 8, Output: 9, Bidirectional: true},
	} {
		if err := b.Replace(newModel(t, 1, bad, 1)); err == nil || !strings.HasPrefix(err.Error(), "streams: ") {
			t.Errorf("%+v: error %v", bad, err)
		}
	}
	if err := b.Replace(nil); err == nil {
		t.Error("no model: no error")
	}
}

// TestClose: Close waits for the calls under way, and refuses others. States remain.
func TestClose(t *testing.T) {
	m := newModel(t, 1, small, 1)
	before := runtime.NumGoroutine()
	b := newBatcher(t, m, streams.Options{Steps: 4, Window: time.Microsecond})
	s := open(t, b)
	h := newHolder(t)
	h.asked.Store(false)
	led := start(&afterCollect{h, 1}, s, streams.Call{IDs: chunk(8)})
	<-h.after
	closed := make(chan struct{})
	go func() { b.Close(); close(closed) }()
	for {
		if _, err := b.Open(); err == streams.ErrClosed {
			break
		}
		runtime.Gosched()
	}
	select {
	case <-closed:
		t.Error("closed beside a call")
	default:
	}
	h.goOn <- nil
	<-h.after
	h.goOn <- nil
	want(t, "under way", led, 8, nil)
	<-closed
	b.Close()
	if _, err := s.Step(t.Context(), streams.Call{IDs: chunk(1)}); err != streams.ErrClosed {
		t.Errorf("a step afterwards: error %v", err)
	}
	if err := b.Replace(m); err != streams.ErrClosed {
		t.Errorf("Replace afterwards: error %v", err)
	}
	if err := s.SetState(m.NewState(1)); err != streams.ErrClosed {
		t.Errorf("SetState afterwards: error %v", err)
	}
	a := newAlone(m)
	a.step(streams.Call{IDs: chunk(8)}, 8)
	a.sameState(t, "afterwards", s)
	s.Close()
	s.Close()
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		if tries > 1000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

// afterCollect lets a few questions pass before it holds.
type afterCollect struct {
	*holder
	free int
}

func (a *afterCollect) Err() error {
	if a.asked.Load() && a.free > 0 {
		a.free--
		return nil
	}
	return a.holder.Err()
}

// TestWindow: a window ends when all open streams wait, when the pass is full, when the
// context ends, and at Close.
func TestWindow(t *testing.T) {
	m := newModel(t, 1, small, 1)
	b := newBatcher(t, m, streams.Options{Rows: 3, Window: time.Hour})
	one, two := open(t, b), open(t, b)
	first := start(t.Context(), one, streams.Call{IDs: chunk(1)})
	waiting(t, b, 1)
	want(t, "the last", start(t.Context(), two, streams.Call{IDs: chunk(1)}), 1, nil)
	want(t, "the first", first, 1, nil)

	var more []*streams.Stream
	for range 3 {
		more = append(more, open(t, b))
	}
	var done []chan result
	for _, s := range more {
		done = append(done, start(t.Context(), s, streams.Call{IDs: chunk(2)}))
	}
	for _, d := range done {
		want(t, "one of a full pass", d, 2, nil)
	}
	if s := b.Stats(); s.Passes != 2 || s.Steps != 2+6 {
		t.Errorf("after two passes %+v", s)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ends := start(ctx, one, streams.Call{IDs: chunk(1)})
	waiting(t, b, 1)
	cancel()
	want(t, "whose context ends", ends, 0, context.Canceled)

	for _, s := range more {
		s.Close()
	}
	others := start(t.Context(), one, streams.Call{IDs: chunk(1)})
	waiting(t, b, 1)
	two.Close()
	want(t, "after all others have been closed", others, 1, nil)

	open(t, b)
	last := start(t.Context(), one, streams.Call{IDs: chunk(1)})
	waiting(t, b, 1)
	b.Close()
	want(t, "at Close", last, 1, nil)
}

// TestFailedPass: a pass that panics fails its calls alone.
func TestFailedPass(t *testing.T) {
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := rnn.New(e, small, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := newBatcher(t, m, streams.Options{})
	s, ref := open(t, b), newAlone(newModel(t, 1, small, 1))
	for i := range int32(3) { // the state stays in the workspace
		if _, err := s.Step(t.Context(), streams.Call{IDs: []int32{i}}); err != nil {
			t.Fatal(err)
		}
		ref.step(streams.Call{IDs: []int32{i}}, 1)
	}
	e.Close()
	for range 2 {
		if n, err := s.Step(t.Context(), streams.Call{IDs: chunk(1)}); n != 0 || err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%d steps, error %v", n, err)
		}
		ref.sameState(t, "after a failed pass", s)
	}
	if err := b.Replace(newModel(t, 1, small, 1)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Step(t.Context(), streams.Call{IDs: chunk(1)}); n != 1 || err != nil {
		t.Errorf("on another model %d steps, error %v", n, err)
	}
	ref.step(streams.Call{IDs: chunk(1)}, 1)
	ref.sameState(t, "on another model", s)
}

// TestSameBatch: the states of a batch that comes again and again are the same as alone,
// also after each way to take them out of the workspace.
func TestSameBatch(t *testing.T) {
	m := newModel(t, 1, small, 1)
	for _, c := range []struct {
		what string
		do   func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job
	}{
		{"nothing", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job { return jobs }},
		{"one less", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job { return jobs[:2] }},
		{"one alone", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job { return jobs[1:2] }},
		{"another order", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job {
			jobs[0], jobs[2] = jobs[2], jobs[0]
			return jobs
		}},
		{"more steps", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job {
			for i := range jobs {
				jobs[i].IDs = chunk(3)
			}
			return jobs
		}},
		{"one closed, one opened", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job {
			jobs[1].Stream.Close()
			jobs[1].Stream = open(t, b)
			refs[1] = newAlone(m)
			return jobs
		}},
		{"a state set", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job {
			from := m.NewState(1)
			for i := range from.H {
				from.H[i] = float32(i) / 10
			}
			if err := jobs[1].Stream.SetState(from); err != nil {
				t.Fatal(err)
			}
			copy(refs[1].state.H, from.H)
			copy(refs[1].state.C, from.C)
			return jobs
		}},
		{"another model", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job {
			if err := b.Replace(newModel(t, 1, small, 1)); err != nil {
				t.Fatal(err)
			}
			return jobs
		}},
		{"another model for some", func(b *streams.Batcher, jobs []streams.Job, refs []*alone) []streams.Job {
			if err := b.Replace(newModel(t, 1, small, 1)); err != nil {
				t.Fatal(err)
			}
			return jobs[:2]
		}},
	} {
		b := newBatcher(t, m, streams.Options{})
		jobs, refs, of := make([]streams.Job, 3), make([]*alone, 3), map[*streams.Stream]int{}
		for i := range jobs {
			jobs[i], refs[i] = streams.Job{Stream: open(t, b)}, newAlone(m)
		}
		step := func(jobs []streams.Job) {
			t.Helper()
			for k := range jobs {
				j := &jobs[k]
				if len(j.IDs) < 3 {
					j.IDs = []int32{int32(of[j.Stream]*2 + k)}
				}
				j.Logits = make([]float32, 9)
			}
			if err := b.Step(t.Context(), jobs); err != nil {
				t.Fatal(err)
			}
			for _, j := range jobs {
				sameCall(t, c.what, j.Call, refs[of[j.Stream]].step(j.Call, len(j.IDs)))
			}
		}
		index := func() {
			for i := range jobs {
				of[jobs[i].Stream] = i
			}
		}
		index()
		for range 3 {
			step(jobs)
		}
		some := c.do(b, jobs, refs)
		if c.what != "another order" {
			index()
		}
		for range 3 {
			step(some)
		}
		for _, j := range jobs {
			refs[of[j.Stream]].sameState(t, c.what, j.Stream)
		}
		step(jobs)
		b.Close()
		for _, j := range jobs {
			refs[of[j.Stream]].sameState(t, c.what+", after Close", j.Stream)
		}
	}
}

// TestLogitsInARow: logits that follow each other in memory, in the order of the jobs or
// in another, are the same as alone, and nothing else is written.
func TestLogitsInARow(t *testing.T) {
	m := newModel(t, 1, small, 1)
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {0, 1, 3}, {1, 2, 3}} {
		for _, steps := range []int{1, 2} {
			b := newBatcher(t, m, streams.Options{})
			room := make([]float32, 4*9)
			for i := range room {
				room[i] = -1
			}
			var jobs []streams.Job
			for i, place := range order {
				ids := []int32{int32(i), int32(i + 3)}[:steps]
				jobs = append(jobs, streams.Job{Stream: open(t, b), Call: streams.Call{IDs: ids, Logits: room[place*9:][:9]}})
			}
			if err := b.Step(t.Context(), jobs); err != nil {
				t.Fatal(err)
			}
			for i, j := range jobs {
				sameCall(t, fmt.Sprintf("order %v, job %d", order, i), j.Call, newAlone(m).step(j.Call, steps))
			}
			for place := range 4 {
				if !slices.Contains(order, place) && slices.ContainsFunc(room[place*9:][:9], func(x float32) bool { return x != -1 }) {
					t.Errorf("order %v: wrote to place %d", order, place)
				}
			}
		}
	}
}

// TestNaN: NaN in the state and the input of one stream changes no bit of another.
func TestNaN(t *testing.T) {
	c := rnn.Config{Input: 3, Dense: true, Cell: rnn.GRU, Layers: 2, Hidden: 20, Output: 5}
	m, ref := newModel(t, 2, c, 1), newModel(t, 1, c, 1)
	b := newBatcher(t, m, streams.Options{})
	r := rand.New(rand.NewPCG(1, 1))
	var jobs []streams.Job
	var refs []*alone
	for range 20 {
		jobs, refs = append(jobs, streams.Job{Stream: open(t, b)}), append(refs, newAlone(ref))
	}
	bad := m.NewState(1)
	for i := range bad.H {
		bad.H[i] = float32(math.NaN())
	}
	if err := jobs[3].Stream.SetState(bad); err != nil {
		t.Fatal(err)
	}
	copy(refs[3].state.H, bad.H)
	for range 5 {
		for i := range jobs {
			jobs[i].Call = newCall(r, m, 7)
		}
		jobs[9].X[4] = float32(math.NaN())
		jobs[12].X[4] = float32(math.Inf(1))
		if err := b.Step(t.Context(), jobs); err != nil {
			t.Fatal(err)
		}
		for i, j := range jobs {
			sameCall(t, fmt.Sprintf("stream %d", i), j.Call, refs[i].step(j.Call, 7))
			refs[i].sameState(t, fmt.Sprintf("stream %d", i), j.Stream)
		}
	}
}

// TestMistakes: a wrong call fails by itself and changes nothing.
func TestMistakes(t *testing.T) {
	ids := newBatcher(t, newModel(t, 1, rnn.Config{Input: 4, Layers: 1, Hidden: 3, Output: 5}, 1), streams.Options{MaxStreams: 2})
	dense := newBatcher(t, newModel(t, 1, rnn.Config{Input: 4, Dense: true, Layers: 1, Hidden: 3}, 1), streams.Options{})
	last := newBatcher(t, newModel(t, 1, rnn.Config{Input: 4, Layers: 1, Hidden: 3, Output: 5, LastStep: true}, 1), streams.Options{})
	s, d, l, good := open(t, ids), open(t, dense), open(t, last), open(t, ids)
	f := func(n int) []float32 { return make([]float32, n) }
	for _, test := range []struct {
		s     *streams.Stream
		c     streams.Call
		parts []string
	}{
		{s, streams.Call{}, []string{"no steps"}},
		{s, streams.Call{IDs: []int32{0, 4}}, []string{"id 4", "index 1", "4 inputs"}},
		{s, streams.Call{IDs: []int32{-1}}, []string{"id -1", "index 0"}},
		{s, streams.Call{IDs: []int32{0}, X: f(4)}, []string{"X", "IDs"}},
		{s, streams.Call{IDs: []int32{0, 1}, Logits: f(6)}, []string{"Logits", "6", "5", "2 times"}},
		{s, streams.Call{IDs: []int32{0, 1}, Logits: f(0)}, []string{"Logits", "0"}},
		{s, streams.Call{IDs: []int32{0, 1}, States: f(4)}, []string{"States", "4", "3", "2 times"}},
		{s, streams.Call{IDs: []int32{0, 1}, Targets: []int32{0, 1}}, []string{"2 Targets", "0 LogProbs"}},
		{s, streams.Call{IDs: []int32{0, 1}, LogProbs: f(2)}, []string{"0 Targets", "2 LogProbs"}},
		{s, streams.Call{IDs: []int32{0, 1}, Targets: []int32{0}, LogProbs: f(1)}, []string{"1 Targets", "2 steps"}},
		{s, streams.Call{IDs: []int32{0}, Targets: []int32{5}, LogProbs: f(1)}, []string{"target 5", "5 outputs"}},
		{d, streams.Call{IDs: []int32{0}}, []string{"IDs", "dense"}},
		{d, streams.Call{X: f(7)}, []string{"X", "7", "4"}},
		{d, streams.Call{X: f(4), Logits: f(5)}, []string{"Logits", "no output"}},
		{d, streams.Call{X: f(4), Targets: []int32{0}, LogProbs: f(1)}, []string{"Targets", "no output"}},
		{l, streams.Call{IDs: []int32{0, 1}, Logits: f(10)}, []string{"Logits", "10", "5"}},
		{l, streams.Call{IDs: []int32{0}, Targets: []int32{0}, LogProbs: f(1)}, []string{"Targets", "each step"}},
	} {
		n, err := test.s.Step(t.Context(), test.c)
		if n != 0 || err == nil {
			t.Errorf("%+v: %d steps, error %v", test.c, n, err)
			continue
		}
		for _, part := range append(test.parts, "streams: ") {
			if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v: %q says nothing of %q", test.c, err, part)
			}
		}
		jobs := []streams.Job{
			{Stream: test.s, Call: test.c},
			{Stream: good, Call: streams.Call{IDs: []int32{1}}},
			{},
			{Stream: good, Call: streams.Call{IDs: []int32{1}}},
		}
		if got := ids.Step(t.Context(), jobs); got != jobs[0].Err || got == nil || jobs[1].Err != nil || jobs[1].Taken != 1 || jobs[2].Err == nil || jobs[3].Err != streams.ErrBusy {
			t.Errorf("among others: %v; %+v", got, jobs)
		}
	}
	m := newModel(t, 1, rnn.Config{Input: 4, Layers: 1, Hidden: 3, Output: 5}, 1)
	for _, state := range []rnn.State{{}, m.NewState(2), {H: f(3), C: f(3)}} {
		if s.State(state) == nil || s.SetState(state) == nil {
			t.Errorf("state %v: no error", state)
		}
	}
	if _, err := ids.Open(); err != streams.ErrFull {
		t.Errorf("a third of two streams: error %v", err)
	}
	s.Close()
	open(t, ids)

	for _, o := range []streams.Options{{Rows: -1}, {Rows: 1 << 20}, {Steps: -1}, {Steps: 1 << 20}, {Window: -1}, {MaxStreams: -1}} {
		if b, err := streams.New(m, o); b != nil || err == nil {
			t.Errorf("%+v: %v, error %v", o, b, err)
		}
	}
	if b, err := streams.New(nil, streams.Options{}); b != nil || err == nil {
		t.Errorf("no model: %v, error %v", b, err)
	}
	both := newModel(t, 1, rnn.Config{Input: 4, Layers: 1, Hidden: 3, Bidirectional: true}, 1)
	if b, err := streams.New(both, streams.Options{}); b != nil || err == nil {
		t.Errorf("bidirectional: %v, error %v", b, err)
	}
}

// TestNoAllocations: calls allocate nothing, alone and with others.
func TestNoAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for _, c := range configs {
		for _, threads := range []int{1, 2} {
			m := newModel(t, threads, c, 1)
			b := newBatcher(t, m, streams.Options{Rows: 8, Steps: 8})
			r := rand.New(rand.NewPCG(3, 3))
			var jobs []streams.Job
			for i := range 11 {
				jobs = append(jobs, streams.Job{Stream: open(t, b), Call: newCall(r, m, 1+i*i%17)})
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			calls := map[string]func(){
				"Stream.Step":  func() { jobs[4].Stream.Step(ctx, jobs[4].Call) },
				"Batcher.Step": func() { b.Step(ctx, jobs) },
			}
			if c.Output > 0 && !c.Dense {
				sampler, err := rnn.NewSampler(m.Engine(), rnn.Sampling{Temperature: 1, TopK: 3})
				if err != nil {
					t.Fatal(err)
				}
				calls["Sample"] = func() { jobs[2].Stream.Sample(ctx, sampler, jobs[2].IDs) }
			}
			for name, f := range calls {
				if n := testing.AllocsPerRun(10, f); n != 0 {
					t.Errorf("%+v: %s allocates %v times", c, name, n)
				}
			}
		}
	}
}

// TestSoak: churn of clients, Batchers' models replaced under way. Nothing grows, and at
// Close nothing is lost: each call ends in its steps or in an error.
func TestSoak(t *testing.T) {
	duration := *soaking
	if duration == 0 && long {
		duration = 10 * time.Second
	}
	if duration == 0 {
		t.Skip("a soak test: run it by -soak 10m, or with BATCHRNN_LONG=1 for 10 s")
	}
	const clients = 64
	models := []*rnn.Model{newModel(t, 2, small, 1), newModel(t, 2, small, 2)}
	before := runtime.NumGoroutine()
	b := newBatcher(t, models[0], streams.Options{Rows: 16, MaxStreams: 3 * clients / 4})
	var calls, refused, steps atomic.Int64
	var stop atomic.Bool
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 5))
			sampler, err := rnn.NewSampler(models[0].Engine(), rnn.Sampling{Temperature: 1, Seed: uint64(i)})
			if err != nil {
				t.Error(err)
				return
			}
			logits, state := make([]float32, 40*9), models[0].NewState(1)
			for !stop.Load() {
				s, err := b.Open()
				if err == streams.ErrFull {
					refused.Add(1)
					time.Sleep(time.Millisecond)
					continue
				}
				if err != nil {
					if err != streams.ErrClosed {
						t.Error(err)
					}
					return
				}
				for range r.IntN(50) {
					ctx, cancel := context.WithCancel(context.Background())
					switch r.IntN(8) {
					case 0:
						time.AfterFunc(time.Duration(r.IntN(200))*time.Microsecond, cancel)
					case 1:
						s.State(state)
					case 2:
						s.SetState(state)
					case 3:
						if r.IntN(10) == 0 {
							time.AfterFunc(time.Duration(r.IntN(200))*time.Microsecond, s.Close)
						}
					}
					n := 1 + r.IntN(40)
					taken, err := 1, error(nil)
					if r.IntN(2) == 0 {
						n = 1
						_, err = s.Sample(ctx, sampler, chunk(1))
						if err != nil {
							taken = 0
						}
					} else {
						taken, err = s.Step(ctx, streams.Call{IDs: chunk(n), Logits: logits[:n*9]})
					}
					cancel()
					if (err == nil) != (taken == n) || err != nil && err != context.Canceled && err != streams.ErrClosed {
						t.Errorf("%d of %d steps, error %v", taken, n, err)
						stop.Store(true)
					}
					calls.Add(1)
					steps.Add(int64(taken))
				}
				s.Close()
			}
		})
	}
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	time.Sleep(duration / 10)
	early := memory()
	for end := time.Now().Add(duration * 9 / 10); time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
		if err := b.Replace(models[int(calls.Load())%2]); err != nil {
			t.Error(err)
		}
	}
	late := memory()
	b.Close() // beside the clients
	stop.Store(true)
	group.Wait()
	s := b.Stats()
	if s.Streams != 0 || s.Waiting != 0 {
		t.Errorf("at the end %+v", s)
	}
	if late > early+8<<20 {
		t.Errorf("memory has grown from %d to %d bytes", early, late)
	}
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		if tries > 1000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("%d calls, %d steps, %d refused, %d passes of %.1f steps; %d bytes after a tenth of the time, %d at the end",
		calls.Load(), steps.Load(), refused.Load(), s.Passes, float64(s.Steps)/float64(s.Passes), early, late)
}

// TestReplacedModelsGo: a model that was replaced is not kept by streams without calls,
// whether a pass of it ran at that time or not. The streams go on from their states.
func TestReplacedModelsGo(t *testing.T) {
	ref := newModel(t, 1, small, 1)
	for _, underWay := range []bool{false, true} {
		m := newModel(t, 1, small, 1)
		b, gone := newBatcher(t, m, streams.Options{Steps: 4}), weak.Make(m)
		idle, a := open(t, b), newAlone(ref)
		for range 3 { // the state stays in the workspace
			idle.Step(t.Context(), streams.Call{IDs: chunk(2)})
			a.step(streams.Call{IDs: chunk(2)}, 2)
		}
		renewed := newModel(t, 1, small, 1)
		if underWay {
			h := newHolder(t)
			led := start(h, idle, streams.Call{IDs: chunk(8)})
			<-h.after
			if err := b.Replace(renewed); err != nil {
				t.Fatal(err)
			}
			h.goOn <- nil
			<-h.after
			h.goOn <- nil
			want(t, "under way", led, 8, nil)
			a.step(streams.Call{IDs: chunk(8)}, 8)
		} else if err := b.Replace(renewed); err != nil {
			t.Fatal(err)
		}
		for try := 0; gone.Value() != nil; try++ {
			if try == 100 {
				t.Fatalf("under way %t: the model is still there", underWay)
			}
			runtime.GC()
		}
		a.sameState(t, "after Replace", idle)
		idle.Step(t.Context(), streams.Call{IDs: chunk(2)})
		a.step(streams.Call{IDs: chunk(2)}, 2)
		a.sameState(t, "on the new model", idle)
	}
}

// TestSampleWithoutSampler: it is an error, and changes nothing.
func TestSampleWithoutSampler(t *testing.T) {
	b := newBatcher(t, newModel(t, 1, small, 1), streams.Options{})
	s := open(t, b)
	if _, err := s.Sample(t.Context(), nil, chunk(1)); err == nil || !strings.Contains(err.Error(), "sampler is nil") {
		t.Errorf("no sampler: error %v", err)
	}
	if n, err := s.Step(t.Context(), streams.Call{IDs: chunk(2)}); n != 2 || err != nil {
		t.Errorf("afterwards %d steps, error %v", n, err)
	}
	a := newAlone(newModel(t, 1, small, 1))
	a.step(streams.Call{IDs: chunk(2)}, 2)
	a.sameState(t, "afterwards", s)
	b.Close() // ends: no call is left under way
}

// TestFailedPassKeepsStates: after a pass that has failed, before or after the network ran,
// all its streams have the states from before, of every kind of network.
func TestFailedPassKeepsStates(t *testing.T) {
	for _, c := range configs {
		e, err := kernels.New("", 1)
		if err != nil {
			t.Fatal(err)
		}
		m, err := rnn.New(e, c, 1)
		if err != nil {
			t.Fatal(err)
		}
		b, r := newBatcher(t, m, streams.Options{}), rand.New(rand.NewPCG(4, 4))
		jobs, refs := make([]streams.Job, 3), make([]*alone, 3)
		for i := range jobs {
			jobs[i].Stream, refs[i] = open(t, b), newAlone(newModel(t, 1, c, 1))
		}
		for range 3 { // the states stay in the workspace
			for i := range jobs {
				jobs[i].Call = newCall(r, m, 4)
				jobs[i].Logits = nil // their order would be another each time
				refs[i].step(jobs[i].Call, 4)
			}
			if err := b.Step(t.Context(), jobs); err != nil {
				t.Fatal(err)
			}
		}
		e.Close()
		if err := b.Step(t.Context(), jobs); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%+v: error %v", c, err)
		}
		for i := range jobs {
			refs[i].sameState(t, fmt.Sprintf("%+v: stream %d", c, i), jobs[i].Stream)
		}
	}

	b := newBatcher(t, newModel(t, 1, small, 1), streams.Options{Steps: 4})
	first, second := open(t, b), open(t, b)
	h := newHolder(t)
	led := start(h, first, streams.Call{IDs: chunk(40)})
	<-h.after // 4 steps of the first
	targets := make([]int32, 36)
	other := start(t.Context(), second, streams.Call{IDs: chunk(36), Targets: targets, LogProbs: make([]float32, 36)})
	waiting(t, b, 1)
	for range 3 { // 12 of both
		h.goOn <- nil
		<-h.after
	}
	targets[14] = 99 // which no caller may do: the next pass panics after the network has run
	h.goOn <- nil
	<-h.after
	h.goOn <- nil
	for what, done := range map[string]chan result{"leader": led, "other": other} {
		if got := <-done; got.err == nil || !strings.Contains(got.err.Error(), "target 99") {
			t.Errorf("%s: %+v", what, got)
		}
	}
	jobs, refs := make([]streams.Job, 2), make([]*alone, 2)
	for i, n := range []int{16, 12} {
		jobs[i] = streams.Job{Stream: []*streams.Stream{first, second}[i], Call: streams.Call{IDs: chunk(4)}}
		refs[i] = newAlone(newModel(t, 1, small, 1))
		refs[i].step(streams.Call{IDs: chunk(40)}, n)
		refs[i].sameState(t, fmt.Sprintf("after %d steps", n), jobs[i].Stream)
	}
	if err := b.Step(t.Context(), jobs); err != nil { // a pass of the same size
		t.Fatal(err)
	}
	for i, j := range jobs {
		refs[i].step(j.Call, 4)
		refs[i].sameState(t, "and 4 more", j.Stream)
	}
}

// TestMaxStreams: goroutines that open and close at once never have more than the maximum.
func TestMaxStreams(t *testing.T) {
	const most = 5
	b := newBatcher(t, newModel(t, 1, small, 1), streams.Options{MaxStreams: most})
	var group sync.WaitGroup
	var have, refused atomic.Int64
	for range 4 * most {
		group.Go(func() {
			for range 100 {
				s, err := b.Open()
				if err != nil {
					if err != streams.ErrFull {
						t.Error(err)
					}
					refused.Add(1)
					runtime.Gosched()
					continue
				}
				if n := have.Add(1); n > most {
					t.Errorf("%d streams are open", n)
				}
				s.Step(t.Context(), streams.Call{IDs: chunk(2)})
				have.Add(-1)
				s.Close()
				s.Close()
			}
		})
	}
	group.Wait()
	if s := b.Stats(); s.Streams != 0 {
		t.Errorf("at the end %+v", s)
	}
	t.Logf("%d of %d refused", refused.Load(), 4*most*100)
}

// TestTurns: batches of the same size that take turns have the states that they have alone,
// each stream in the row that it had before.
func TestTurns(t *testing.T) {
	m := newModel(t, 1, small, 1)
	for size := 1; size <= 3; size++ {
		b := newBatcher(t, m, streams.Options{})
		jobs, refs := make([]streams.Job, 2*size), make([]*alone, 2*size)
		for i := range jobs {
			jobs[i], refs[i] = streams.Job{Stream: open(t, b)}, newAlone(m)
		}
		for turn, half := range []int{0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0} {
			own := jobs[half*size:][:size]
			for i := range own {
				own[i].IDs, own[i].Logits = []int32{int32((3*turn + i) % 9)}, make([]float32, 9)
			}
			if err := b.Step(t.Context(), own); err != nil {
				t.Fatal(err)
			}
			for i, j := range own {
				sameCall(t, fmt.Sprintf("turn %d of %d streams", turn, size), j.Call, refs[half*size+i].step(j.Call, 1))
			}
		}
		for i, j := range jobs {
			refs[i].sameState(t, fmt.Sprintf("%d streams", size), j.Stream)
		}
	}
}

// TestCloseBeforeWindow: a leader that takes over after Close waits for nobody.
func TestCloseBeforeWindow(t *testing.T) {
	b := newBatcher(t, newModel(t, 1, small, 1), streams.Options{Window: time.Hour})
	first := open(t, b)
	h := newHolder(t)
	led := start(&afterCollect{h, 1}, first, streams.Call{IDs: chunk(4)})
	<-h.after
	second := open(t, b)
	open(t, b) // never calls
	waits := start(t.Context(), second, streams.Call{IDs: chunk(2)})
	waiting(t, b, 1)
	closed := make(chan struct{})
	go func() { b.Close(); close(closed) }()
	for {
		if _, err := b.Open(); err == streams.ErrClosed {
			break
		}
		runtime.Gosched()
	}
	h.goOn <- nil
	want(t, "the first", led, 4, nil)
	want(t, "the second", waits, 2, nil)
	<-closed
}

// TestClosedAfterItsCall: a stream that is closed while other jobs of its group go on has
// done its own.
func TestClosedAfterItsCall(t *testing.T) {
	b := newBatcher(t, newModel(t, 1, small, 1), streams.Options{Steps: 4})
	jobs := []streams.Job{
		{Stream: open(t, b), Call: streams.Call{IDs: chunk(4)}},
		{Stream: open(t, b), Call: streams.Call{IDs: chunk(12)}},
		{Stream: open(t, b), Call: streams.Call{IDs: chunk(12)}},
	}
	h, done := newHolder(t), make(chan error)
	go func() { done <- b.Step(h, jobs) }()
	<-h.after
	h.goOn <- nil
	<-h.after // the second pass: the first job is done
	jobs[0].Stream.Close()
	jobs[1].Stream.Close()
	h.goOn <- nil
	<-h.after // the third pass, of the third job
	h.goOn <- nil
	if err := <-done; err != streams.ErrClosed || jobs[0].Err != nil || jobs[0].Taken != 4 || jobs[1].Err != streams.ErrClosed || jobs[1].Taken != 8 || jobs[2].Err != nil || jobs[2].Taken != 12 {
		t.Errorf("error %v; %+v", err, jobs)
	}
}
