package neighbour

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestTurnRunsEachCaller(t *testing.T) {
	var ran [5]atomic.Int64
	var passes []func()
	for i := range ran {
		passes = append(passes, func() { ran[i].Add(1) })
	}
	s := NewSide(passes...)
	s.WarmUp(t.Context())
	s.Turn(t.Context(), time.Nanosecond, 1000)
	s.Turn(t.Context(), time.Nanosecond, 1000)
	for i := range ran {
		if n := ran[i].Load(); n != 3 {
			t.Errorf("caller %d ran %d passes, want one untimed and one in each turn", i, n)
		}
	}
	if s.Runs() != 10 || s.Took().Runs != 10 || s.turns != 2 {
		t.Errorf("%d runs in %d turns", s.Runs(), s.turns)
	}
	for i, c := range s.callers {
		var sum float64
		for _, x := range c.seconds {
			sum += x
		}
		if !(sum <= s.elapsed.Seconds()) {
			t.Errorf("caller %d spent %g s in turns of %g s", i, sum, s.elapsed.Seconds())
		}
	}
}

func TestTurnHasALimit(t *testing.T) {
	for _, most := range []int{1, 2, 100} {
		var ran atomic.Int64
		pass := func() { ran.Add(1) }
		s := NewSide(pass, pass, pass)
		s.Turn(t.Context(), time.Hour, most)
		if n := int(ran.Load()); n != most || s.Runs() != most {
			t.Errorf("%d passes, %d timed, want %d", n, s.Runs(), most)
		}
	}
}

// TestPassesFollowEachOther wants the time between two passes to count.
func TestPassesFollowEachOther(t *testing.T) {
	const gap = 2 * time.Millisecond
	s := NewSide(func() {})
	c := s.callers[0]
	var left atomic.Int64
	left.Store(1)
	c.turn(t.Context(), time.Now().Add(-gap), time.Hour, &left)
	if !(c.seconds[0] >= gap.Seconds()) {
		t.Errorf("the first pass took %g s, want the %v before it too", c.seconds[0], gap)
	}
}

func TestInterleave(t *testing.T) {
	var order []int
	side := func(i int) *Side { return NewSide(func() { order = append(order, i) }) }
	one, all := side(1), side(2)
	if err := Interleave(t.Context(), time.Nanosecond, one, all); err != nil {
		t.Fatal(err)
	}
	// Each pass is longer than a turn.
	if want := []int{1, 2, 1, 2, 1, 2, 1, 2}; !slices.Equal(order, want) || one.Runs() != leastTurns {
		t.Errorf("passes of sides %v, want %v", order, want)
	}
}

func TestInterleaveStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	side := NewSide(func() {
		if n++; n == 5 {
			cancel()
		}
	})
	if err := Interleave(ctx, time.Hour, side); !errors.Is(err, context.Canceled) || n != 5 {
		t.Errorf("error %v after %d passes", err, n)
	}
	if err := Interleave(ctx, time.Hour, side); !errors.Is(err, context.Canceled) || n != 5 {
		t.Errorf("after the end: error %v after %d passes", err, n)
	}
}
