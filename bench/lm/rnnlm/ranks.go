package rnnlm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/parallel"
)

// ranks are what a training knows of the processes that share it.
//
// All ranks have the same network, deal the same batch, and hold some of its rows. After
// each step they tell each other what decides on the next one, so all decide alike. Rank 0
// reads the clock for all, and it alone writes files.
type ranks struct {
	parallel.Reducer // nil of a training alone
	own              rnn.Shard

	stop    bool          // a rank's context has ended
	elapsed time.Duration // on the clock of rank 0
	steps   time.Duration // the part of elapsed that it spent in steps
}

// ErrLost is the error of ranks that have lost each other.
var ErrLost = errors.New("the ranks of the training can't go on together")

// Gather is that of the reducer; its error is ErrLost.
func (r *ranks) Gather(own []byte) ([][]byte, error) {
	all, err := r.Reducer.Gather(own)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrLost, err)
	}
	return all, err
}

// alone reports whether one process trains.
func (r *ranks) alone() bool { return r.Reducer == nil }

// first reports whether this process writes the files.
func (r *ranks) first() bool { return r.alone() || r.Rank() == 0 }

// place returns the number of this rank, and how many there are.
func (r *ranks) place() (rank, of int) {
	if r.alone() {
		return 0, 1
	}
	return r.Rank(), r.Ranks()
}

// sharded reports whether the batch is cut into shards.
func (r *ranks) sharded() bool { return r.own.Shards > 1 }

// newRanks returns the ranks of o, for a batch of so many rows.
func newRanks(o Options, rows int) (r ranks, err error) {
	if o.Reducer != nil && o.Reducer.Ranks() > 1 {
		r.Reducer = o.Reducer
	}
	rank, of := r.place()
	if r.own, err = (rnn.Shard{Shards: o.Shards, Rows: rows}).Of(rank, of); err != nil {
		return r, fmt.Errorf("%d ranks can't share a batch of %d rows in %d shards: %w: give fewer ranks, or more rows or shards", of, rows, o.Shards, err)
	}
	return r, nil
}

// A report is what a rank tells the others. What it measures counts from rank 0 alone.
type report struct {
	stop           bool
	elapsed, steps time.Duration
	sums           []float64 // of losses
}

const reportBytes = 3 * 8 // without the sums

func (r report) append(b []byte) []byte {
	stop := uint64(0)
	if r.stop {
		stop = 1
	}
	b = binary.LittleEndian.AppendUint64(b, stop)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.elapsed))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.steps))
	for _, sum := range r.sums {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(sum))
	}
	return b
}

