package neighbour

import (
	"context"
	"time"
)

const (
	// turns is the number of turns in which a side spends its time, where one
	// pass is short enough.
	turns = 8
	// leastTurns is how often each side has its turn, where one pass is long.
	leastTurns = 3
	// longestTurn bounds the time in which the machine may change between turns.
	longestTurn = 100 * time.Millisecond
	// mostRuns bounds the memory that one side keeps its times in: 8 MiB.
	mostRuns = 1 << 20
)

// Interleave lets sides take turns until each has worked for d and three turns
// at least, or has run 2^20 passes. A side that is done takes no more turns.
// Interleave returns early, with the error of ctx, when that ends.
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
