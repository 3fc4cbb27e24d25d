package seq2seq

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// A pairJob is an encoder-decoder and the size of its batches.
type pairJob struct {
	name                   string
	encoder, decoder       rnn.Config
	source, target, batch  int
	sourceLens, targetLens []int32
}

// pairJobs have one layer and several, one direction and two, and every connection,
// with lengths in no order and some that no step is left of.
var pairJobs = []pairJob{
	{
		"plain",
		rnn.Config{Input: 5, Layers: 1, Hidden: 7}, rnn.Config{Input: 4, Layers: 1, Hidden: 7, Output: 4},
		4, 3, 3, nil, nil,
	},
	{
		"lengths",
		rnn.Config{Input: 5, Layers: 1, Hidden: 9}, rnn.Config{Input: 6, Layers: 1, Hidden: 9, Output: 6, Activation: rnn.Sigmoid},
		5, 4, 4, []int32{2, 4, 1, 3}, []int32{1, 4, 2, 4},
	},
	{
		"two directions",
		rnn.Config{Input: 5, Layers: 2, Hidden: 6, Bidirectional: true}, rnn.Config{Input: 7, Layers: 2, Hidden: 12, Output: 5},
		4, 4, 5, []int32{4, 1, 3, 2, 2}, []int32{2, 3, 4, 1, 1},
	},
	{
		"skips",
		rnn.Config{Input: 4, Layers: 3, Hidden: 5, Residual: true, TimeSkip: 0.5, Bidirectional: true},
		rnn.Config{Input: 5, Layers: 3, Hidden: 10, Residual: true, TimeSkip: 0.3, Output: 5},
		4, 3, 2, []int32{2, 4}, []int32{3, 2},
	},
	{
		"tied",
		rnn.Config{Input: 4, Layers: 1, Hidden: 3, Bidirectional: true}, rnn.Config{Input: 5, Layers: 1, Hidden: 6, Output: 5, Tied: true},
		3, 3, 2, []int32{3, 2}, nil,
	},
	{
		"adaptive",
		rnn.Config{Input: 4, Layers: 1, Hidden: 9}, rnn.Config{Input: 8, Layers: 1, Hidden: 9, Output: 7, Cutoffs: []int{2, 4}},
		3, 4, 3, nil, []int32{2, 4, 1},
	},
	{
		"LSTM, two directions",
		rnn.Config{Input: 5, Cell: rnn.LSTM, Layers: 2, Hidden: 4, Bidirectional: true}, rnn.Config{Input: 5, Cell: rnn.LSTM, Layers: 2, Hidden: 8, Output: 5},
		4, 4, 5, []int32{4, 1, 3, 2, 2}, []int32{2, 3, 4, 1, 1},
	},
	{
		"LSTM with a projection",
		rnn.Config{Input: 5, Cell: rnn.LSTM, Layers: 2, Hidden: 4, Projection: 3, Bidirectional: true, TwoBiases: true},
		rnn.Config{Input: 4, Cell: rnn.LSTM, Layers: 2, Hidden: 8, Projection: 6, Output: 4, Residual: true},
		4, 3, 3, []int32{2, 4, 3}, []int32{3, 1, 2},
	},
	{
		"GRU",
		rnn.Config{Input: 5, Cell: rnn.GRU, Layers: 2, Hidden: 4, Bidirectional: true}, rnn.Config{Input: 5, Cell: rnn.GRU, Layers: 2, Hidden: 8, Output: 5},
		4, 4, 4, []int32{2, 4, 1, 3}, []int32{1, 4, 2, 4},
	},
	{
		"one GRU and the other",
		rnn.Config{Input: 5, Cell: rnn.GRUResetBefore, Layers: 1, Hidden: 7}, rnn.Config{Input: 7, Cell: rnn.GRU, Layers: 1, Hidden: 7, Output: 7, Cutoffs: []int{2, 4}},
		4, 3, 3, nil, nil,
	},
	{
		"embeddings, the decoder's tied",
		rnn.Config{Input: 5, Embedding: 3, Cell: rnn.GRU, Layers: 1, Hidden: 4, Bidirectional: true},
		rnn.Config{Input: 6, Embedding: 8, Cell: rnn.GRU, Layers: 1, Hidden: 8, Output: 6, Tied: true},
		4, 3, 3, []int32{2, 4, 3}, []int32{3, 1, 2},
	},
	{
		"GRU with the reset gate before",
		rnn.Config{Input: 5, Layers: 1, Hidden: 3, Bidirectional: true}, rnn.Config{Input: 4, Cell: rnn.GRUResetBefore, Layers: 1, Hidden: 6, Output: 4},
		4, 3, 3, []int32{2, 4, 3}, nil,
	},
}