// tell tells the other ranks the report of this one. It sets stop, elapsed and steps, and
// returns the sums of all ranks, in the order of the ranks.
func (r *ranks) tell(own report) (sums []float64, err error) {
	all, err := r.Gather(own.append(make([]byte, 0, reportBytes+8*len(own.sums))))
	if err != nil {
		return nil, err
	}
	for rank, b := range all {
		if len(b) < reportBytes || len(b)%8 != 0 {
			return nil, fmt.Errorf("rank %d: a report of %d bytes: start all ranks with the same program", rank, len(b))
		}
		r.stop = r.stop || b[0] != 0
		if rank == 0 {
			r.elapsed = time.Duration(binary.LittleEndian.Uint64(b[8:]))
			r.steps = time.Duration(binary.LittleEndian.Uint64(b[16:]))
		}
		for b = b[reportBytes:]; len(b) > 0; b = b[8:] {
			sums = append(sums, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	}
	return sums, nil
}

// tell is ranks.tell with the time and the context of the training. steps is the part of
// the time that was spent in steps.
func (t *trainer) tell(ctx context.Context, steps time.Duration, sums ...float64) ([]float64, error) {
	if t.ranks.alone() {
		return sums, nil
	}
	return t.ranks.tell(report{stop: ctx.Err() != nil, elapsed: t.clock().Sub(t.started), steps: steps, sums: sums})
}

// ended reports whether the training is to stop, as all ranks know it.
func (t *trainer) ended(ctx context.Context) bool {
	if t.ranks.alone() {
		return ctx.Err() != nil
	}
	return t.ranks.stop
}

// elapsed returns how long the training takes so far, as all ranks know it.
func (t *trainer) elapsed() time.Duration {
	if t.ranks.alone() {
		return t.clock().Sub(t.started)
	}
	return t.ranks.elapsed
}

// stepTime returns the part of elapsed that was spent in steps, as all ranks know it.
func (t *trainer) stepTime() time.Duration {
	if t.ranks.alone() {
		return t.progress.Steps
	}
	return t.ranks.steps
}

// sumParts begins to sum a part of the gradient over the ranks.
func (r *ranks) sumParts(p rnn.GradPart) {
	if p.Width > 0 {
		r.SumRows(p.Grads, p.Width, p.Rows)
	} else {
		r.Sum(p.Grads)
	}
}

// join completes the gradient and the mean loss of a step that began at start. loss is
// this rank's part of it. What [parallel.Join] tells of a step, a report tells too.
func (t *trainer) join(ctx context.Context, loss float64, start time.Time) (float64, error) {
	if t.ranks.alone() {
		return loss, nil
	}
	if err := t.ranks.Wait(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrLost, err)
	}
	t.ws.JoinGrads()
	sum, total := t.ws.LossSum()
	sums, err := t.tell(ctx, t.progress.Steps+t.clock().Sub(start), sum)
	if err != nil {
		return 0, err
	}
	return addPairs(sums) / total, nil
}

// addPairs adds neighbours, then their sums, and so on, as [parallel.Reducer] adds
// gradients. It changes sums.
func addPairs(sums []float64) float64 {
	for len(sums) > 1 {
		n := 0
		for i := 0; i < len(sums); i += 2 {
			sums[n] = sums[i]
			if i+1 < len(sums) {
				sums[n] += sums[i+1]
			}
			n++
		}
		sums = sums[:n]
	}
	return sums[0]
}

// gatherState sets whole to the states of all ranks' rows. Only rank 0 gets them.
func (t *trainer) gatherState() error {
	var own bytes.Buffer
	for _, f := range []floats{t.carried.H, t.carried.C} {
		f.WriteTo(&own) // a buffer takes everything
	}
	all, err := t.ranks.Gather(own.Bytes())
	if err != nil || !t.ranks.first() {
		return err
	}
	for rank, b := range all {
		part, err := t.ranks.own.Of(rank, len(all))
		if err != nil {
			return err
		}
		own := t.model.NewState(part.Own().Len())
		in := bytes.NewReader(b)
		for _, f := range []floats{own.H, own.C} {
			if err := f.readFrom(in); err != nil {
				return fmt.Errorf("rank %d: the states of its rows: %w", rank, err)
			}
		}
		moveRows(own.H, t.whole.H, t.model.Layers, part, false)
		moveRows(own.C, t.whole.C, t.model.Layers, part, false)
	}
	return nil
}

// moveRows sets the part's rows of whole, [layers,Rows,·], to those of own, or own to
// those of whole.
func moveRows(own, whole []float32, layers int, part rnn.Shard, toOwn bool) {
	width := len(whole) / layers / part.Rows
	rows := part.Own()
	for layer := range layers {
		a := own[layer*rows.Len()*width:][:rows.Len()*width]
		b := whole[(layer*part.Rows+rows.Lo)*width:][:len(a)]
		if toOwn {
			a, b = b, a
		}
		copy(b, a)
	}
}

// A Fact is what all ranks of a training must have alike.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Facts returns what decides on the bits of a training, and on when its ranks write.
func Facts(e *kernels.Engine, c *text.Corpus, o Options) []Fact {
	o = o.withDefaults()
	return facts(e, c, o, identityOf(o, c))
}

func facts(e *kernels.Engine, c *text.Corpus, o Options, id identity) []Fact {
	rounding := "fused multiply-add"
	if e.ISA() == "generic" { // which rounds as the machine does
		rounding = e.ISA() + " on " + runtime.GOARCH
	}
	checkpoint := "none"
	if o.Checkpoint != "" {
		checkpoint = "every " + o.Every.String()
	}
	all := []Fact{{"rounding of the kernels:", rounding}, {"checkpoint:", checkpoint}}
	of := reflect.ValueOf(id)
	for i := range of.NumField() {
		all = append(all, Fact{of.Type().Field(i).Tag.Get("json"), fmt.Sprint(of.Field(i).Interface())})
	}
	vocab := sha256.Sum256(c.Vocab.Append(nil))
	return append(all, Fact{"SHA-256 of the vocabulary", hex.EncodeToString(vocab[:])})
}

// Differ returns an error that names the first fact in which a rank differs from rank 0,
// or nil if there is none.
func Differ(ranks [][]Fact) error {
	for rank, facts := range ranks {
		if len(facts) != len(ranks[0]) {
			return fmt.Errorf("rank %d is of another program than rank 0: start all ranks with the same one", rank)
		}
		for i, f := range facts {
			if was := ranks[0][i]; f != was {
				return fmt.Errorf("rank %d has %s %s, rank 0 has %s: start all ranks with the same program, text and options", rank, f.Name, f.Value, was.Value)
			}
		}
	}
	return nil
}

// compare returns an error if the ranks are of different trainings.
func (t *trainer) compare(own []Fact) error {
	raw, err := json.Marshal(own)
	if err != nil {
		return err
	}
	said, err := t.ranks.Gather(raw)
	if err != nil {
		return err
	}
	all := make([][]Fact, len(said))
	for rank, raw := range said {
		if err := json.Unmarshal(raw, &all[rank]); err != nil {
			return fmt.Errorf("rank %d: %w: start all ranks with the same program", rank, err)
		}
	}
	return Differ(all)
}

// Before a checkpoint is handed to the ranks, rank 0 says what there is.
type handed struct {
	Error string `json:"error"` // why it can't be read; the others are then 0
	There bool   `json:"there"`
	Bytes int64  `json:"bytes"`
}

// resumeTogether is resume for several ranks. Rank 0 reads the file for all.
func (t *trainer) resumeTogether() error {
	var r io.Reader
	var own handed
	if t.ranks.first() {
		f, size, err := openCheckpoint(t.options.Checkpoint)
		if err == nil {
			err = durable.RemoveLeftovers(t.options.Checkpoint)
		}
		switch {
		case err != nil:
			own.Error = durable.WithoutPath(err).Error()
		case f != nil:
			defer f.Close()
			r, own.There, own.Bytes = f, true, size
		}
	}
	raw, err := json.Marshal(own)
	if err != nil {
		return err
	}
	said, err := t.ranks.Gather(raw)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(said[0], &own); err != nil {
		return fmt.Errorf("rank 0: %w: start all ranks with the same program", err)
	}
	switch {
	case own.Error != "":
		return errors.New(own.Error)
	case own.There:
		return t.readCheckpoint(&handedReader{ranks: &t.ranks, r: r}, own.Bytes)
	}
	return nil
}

// handedBytes is how much of a file rank 0 hands to the others at once.
const handedBytes = 4 << 20

// A handedReader reads on every rank what rank 0 reads of r. The ranks read in step.
type handedReader struct {
	ranks *ranks
	r     io.Reader // of rank 0
	buf   []byte    // of rank 0
	left  []byte
	err   error // after left
}

// Read implements [io.Reader].
func (h *handedReader) Read(b []byte) (int, error) {
	if len(h.left) == 0 && h.err == nil {
		h.next()
	}
	if len(h.left) == 0 {
		return 0, h.err
	}
	n := copy(b, h.left)
	h.left = h.left[n:]
	return n, nil
}

// next hands over a piece of the file: its first byte says whether an error follows.
func (h *handedReader) next() {
	const more, end, failed = 0, 1, 2
	var own []byte
	if h.ranks.first() {
		if h.buf == nil {
			h.buf = make([]byte, 1+handedBytes)
		}
		n, err := io.ReadFull(h.r, h.buf[1:])
		own = h.buf[:1+n]
		switch {
		case err == nil:
			own[0] = more
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			own[0] = end
		default:
			own = append([]byte{failed}, err.Error()...)
		}
	}
	all, err := h.ranks.Gather(own)
	switch {
	case err != nil:
		h.err = err
	case len(all[0]) == 0:
		h.err = io.ErrUnexpectedEOF
	case all[0][0] == failed:
		h.err = errors.New(string(all[0][1:]))
	default:
		h.left = all[0][1:]
		if all[0][0] == end {
			h.err = io.EOF
		}
	}
}
