package streams_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/streams"
)

// configs are networks of every kind that streams run.
var configs = []rnn.Config{
	{Input: 11, Layers: 1, Hidden: 33, Output: 11},
	{Input: 11, Cell: rnn.LSTM, Layers: 1, Hidden: 21, Output: 11},
	{Input: 11, Cell: rnn.GRU, Layers: 2, Hidden: 19, Output: 11},
	{Input: 11, Embedding: 8, Cell: rnn.GRUResetBefore, Layers: 1, Hidden: 20, Output: 7},
	{Input: 5, Dense: true, Cell: rnn.LSTM, Layers: 2, Hidden: 18, Projection: 9, Output: 6},
	{Input: 5, Dense: true, Cell: rnn.GRU, Layers: 1, Hidden: 17},
	{Input: 5, Dense: true, Layers: 2, Residual: true, Hidden: 16, Output: 4, LastStep: true},
	{Input: 31, Layers: 1, Hidden: 16, TimeSkip: 0.5, Output: 31, Tied: false, Cutoffs: []int{9, 20}},
	{Input: 11, Embedding: 16, Cell: rnn.LSTM, Layers: 1, Hidden: 16, Output: 11, Tied: true},
}

func newEngine(tb testing.TB, threads int) *kernels.Engine {
	tb.Helper()
	e, err := kernels.New("", threads)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	if _, test := tb.(*testing.T); test { // as many workers as are asked for
		kernels.ForceTeams(e, func(most int) int { return most })
	}
	return e
}

