package lm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"runtime/debug"
	"slices"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
	"batchrnn/rnn/parallel"
)

// several reports whether other ranks take part in the training.
func (o TrainOptions) several() bool { return o.Reducer != nil && o.Reducer.Ranks() > 1 }

// first reports whether this process writes the files.
func (o TrainOptions) first() bool { return !o.several() || o.Reducer.Rank() == 0 }

// validateRanks returns an [option.Error] for shards that can't be, or that the ranks
// can't share.
func (o TrainOptions) validateRanks() error {
	shards, ranks := o.shards(), 1
	if o.several() {
		ranks = o.Reducer.Ranks()
	}
	switch {
	case shards < 1 || shards > rnnlm.MaxShards:
		return option.Misuse("Shards", "a batch can't be cut into %d parts: give 1 to %d, such as 8", shards, rnnlm.MaxShards)
	case ranks > 1 && o.Kind == Ngram:
		return option.Misuse("Kind", "n-grams are counted in one process, and this is one of %d: start it without mpirun", ranks)
	case ranks > shards:
		return option.Misuse("Shards", "%d ranks can't share %s of the batch: start fewer ranks, or give a power of two times %d", ranks, figures.Plural(shards, "shard"), ranks)
	case shards%ranks != 0 || bits.OnesCount(uint(shards/ranks)) != 1:
		return option.Misuse("Shards", "%s can't share %s of the batch alike: give each 1, 2, 4, 8 or another power of two, such as %d for all", figures.Plural(ranks, "rank"), figures.Plural(shards, "shard"), 8*ranks)
	}
	if ranks == 1 {
		return nil
	}
	for _, in := range []struct {
		name  string
		paths []string
	}{{"Corpus", o.Corpus.Paths}, {"Valid", []string{value(o.Valid, "")}}, {"Test", []string{value(o.Test, "")}}} {
		if slices.Contains(in.paths, text.Stdin) {
			return option.Misuse(in.name, "standard input goes to one rank, and %d read the text: name a file", ranks)
		}
	}
	return nil
}

// IsLost reports whether err comes from ranks that have lost each other. Another error is
// that of all ranks, or of one that the others then wait for.
func IsLost(err error) bool { return errors.Is(err, rnnlm.ErrLost) }

// A note is what a rank tells the others before a training: why it can't take part, or
// what it takes part in.
type note struct {
	Error  string `json:"error"`
	Option string `json:"option"` // that the error is about
	Misuse bool   `json:"misuse"`

	Facts []rnnlm.Fact `json:"facts"`
}

// Agree tells the other ranks about an error of this one, nil if it has none. It returns
// the error of the first rank that has one. All ranks call it, at the same place of a
// program. A rank that fails before NewTraining may call it in place of that.
func Agree(r parallel.Reducer, err error) error { return agree(r, nil, err) }

// meet tells the other ranks about the Training, or why there is none. It returns the
// error of the first rank that has one, or one about the first rank that differs.
func (t *Training) meet(r parallel.Reducer, err error) error {
	var facts []rnnlm.Fact
	if err == nil {
		facts = append(programFacts(), rnnlm.Facts(t.engine, t.data.Corpus, t.network)...)
	}
	return agree(r, facts, err)
}

func agree(r parallel.Reducer, facts []rnnlm.Fact, err error) error {
	own := note{Facts: facts}
	if err != nil {
		own.Error, own.Misuse = err.Error(), option.IsMisuse(err)
		if e, ok := errors.AsType[*option.Error](err); ok {
			own.Option, own.Error = e.Name, e.Message(func(field string) string { return field })
		}
	}
	raw, jsonErr := json.Marshal(own)
	if jsonErr != nil {
		return jsonErr
	}
	said, gatherErr := r.Gather(raw)
	if gatherErr != nil {
		return fmt.Errorf("%w: %w", rnnlm.ErrLost, gatherErr)
	}
	all := make([][]rnnlm.Fact, len(said))
	for rank, raw := range said {
		var n note
		if err := json.Unmarshal(raw, &n); err != nil {
			return fmt.Errorf("rank %d: %w: start all ranks with the same program", rank, err)
		}
		all[rank] = n.Facts
		switch {
		case n.Error == "":
		case rank == r.Rank():
			return err
		case n.Option == "":
			return fmt.Errorf("rank %d: %s", rank, n.Error)
		case n.Misuse:
			return option.Misuse(n.Option, "rank %d: %s", rank, n.Error)
		default:
			return option.Failure(n.Option, "rank %d: %s", rank, n.Error)
		}
	}
	return rnnlm.Differ(all)
}

// programFacts returns what identifies the program.
func programFacts() []rnnlm.Fact {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.GoVersion + " " + info.Main.Version
	}
	return []rnnlm.Fact{
		{Name: "version", Value: version},
		{Name: "SHA-256 of the program", Value: programSum()},
	}
}

// programSum returns the checksum of the program's file, or "unknown" where it can't be
// read.
func programSum() string {
	path, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "unknown"
	}
	return hex.EncodeToString(sum.Sum(nil))
}
