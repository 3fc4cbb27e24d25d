package parallel

import (
	"encoding/binary"
	"fmt"
	"math"

	"batchrnn/rnn"
)

// A Joined is a workspace whose gradients are added to those of the other ranks.
type Joined struct {
	r   Reducer
	ws  *rnn.Workspace
	own [8]byte
}

// Join makes backward passes of ws begin the sums of their gradients, while they run. Each
// pass must be followed by Wait. The workspace must have its part of the batch: see
// [rnn.Workspace.Shard]. The ranks must have the same network. Join panics in a workspace
// not made by NewTraining.
func Join(r Reducer, ws *rnn.Workspace) *Joined {
	ws.OnGrads(func(p rnn.GradPart) {
		if p.Width > 0 {
			r.SumRows(p.Grads, p.Width, p.Rows)
		} else {
			r.Sum(p.Grads)
		}
	})
	return &Joined{r: r, ws: ws}
}

// Wait ends the sums of a backward pass. Then Grads is the gradient of the whole batch. It
// returns the mean loss of the whole batch. Both have the same bits in all ranks, for any
// number of them. Its error says which rank is lost, or what the transport says; then
// Grads has no meaning.
func (j *Joined) Wait() (loss float64, err error) {
	if err := j.r.Wait(); err != nil {
		return 0, err
	}
	j.ws.JoinGrads()
	own, total := j.ws.LossSum()
	binary.LittleEndian.PutUint64(j.own[:], math.Float64bits(own))
	all, err := j.r.Gather(j.own[:])
	if err != nil {
		return 0, err
	}
	sums := make([]float64, len(all))
	for i, b := range all {
		if len(b) != len(j.own) {
			return 0, fmt.Errorf("parallel: rank %d sent %d bytes as its loss, want %d: all ranks must make the same calls", i, len(b), len(j.own))
		}
		sums[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	for step := 1; step < len(sums); step *= 2 {
		for i := 0; i+step < len(sums); i += 2 * step {
			sums[i] += sums[i+step]
		}
	}
	if total == 0 {
		return 0, nil // no row counts
	}
	return sums[0] / total, nil
}