// emptySources returns the jobs of several lengths with a source of no steps.
func emptySources() (jobs []pairJob) {
	for _, j := range pairJobs {
		if len(j.sourceLens) > 3 {
			j.name += ", empty source"
			j.sourceLens = slices.Clone(j.sourceLens)
			j.sourceLens[2] = 0
			jobs = append(jobs, j)
		}
	}
	return jobs
}

func (j pairJob) pair(tb testing.TB, e *kernels.Engine) *EncoderDecoder {
	tb.Helper()
	p, err := New(newModel(tb, e, j.encoder, 1), newModel(tb, e, j.decoder, 2), 1)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// data returns a batch whose padding is no id.
func (j pairJob) data(seed uint64) (source, target []int32) {
	r := newRand(seed)
	source = randomIDs(r, j.source*j.batch, j.encoder.Input)
	target = randomIDs(r, j.target*j.batch, j.decoder.Output)
	for i := range source {
		if j.sourceLens != nil && i/j.batch >= int(j.sourceLens[i%j.batch]) {
			source[i] = math.MaxInt32
		}
	}
	for i := range target {
		if j.targetLens != nil && i/j.batch >= int(j.targetLens[i%j.batch]) {
			target[i] = math.MinInt32
		}
	}
	return source, target
}

// examples returns the rows of a batch without their padding.
func (j pairJob) examples(source, target []int32) []naiveExample {
	column := func(ids, lens []int32, steps, b int) []int32 {
		if lens != nil {
			steps = int(lens[b])
		}
		return cut(ids, j.batch, 1, span{0, steps}, span{b, b + 1})
	}
	var rows []naiveExample
	for b := range j.batch {
		rows = append(rows, naiveExample{column(source, j.sourceLens, j.source, b), column(target, j.targetLens, j.target, b)})
	}
	return rows
}

// TestEncoderDecoderGradients holds the loss to a float64 network, and the gradients
// of both models to its central differences.
func TestEncoderDecoderGradients(t *testing.T) {
	for _, j := range append(emptySources(), pairJobs...) {
		t.Run(j.name, func(t *testing.T) {
			source, target := j.data(3)
			target[0] = rnn.Ignore
			var wantLoss float64
			var want [][]float64
			for _, isa := range isas() {
				p := j.pair(t, newEngine(t, isa, 2))
				tf := p.NewTraining(j.source, j.target, j.batch)
				tf.SetLengths(j.sourceLens, j.targetLens)
				tf.Forward(source, target)
				scored := tf.Loss(target)
				loss := tf.Backward(target)
				if want == nil {
					n, rows := newNaivePair(p), j.examples(source, target)
					f := func() float64 { return n.loss(rows) }
					wantLoss = f()
					want = [][]float64{differences(thin(n.encoder.slab), f), differences(thin(n.decoder.slab), f)}
				}
				near(t, isa+" loss", []float64{loss, scored}, []float64{wantLoss, wantLoss}, 1e-5)
				for i, grads := range [][]float32{tf.Encoder.Grads.Slab, tf.Decoder.Grads.Slab} {
					var some []float32
					for _, g := range thin(grads) {
						some = append(some, *g)
					}
					near(t, fmt.Sprint(isa, [...]string{" encoder", " decoder"}[i]), some, want[i], 1e-4*maxAbs(want[i])+differenceError)
				}

				scoring := p.NewScoring(j.source, j.target, j.batch)
				scoring.SetLengths(j.sourceLens, j.targetLens)
				scoring.Forward(source, target)
				if got := scoring.Loss(target); got != scored {
					t.Errorf("%s: the scoring loss is %v, the training one %v", isa, got, scored)
				}
			}
		})
	}
}

// TestEncoderDecoderDense: a dense source of one-hot vectors is a source of ids.
func TestEncoderDecoderDense(t *testing.T) {
	e := newEngine(t, "", 1)
	j := pairJobs[2]
	ids := j.pair(t, e)
	j.encoder.Dense = true
	dense := j.pair(t, e)
	source, target := j.data(1)
	x := make([]float32, len(source)*j.encoder.Input)
	for i, id := range source {
		if id < int32(j.encoder.Input) {
			x[i*j.encoder.Input+int(id)] = 1
		} else {
			x[i*j.encoder.Input] = float32(math.NaN())
		}
	}

	want := ids.NewTraining(j.source, j.target, j.batch)
	want.SetLengths(j.sourceLens, j.targetLens)
	want.Forward(source, target)
	want.Backward(target)
	got := dense.NewTraining(j.source, j.target, j.batch)
	got.SetLengths(j.sourceLens, j.targetLens)
	got.ForwardDense(x, target)
	got.Backward(target)
	nearScaled(t, "Losses", got.Decoder.Losses, want.Decoder.Losses, 1e-6)
	nearScaled(t, "gradient", got.Encoder.Grads.Slab, want.Encoder.Grads.Slab, 1e-5)

	s := ids.NewSearch(j.source, j.target, j.batch, 2)
	s.SetLengths(j.sourceLens)
	d := dense.NewSearch(j.source, j.target, j.batch, 2)
	d.SetLengths(j.sourceLens)
	found, foundDense := s.Decode(source), d.DecodeDense(x)
	for b := range found {
		if !slices.Equal(found[b][0].IDs, foundDense[b][0].IDs) {
			t.Errorf("row %d: ids give %v, vectors %v", b, found[b][0].IDs, foundDense[b][0].IDs)
		}
	}
}

// TestEncoderDecoderSameBits: any number of threads gives the same training, and a
// pair the same losses whatever the batch around it.
func TestEncoderDecoderSameBits(t *testing.T) {
	for _, cell := range []rnn.CellKind{rnn.Vanilla, rnn.LSTM, rnn.GRU} {
		t.Run(cell.String(), func(t *testing.T) { checkSameBits(t, cell) })
	}
}

func checkSameBits(t *testing.T, cell rnn.CellKind) {
	j := pairJob{
		"", rnn.Config{Input: 9, Cell: cell, Layers: 2, Hidden: 35, Bidirectional: true}, rnn.Config{Input: 8, Cell: cell, Layers: 2, Hidden: 70, Output: 8},
		29, 7, 33, make([]int32, 33), make([]int32, 33), // enough for two workers
	}
	r := newRand(5)
	for b := range j.batch {
		j.sourceLens[b], j.targetLens[b] = 1+r.Int32N(29), 1+r.Int32N(7)
	}
	source, target := j.data(1)
	for _, isa := range isas() {
		var want [][]float32
		for threads := 1; threads <= 2; threads++ {
			e := newEngine(t, isa, threads)
			p := j.pair(t, e)
			tf := p.NewTraining(j.source, j.target, j.batch)
			several := 1 // the largest team that a phase asks for
			kernels.ForceTeams(e, func(most int) int { several = max(several, most); return most })
			var tr [][]float32
			for range 2 {
				tf.SetLengths(j.sourceLens, j.targetLens)
				tf.Forward(source, target)
				tf.Backward(target)
				tr = append(tr, slices.Clone(tf.Decoder.Losses))
				tr = append(tr, slices.Clone(tf.Encoder.Grads.Slab))
				tr = append(tr, slices.Clone(tf.Decoder.Grads.Slab))
				p.Encoder.Step(rnn.NewSGD(0.1), tf.Encoder.Grads.Slab, 1)
				p.Decoder.Step(rnn.NewSGD(0.1), tf.Decoder.Grads.Slab, 1)
			}
			if threads == 1 {
				want = tr
			}
			if several != threads {
				t.Errorf("regions of at most %d workers, want %d", several, threads)
			}
			for i := range tr {
				sameBits(t, fmt.Sprintf("isa=%s/threads=%d: %s of update %d", isa, threads, [...]string{"Losses", "encoder", "decoder"}[i%3], i/3), tr[i], want[i])
			}

			tf.Forward(source, target)
			tf.Loss(target)
			alone := p.NewScoring(j.source, j.target, 1)
			for b := 0; b < j.batch; b += 5 {
				every := span{0, j.source}
				alone.SetLengths(j.sourceLens[b:b+1], j.targetLens[b:b+1])
				row := cut(target, j.batch, 1, span{0, j.target}, span{b, b + 1})
				alone.Forward(cut(source, j.batch, 1, every, span{b, b + 1}), row)
				alone.Loss(row)
				sameBits(t, fmt.Sprintf("row %d", b), alone.Decoder.Losses,
					cut(tf.Decoder.Losses, j.batch, 1, span{0, j.target}, span{b, b + 1}))
			}
		}
	}
}

// TestEncoderDecoderNoAllocations: training and searches allocate nothing after the
// first batch with lengths.
func TestEncoderDecoderNoAllocations(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, j := range pairJobs[2:] {
			p := j.pair(t, e)
			source, target := j.data(1)
			tf := p.NewTraining(j.source, j.target, j.batch)
			encoder, decoder := rnn.NewAdam(p.Encoder, 1e-3), rnn.NewAdam(p.Decoder, 1e-3)
			calls := map[string]func(){"training": func() {
				tf.SetLengths(j.sourceLens, j.targetLens)
				tf.Forward(source, target)
				tf.Loss(target)
				tf.Backward(target)
				p.Encoder.Step(encoder, tf.Encoder.Grads.Slab, 1)
				p.Decoder.Step(decoder, tf.Decoder.Grads.Slab, 1)
			}}
			for _, beam := range []int{1, 3} {
				s := p.NewSearch(j.source, j.target, j.batch, beam)
				calls[fmt.Sprint("a beam of ", beam)] = func() {
					s.SetLengths(j.sourceLens)
					s.Decode(source)
				}
			}
			for name, f := range calls {
				f()
				if n := testing.AllocsPerRun(3, f); n != 0 {
					t.Errorf("%s: %s allocates %v times", j.name, name, n)
				}
			}
		}
	})
}
