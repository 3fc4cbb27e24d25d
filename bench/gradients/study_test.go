package gradients

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

var small = Options{Cells: everyCell, Lengths: []int{4}, Updates: 12, Remember: 2, Threads: 1, Seed: 3}

var everyCell = []rnn.CellKind{rnn.Vanilla, rnn.LSTM, rnn.GRU}

func study(t *testing.T, ctx context.Context, o Options, on func(nth, of int, name string)) Result {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.Run(ctx, on)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func quiet(int, int, string) {}

func TestSameSeedSameFigures(t *testing.T) {
	untimed := func(o Options) []Model {
		models := study(t, t.Context(), o, quiet).Models
		for i := range models {
			models[i].Seconds = 0
		}
		return models
	}
	one := untimed(small)
	two := small
	two.Threads = 2
	if !reflect.DeepEqual(one, untimed(two)) {
		t.Error("two threads change the figures")
	}
	two.Seed++
	if reflect.DeepEqual(one, untimed(two)) {
		t.Error("another seed has the same figures")
	}

	if want := 2 * len(variants); len(one) != want {
		t.Fatalf("%d models, want %d", len(one), want)
	}
	for _, m := range one {
		steps := m.Length
		if m.Task == Copy {
			steps += 2 * small.Remember
		}
		if m.Updates != small.Updates || m.Diverged || !(m.Loss > 0) || !(m.LargestNorm > 0) ||
			m.AtStart[0] != (Norm{0, 1}) || m.AtStart[len(m.AtStart)-1].Distance != steps || len(m.Trained) != len(m.AtStart) {
			t.Errorf("model %+v", m)
		}
	}
	for i, plain := range one {
		if plain.Cell != "rnn" { // these are clipped always
			if plain.Clip == 0 || plain.Activation != "" {
				t.Errorf("%s: %+v", plain.Network, plain)
			}
			continue
		}
		if plain.Clip > 0 {
			continue
		}
		if clipped := one[i+1]; plain.Clip != 0 || clipped.Clip == 0 || !slices.Equal(plain.AtStart, clipped.AtStart) {
			t.Errorf("%s does not start as with clipping", plain.Network)
		}
	}
}

// TestProfilesAtTheStart wants what the equations say: along a skip connection,
// Wh being 0, gradients come back whole; from an orthogonal Wh they grow.
func TestProfilesAtTheStart(t *testing.T) {
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, v := range variants {
		j := job{Adding, 60, 1, v}
		task := newTask(j.task, j.length, j.remember, batch)
		m, err := v.model(e, task, 1)
		if err != nil {
			t.Fatal(err)
		}
		p := profile(m, task, j.random(1, profileStream))
		far, ok := At(p, 60)
		good := far > 100 // large
		switch {
		case v.start == chrono:
			good = far > 1e-4
		case v.cell == rnn.LSTM:
			good = far > 1e-8
		case v.skip:
			good = math.Abs(far-1) < 1e-6
		case v.start == identity: // ReLU lets a part through, the same at all distances
			near, _ := At(p, 1)
			good = math.Abs(far-near) < 0.1 && near > 0.3
		case v.start == uniform:
			good = far < 1e-9
		}
		if !ok || !good {
			t.Errorf("%s: %g at distance 60", v.name, far)
		}
	}
}

func TestDivergence(t *testing.T) {
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	v := variant{name: "too fast", activation: rnn.ReLU, start: identity, rate: 1e30}
	for _, task := range []string{Adding, Copy} {
		m, err := job{task, 8, 1, v}.run(t.Context(), e, 1, 50)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Diverged || m.Updates == 50 || m.Loss != 0 || m.Trained != nil || len(m.AtStart) == 0 || math.IsInf(m.LargestNorm, 0) {
			t.Errorf("%s: %+v", task, m)
		}
		r := Result{Lengths: []int{8}, Models: []Model{m}}
		if text := strings.Join(summary(r), " "); !strings.Contains(text, "diverged: “too fast”") {
			t.Errorf("summary %q", text)
		}
	}
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	long := small
	long.Updates = maxUpdates
	r := study(t, ctx, long, func(nth, of int, name string) {
		if nth == 1 {
			cancel()
		}
	})
	if !r.Interrupted || len(r.Models) != 0 || len(r.Summary) != 0 {
		t.Errorf("stopped at once: %+v", r)
	}

	ctx, cancel = context.WithCancel(t.Context())
	r = study(t, ctx, small, func(nth, of int, name string) {
		if nth == of {
			cancel()
		}
	})
	if want := 2*len(variants) - 1; !r.Interrupted || len(r.Models) != want || len(r.Summary) == 0 {
		t.Errorf("stopped before the last: %d models, want %d", len(r.Models), want)
	}
}

func TestBadOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Options)
	}{
		{"Cell", func(o *Options) { o.Cells = nil }},
		{"Cell", func(o *Options) { o.Cells = []rnn.CellKind{rnn.LSTM, rnn.LSTM} }},
		{"Cell", func(o *Options) { o.Cells = []rnn.CellKind{rnn.GRUResetBefore} }},
		{"Lengths", func(o *Options) { o.Lengths = nil }},
		{"Lengths", func(o *Options) { o.Lengths = []int{50, 1} }},
		{"Lengths", func(o *Options) { o.Lengths = []int{5, 5} }},
		{"Lengths", func(o *Options) { o.Lengths = []int{maxLength + 1} }},
		{"Updates", func(o *Options) { o.Updates = 0 }},
		{"Remember", func(o *Options) { o.Remember = 11 }},
		{"Threads", func(o *Options) { o.Threads = 0 }},
	} {
		o := small
		test.change(&o)
		if _, err := New(o); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), test.name+": ") {
			t.Errorf("%+v: error %v, want one about %s", o, err, test.name)
		}
	}
}

func TestDistances(t *testing.T) {
	for _, steps := range []int{1, 2, 49, 60, 500} {
		d := distances(steps)
		if d[0] != 0 || d[len(d)-1] != steps || !slices.IsSorted(d) {
			t.Errorf("%d steps: %v", steps, d)
		}
		for _, mark := range Marks {
			if slices.Contains(d, mark) != (mark <= steps) {
				t.Errorf("%d steps: the mark %d in %v", steps, mark, d)
			}
		}
	}
}

// TestTooLargeGradientsDiverge: a network whose gradients are finite, and too large for
// Adam to square, has diverged. Adam would stand still from then on.
func TestTooLargeGradientsDiverge(t *testing.T) {
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, clipped := range []bool{false, true} {
		v := variant{name: "tanh, gain 2", activation: rnn.Tanh, start: large, clipped: clipped, rate: 1e-3}
		m, err := job{Adding, 400, 1, v}.run(t.Context(), e, 1, 12)
		if err != nil {
			t.Fatal(err)
		}
		if m.Diverged == clipped || m.Diverged && !(m.LargestNorm < 1e19) {
			t.Errorf("clipped %t: %+v", clipped, m)
		}
	}
}
