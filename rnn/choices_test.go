package rnn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// TestLossesAfter: every target of every row costs what Loss says, to the bit, from any
// passes, in any workspace of the model, and Losses stay.
func TestLossesAfter(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, j := range []job{
			rowsJob, adaptiveJob, tiedJob, deepJob,
			{Config{Input: 30, Cell: LSTM, Layers: 1, Hidden: 33, Output: 170, Cutoffs: []int{5, 6, 70}}, 7, 33},
			{Config{Input: 9, Cell: LSTM, Layers: 2, Bidirectional: true, Hidden: 20, Projection: 9, Output: 5}, 4, 13},
		} {
			m := newModel(t, e, j.Config, 1)
			ws := m.NewWorkspace(j.steps, j.rows)
			rows := j.steps * j.rows
			r := rand.New(rand.NewPCG(1, 2))
			ids := make([]int32, rows)
			for i := range ids {
				ids[i] = int32(r.IntN(j.Input))
			}
			ws.Forward(ids)
			states := slices.Clone(ws.States())
			var targets []int32
			var ends []int
			for range rows {
				for range r.IntN(4) { // none of some rows, and some twice
					targets = append(targets, int32(r.IntN(j.Output)))
				}
				ends = append(ends, len(targets))
			}
			// Loss takes one target of each row at a time.
			want := make([]float32, len(targets))
			for k := range 4 {
				one := slices.Repeat([]int32{Ignore}, rows)
				for row, end := range ends {
					if at := end - 1 - k; at >= 0 && (row == 0 || at >= ends[row-1]) {
						one[row] = targets[at]
					}
				}
				ws.Loss(one)
				for row, end := range ends {
					if one[row] != Ignore {
						want[end-1-k] = ws.Losses[row]
					}
				}
			}
			kept := slices.Clone(ws.Losses)
			// All of it again and again, until it is worth two workers.
			for n, once := 2*passShare/(rows*m.width()*m.head()), len(targets); n > 0; n-- {
				first := len(targets)
				states, targets, want = append(states, states[:rows*m.width()]...), append(targets, targets[:once]...), append(want, want[:once]...)
				for _, end := range ends[:rows] {
					ends = append(ends, first+end)
				}
			}
			for name, other := range map[string]*Workspace{"its own": ws, "a small one": m.NewWorkspace(1, 1), "one for training": m.NewTraining(2, 3)} {
				got := make([]float32, len(targets))
				other.LossesAfter(got, states, ends, targets)
				for i := range want {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("%+v, workspace %s: target %d costs %v, want %v", j.Config, name, i, got[i], want[i])
					}
				}
				other.LossesAfter(got[:0], nil, nil, nil)
				if n := testing.AllocsPerRun(5, func() { other.LossesAfter(got, states, ends, targets) }); n != 0 {
					t.Errorf("%+v: %v allocations", j.Config, n)
				}
			}
			if !slices.Equal(ws.Losses, kept) {
				t.Errorf("%+v: Losses have changed", j.Config)
			}
		}
	})
}

// TestLossesAfterNaN: a row with a NaN costs NaN, and the others what they cost.
func TestLossesAfterNaN(t *testing.T) {
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		m := newModel(t, e, Config{Input: 6, Layers: 1, Hidden: 20, Output: 40}, 1)
		ws := m.NewWorkspace(1, 3)
		states := make([]float32, 3*20)
		clean, got := make([]float32, 3), make([]float32, 3)
		ws.LossesAfter(clean, states, []int{1, 2, 3}, []int32{3, 4, 5})
		states[25] = float32(math.NaN())
		ws.LossesAfter(got, states, []int{1, 2, 3}, []int32{3, 4, 5})
		if got[0] != clean[0] || got[1] == got[1] || got[2] != clean[2] {
			t.Errorf("losses %v, without the NaN %v", got, clean)
		}
	})
}

func TestLossesAfterMistakes(t *testing.T) {
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		c := Config{Input: 6, Layers: 1, Hidden: 20, Output: 7}
		ws := newModel(t, e, c, 1).NewWorkspace(2, 3)
		c.Output = 0
		without := newModel(t, e, c, 1).NewWorkspace(2, 3)
		losses, states := make([]float32, 3), make([]float32, 40)
		for _, k := range []mistake{
			{"no output", func() { without.LossesAfter(losses, states, []int{1, 3}, []int32{1, 2, 3}) }, []string{"no output layer"}},
			{"states", func() { ws.LossesAfter(losses, states[:39], []int{1, 3}, []int32{1, 2, 3}) }, []string{"states", "39", "40"}},
			{"losses", func() { ws.LossesAfter(losses[:2], states, []int{1, 3}, []int32{1, 2, 3}) }, []string{"losses", "2", "3"}},
			{"falling", func() { ws.LossesAfter(losses, states, []int{3, 2}, []int32{1, 2, 3}) }, []string{"row 1", "2", "3"}},
			{"negative", func() { ws.LossesAfter(losses, states, []int{-1, 3}, []int32{1, 2, 3}) }, []string{"row 0", "-1"}},
			{"beyond", func() { ws.LossesAfter(losses, states, []int{1, 4}, []int32{1, 2, 3}) }, []string{"row 1", "4"}},
			{"short", func() { ws.LossesAfter(losses, states, []int{1, 2}, []int32{1, 2, 3}) }, []string{"end at 2", "3"}},
			{"target", func() { ws.LossesAfter(losses, states, []int{1, 3}, []int32{1, 7, 3}) }, []string{"target 7", "7 outputs"}},
			{"Ignore", func() { ws.LossesAfter(losses, states, []int{1, 3}, []int32{1, Ignore, 3}) }, []string{"target -100"}},
		} {
			t.Run(k.name, func(t *testing.T) { mustPanic(t, k.call, append(k.parts, "rnn: LossesAfter")...) })
		}
		if slices.ContainsFunc(losses, func(x float32) bool { return x != 0 }) {
			t.Errorf("a mistake wrote losses: %v", losses)
		}
	})
}
