package main

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var loadFor = flag.Duration("load", 0, "how `long` the load test runs; 0 is a few requests of each client")

// Many clients at once each get the texts and the scores that they would get alone.
//
//	go test ./examples/serve -run Load -v -load 30s
func TestLoad(t *testing.T) {
	const clients, seeds, requests, tokens, scored = 64, 16, 4, 16, "The quick brown dög"
	e, m := gru(t)
	c, s := start(t, e, m, func(o *options) { o.streams = 2 * clients })
	c.http.Transport.(*http.Transport).MaxIdleConnsPerHost = clients
	var want [seeds]string
	for i := range want {
		want[i] = alone(t, m, uint64(i), "fox ", requests*tokens)
	}
	_, score := c.do("POST", "/score", map[string]any{"texts": []string{scored}})

	begin := time.Now()
	waits := make([][]time.Duration, clients)
	var drawn atomic.Int64
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			for round := 0; round == 0 || time.Since(begin) < *loadFor; round++ {
				seed := (i + round) % seeds
				id := c.open(fmt.Sprintf(`{"seed": %d}`, seed))
				got := ""
				for k := range requests {
					in := request{MaxTokens: tokens}
					if k == 0 {
						in.Prompt = "fox "
					}
					asked := time.Now()
					resp, events := c.begin(id, in)
					for {
						piece, sum, err := events.next()
						if err != nil {
							t.Error(err)
							return
						}
						if sum != nil {
							break
						}
						got += piece
						drawn.Add(1)
					}
					waits[i] = append(waits[i], time.Since(asked))
					events.r.ReadByte() // the end, so that the connection is used again
					resp.Body.Close()
				}
				if got != want[seed] {
					t.Errorf("seed %d: %q, alone %q", seed, got, want[seed])
				}
				if _, got := c.do("POST", "/score", map[string]any{"texts": []string{scored}}); got != score {
					t.Errorf("score %s, alone %s", got, score)
				}
				c.want(http.StatusNoContent, "DELETE", "/sessions/"+id, nil, nil)
			}
		})
	}
	group.Wait()
	took := time.Since(begin)
	all := slices.Sorted(slices.Values(slices.Concat(waits...)))
	stats := s.batcher.Stats()
	if stats.Streams != 0 || stats.Waiting != 0 {
		t.Errorf("%d streams are open, %d wait", stats.Streams, stats.Waiting)
	}
	if least := int64(clients * requests * tokens); drawn.Load() < least {
		t.Fatalf("%d tokens, want %d", drawn.Load(), least)
	}
	t.Logf("%d clients: %.0f tokens/s; a request of %d tokens p50 %v, p99 %v; %.1f steps in a pass",
		clients, float64(drawn.Load())/took.Seconds(), tokens, all[len(all)/2], all[len(all)*99/100], float64(stats.Steps)/float64(stats.Passes))
	if page := c.metrics(); page["serve_tokens_drawn_total"] != float64(drawn.Load()) {
		t.Errorf("%v tokens in the metrics, want %d", page["serve_tokens_drawn_total"], drawn.Load())
	}
}