func newModel(tb testing.TB, threads int, c rnn.Config, seed uint64) *rnn.Model {
	tb.Helper()
	m, err := rnn.New(newEngine(tb, threads), c, seed)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func newBatcher(tb testing.TB, m *rnn.Model, o streams.Options) *streams.Batcher {
	tb.Helper()
	b, err := streams.New(m, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	return b
}

func open(tb testing.TB, b *streams.Batcher) *streams.Stream {
	tb.Helper()
	s, err := b.Open()
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// alone runs a stream by itself, one step at a time, on one thread.
type alone struct {
	m     *rnn.Model
	ws    *rnn.Workspace
	state rnn.State
}

func newAlone(m *rnn.Model) *alone {
	return &alone{m: m, ws: m.NewWorkspace(1, 1), state: m.NewState(1)}
}

// step returns what a call must give after the first n of its steps. Outputs have the
// lengths of those of c; what a call of more steps has not reached is zero.
func (a *alone) step(c streams.Call, n int) (want streams.Call) {
	v := a.m.Output
	last := func(out []float32, width, t, steps int) []float32 {
		if len(out) > width {
			return out[t*width:][:width]
		}
		if t == steps-1 {
			return out
		}
		return nil
	}
	want.Logits, want.LogProbs, want.States = blank(c.Logits), blank(c.LogProbs), blank(c.States)
	steps := len(c.IDs) + len(c.X)/a.m.Input
	for t := range n {
		a.ws.SetState(a.state)
		if a.m.Dense {
			a.ws.ForwardDense(c.X[t*a.m.Input:][:a.m.Input])
		} else {
			a.ws.Forward(c.IDs[t:][:1])
		}
		a.ws.State(a.state)
		if to := last(want.Logits, v, t, steps); to != nil {
			a.ws.Logits(to, 0)
		}
		if c.Targets != nil {
			a.ws.Loss(c.Targets[t:][:1])
			want.LogProbs[t] = 0 - a.ws.Losses[0]
		}
		if to := last(want.States, len(a.ws.States()), t, steps); to != nil {
			copy(to, a.ws.States())
		}
	}
	return want
}

func blank(out []float32) []float32 {
	if out == nil {
		return nil
	}
	return make([]float32, len(out))
}

// newCall draws a call of n steps with random outputs.
func newCall(r *rand.Rand, m *rnn.Model, n int) (c streams.Call) {
	if m.Dense {
		c.X = make([]float32, n*m.Input)
		for i := range c.X {
			c.X[i] = 2*r.Float32() - 1
		}
	} else {
		for range n {
			id := r.Int32N(int32(m.Input))
			if r.IntN(20) == 0 {
				id = rnn.None
			}
			c.IDs = append(c.IDs, id)
		}
	}
	width := m.Hidden
	if m.Projection > 0 {
		width = m.Projection
	}
	steps := func() int { return []int{1, n}[r.IntN(2)] }
	if r.IntN(2) == 0 {
		c.States = make([]float32, steps()*width)
	}
	if m.Output > 0 && r.IntN(3) > 0 {
		c.Logits = make([]float32, m.Output)
		if !m.LastStep {
			c.Logits = make([]float32, steps()*m.Output)
		}
	}
	if m.Output > 0 && !m.LastStep && r.IntN(3) == 0 {
		c.LogProbs = make([]float32, n)
		for range n {
			target := r.Int32N(int32(m.Output))
			if r.IntN(10) == 0 {
				target = rnn.Ignore
			}
			c.Targets = append(c.Targets, target)
		}
	}
	return c
}

func same(tb testing.TB, what string, got, want []float32) {
	tb.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			tb.Errorf("%s: %v at %d, alone %v", what, got[i], i, want[i])
			return
		}
	}
}

func sameCall(tb testing.TB, what string, got, want streams.Call) {
	tb.Helper()
	same(tb, what+": logits", got.Logits, want.Logits)
	same(tb, what+": log-probabilities", got.LogProbs, want.LogProbs)
	same(tb, what+": states", got.States, want.States)
}

func (a *alone) sameState(tb testing.TB, what string, s *streams.Stream) {
	tb.Helper()
	got := a.m.NewState(1)
	if err := s.State(got); err != nil {
		tb.Errorf("%s: State: %v", what, err)
	}
	same(tb, what+": H", got.H, a.state.H)
	same(tb, what+": C", got.C, a.state.C)
}

// visit is the life of a client: it opens streams, feeds them chunks, saves and restores
// their states, and leaves.
func visit(t *testing.T, b *streams.Batcher, m *rnn.Model, seed uint64, calls int) {
	r := rand.New(rand.NewPCG(seed, 7))
	n := 1
	if seed%5 == 0 {
		n = 1 + r.IntN(6) // drives several by itself
	}
	var all []*streams.Stream
	var refs []*alone
	for range n {
		s, err := b.Open()
		if err != nil {
			t.Error(err)
			return
		}
		all, refs = append(all, s), append(refs, newAlone(m))
	}
	for i := range calls {
		what := fmt.Sprintf("client %d, call %d", seed, i)
		var jobs []streams.Job
		for k := range n {
			steps := 1
			if r.IntN(3) == 0 {
				steps += r.IntN(40)
			}
			jobs = append(jobs, streams.Job{Stream: all[k], Call: newCall(r, m, steps)})
			if m.Dense && r.IntN(15) == 0 { // NaN stays in this stream
				jobs[k].X[r.IntN(len(jobs[k].X))] = float32(math.NaN())
			}
		}
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if r.IntN(6) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(1000))*time.Microsecond)
		}
		if n == 1 {
			jobs[0].Taken, jobs[0].Err = all[0].Step(ctx, jobs[0].Call)
		} else {
			b.Step(ctx, jobs)
		}
		ended := ctx.Err()
		cancel()
		for k, j := range jobs {
			steps := len(j.IDs) + len(j.X)/m.Input
			if j.Err == nil && j.Taken != steps || j.Err != nil && (ended == nil || j.Err != ended || j.Taken >= steps) {
				t.Errorf("%s: %d of %d steps, error %v", what, j.Taken, steps, j.Err)
				return
			}
			sameCall(t, what, j.Call, refs[k].step(j.Call, j.Taken))
			refs[k].sameState(t, what, all[k])
		}
		k := r.IntN(n)
		switch r.IntN(5) {
		case 0: // goes on elsewhere
			state := m.NewState(1)
			if err := all[k].State(state); err != nil {
				t.Error(err)
			}
			all[k].Close()
			s, err := b.Open()
			if err != nil {
				t.Error(err)
				return
			}
			all[k] = s
			if err := s.SetState(state); err != nil {
				t.Error(err)
			}
		case 1: // another begins
			all[k].Close()
			s, err := b.Open()
			if err != nil {
				t.Error(err)
				return
			}
			all[k] = s
			clear(refs[k].state.H)
			clear(refs[k].state.C)
		}
		if t.Failed() {
			return
		}
	}
	for _, s := range all {
		s.Close()
	}
}

