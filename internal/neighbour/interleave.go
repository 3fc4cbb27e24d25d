package neighbour

import (
	"context"
	"time"
)

const (
	// turns is the number of turns of a side if its passes are short enough.
	turns = 8
	// leastTurns is the number of turns of each side if one pass is long.
	leastTurns = 3
	// longestTurn bounds the time in which the machine may change between turns.
	longestTurn = 100 * time.Millisecond
	// mostRuns bounds the memory of one side's times: 8 MiB.
	mostRuns = 1 << 20
)

// Interleave lets sides take turns. A side is done after working for d and for three
// turns, or after 2^20 passes. It then takes no more turns. If ctx ends, Interleave
// returns early with ctx's error.
func Interleave(ctx context.Context, d time.Duration, sides ...*Side) error {
	for _, s := range sides {
		s.WarmUp(ctx)
	}
	turn := max(1, min(d/turns, longestTurn))
	for unfinished := true; unfinished; {
		unfinished = false
		for _, s := range sides {
			left := mostRuns - s.Runs()
			if left <= 0 || s.elapsed >= d && s.turns >= leastTurns {
				continue
			}
			unfinished = true
			s.Turn(ctx, turn, left)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