// TestAsAlone: hundreds of clients at once, each with the bits that it has alone.
func TestAsAlone(t *testing.T) {
	clients, calls := 150, 8
	if testing.Short() {
		clients = 40
	}
	if long {
		clients, calls = 1000, 12
	}
	for _, c := range configs {
		for _, threads := range []int{1, 2} {
			t.Run(fmt.Sprintf("%v-%dx%d/threads=%d", c.Cell, c.Layers, c.Hidden, threads), func(t *testing.T) {
				m, ref := newModel(t, threads, c, 1), newModel(t, 1, c, 1)
				b := newBatcher(t, m, streams.Options{Rows: 24, Steps: 9})
				var group sync.WaitGroup
				for i := range clients {
					group.Go(func() { visit(t, b, ref, uint64(i), calls) })
				}
				group.Wait()
				if s := b.Stats(); s.Streams != 0 || s.Waiting != 0 {
					t.Errorf("at the end %+v", s)
				} else {
					t.Logf("%.1f streams' steps a pass, longest wait %d passes", float64(s.Steps)/float64(s.Passes), s.LongestWait)
				}
			})
		}
	}
}

// TestAsAloneReplaced: clients have the bits that they have alone while equal models replace
// each other, whatever runs at that time: churn, or one stream or batch that comes again
// and again.
func TestAsAloneReplaced(t *testing.T) {
	c := configs[2]
	ref := newModel(t, 1, c, 1)
	models := []*rnn.Model{newModel(t, 1, c, 1), newModel(t, 1, c, 1)}
	for _, clients := range []int{0, 10} {
		for _, size := range []int{1, 3} {
			b := newBatcher(t, models[0], streams.Options{Steps: 9})
			var group sync.WaitGroup
			for i := range clients {
				group.Go(func() { visit(t, b, ref, uint64(i), 4) })
			}
			jobs, refs := make([]streams.Job, size), make([]*alone, size)
			for i := range jobs {
				jobs[i], refs[i] = streams.Job{Stream: open(t, b)}, newAlone(ref)
			}
			group.Go(func() {
				for n := range 100 {
					for i := range jobs {
						jobs[i].IDs, jobs[i].Logits = []int32{int32((n + i) % c.Input), 5}, make([]float32, c.Output)
					}
					if err := b.Step(t.Context(), jobs); err != nil {
						t.Error(err)
						return
					}
					for i, j := range jobs {
						sameCall(t, fmt.Sprintf("step %d of %d streams", n, size), j.Call, refs[i].step(j.Call, 2))
					}
				}
			})
			done := make(chan struct{})
			go func() {
				group.Wait()
				close(done)
			}()
			for n := 1; ; n++ {
				if err := b.Replace(models[n%2]); err != nil {
					t.Error(err)
				}
				select {
				case <-done:
				case <-time.After(20 * time.Microsecond):
					continue
				}
				break
			}
			for i, j := range jobs {
				refs[i].sameState(t, fmt.Sprintf("%d streams", size), j.Stream)
			}
		}
	}
}

// TestSamplesAsAlone: every stream draws what a Generator of its seed draws.
func TestSamplesAsAlone(t *testing.T) {
	c := rnn.Config{Input: 23, Cell: rnn.GRU, Layers: 1, Hidden: 25, Output: 23}
	m, ref := newModel(t, 2, c, 1), newModel(t, 1, c, 1)
	b := newBatcher(t, m, streams.Options{})
	clients := 100
	if long {
		clients = 1000
	}
	var group sync.WaitGroup
	for i := range clients {
		o := rnn.Sampling{Temperature: 1, Seed: uint64(i), TopK: i % 4 * 5, TopP: float64(i%3) * 0.4}
		group.Go(func() {
			g, err := ref.NewGenerator(o)
			if err != nil {
				t.Error(err)
				return
			}
			sampler, err := rnn.NewSampler(m.Engine(), o)
			if err != nil {
				t.Error(err)
				return
			}
			s := open(t, b)
			defer s.Close()
			prompt := []int32{int32(i % 23), 3, 5}
			g.Next(prompt[0])
			g.Next(prompt[1])
			if o.Temperature > 0 { // the generator has drawn twice
				sampler.Draw(make([]float32, 23))
				sampler.Draw(make([]float32, 23))
			}
			ids := prompt
			want := prompt[2]
			for range 30 {
				if want, err = g.Next(want); err != nil {
					t.Error(err)
				}
				id, err := s.Sample(t.Context(), sampler, ids)
				if err != nil || id != want {
					t.Errorf("client %d draws %d, error %v, alone %d", i, id, err, want)
					return
				}
				ids = append(ids[:0], id)
			}
		})
	}
	group.Wait()
}
