package streams_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"batchrnn/rnn"
	"batchrnn/rnn/streams"
)

const benchVocab = 64

func benchConfig(cell rnn.CellKind, hidden int) rnn.Config {
	return rnn.Config{Input: benchVocab, Cell: cell, Layers: 1, Hidden: hidden, Output: benchVocab}
}

// eachNetwork runs f on every kind and size of network of the table in docs/performance.md.
func eachNetwork(b *testing.B, f func(b *testing.B, m *rnn.Model)) {
	for _, cell := range []rnn.CellKind{rnn.Vanilla, rnn.GRU, rnn.LSTM} {
		for _, hidden := range []int{128, 256, 512} {
			b.Run(fmt.Sprintf("%v-%d", cell, hidden), func(b *testing.B) {
				f(b, newModel(b, 0, benchConfig(cell, hidden), 1))
			})
		}
	}
}

func perSecond(b *testing.B, tokens int) {
	b.ReportMetric(float64(tokens)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

// BenchmarkTogether: 64 streams that all have 1 or 16 tokens, with the logits after the
// last one. pass is one Workspace of 64 rows; jobs is Batcher.Step on one goroutine;
// goroutines has a goroutine for each stream.
func BenchmarkTogether(b *testing.B) {
	const rows = 64
	eachNetwork(b, func(b *testing.B, m *rnn.Model) {
		for _, steps := range []int{1, 16} {
			ids := make([]int32, steps*rows)
			for i := range ids {
				ids[i] = int32(i % benchVocab)
			}
			b.Run(fmt.Sprintf("steps=%d/pass", steps), func(b *testing.B) {
				ws, logits := m.NewWorkspace(steps, rows), make([]float32, rows*benchVocab)
				for b.Loop() {
					ws.Forward(ids)
					ws.Logits(logits, steps-1)
					ws.Carry()
				}
				perSecond(b, rows*steps)
			})
			b.Run(fmt.Sprintf("steps=%d/jobs", steps), func(b *testing.B) {
				batcher := newBatcher(b, m, streams.Options{})
				jobs, logits := make([]streams.Job, rows), make([]float32, rows*benchVocab)
				for i := range jobs {
					jobs[i] = streams.Job{Stream: open(b, batcher), Call: streams.Call{IDs: ids[i*steps:][:steps], Logits: logits[i*benchVocab:][:benchVocab]}}
				}
				for b.Loop() {
					if err := batcher.Step(context.Background(), jobs); err != nil {
						b.Fatal(err)
					}
				}
				perSecond(b, rows*steps)
			})
			b.Run(fmt.Sprintf("steps=%d/goroutines", steps), func(b *testing.B) {
				batcher := newBatcher(b, m, streams.Options{})
				callers(b, rows, func(i int) func() {
					s, c := open(b, batcher), streams.Call{IDs: ids[i*steps:][:steps], Logits: make([]float32, benchVocab)}
					return func() {
						if _, err := s.Step(context.Background(), c); err != nil {
							b.Error(err)
						}
					}
				})
				perSecond(b, rows*steps)
				stats := batcher.Stats()
				b.ReportMetric(float64(stats.Steps)/float64(stats.Passes), "steps/pass")
			})
		}
	})
}

// callers runs b.N calls on each of n goroutines. Each starts as soon as it has returned.
func callers(b *testing.B, n int, newCaller func(i int) func()) {
	calls := make([]func(), n)
	for i := range calls {
		calls[i] = newCaller(i)
		calls[i]()
	}
	var group sync.WaitGroup
	b.ResetTimer()
	for _, call := range calls {
		group.Go(func() {
			for range b.N {
				call()
			}
		})
	}
	group.Wait()
	b.StopTimer()
}

// BenchmarkOne: one stream of single tokens with their logits, as a bare step of a
// Workspace and as a Stream.
func BenchmarkOne(b *testing.B) {
	eachNetwork(b, func(b *testing.B, m *rnn.Model) {
		ids, logits := []int32{3}, make([]float32, benchVocab)
		b.Run("bare", func(b *testing.B) {
			ws := m.NewWorkspace(1, 1)
			for b.Loop() {
				ws.Forward(ids)
				ws.Logits(logits, 0)
				ws.Carry()
			}
		})
		b.Run("stream", func(b *testing.B) {
			s, ctx := open(b, newBatcher(b, m, streams.Options{})), context.Background()
			for b.Loop() {
				if _, err := s.Step(ctx, streams.Call{IDs: ids, Logits: logits}); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkCallers: goroutines that each score texts of 64 tokens, one after the other, in
// workspaces of their own and through one Batcher.
func BenchmarkCallers(b *testing.B) {
	const tokens = 64
	ids := make([]int32, tokens)
	for i := range ids {
		ids[i] = int32(i * i % benchVocab)
	}
	for _, cell := range []rnn.CellKind{rnn.Vanilla, rnn.GRU, rnn.LSTM} {
		for _, hidden := range []int{128, 256} {
			for _, n := range []int{8, 32} {
				m := newModel(b, 0, benchConfig(cell, hidden), 1)
				name := fmt.Sprintf("%v-%d/callers=%d/", cell, hidden, n)
				b.Run(name+"workspaces", func(b *testing.B) {
					callers(b, n, func(int) func() {
						ws := m.NewWorkspace(tokens, 1)
						ws.LimitThreads(1)
						return func() {
							ws.Reset()
							ws.Forward(ids)
							ws.Loss(ids)
						}
					})
					perSecond(b, n*tokens)
				})
				b.Run(name+"batcher", func(b *testing.B) {
					batcher := newBatcher(b, m, streams.Options{})
					zero := m.NewState(1)
					callers(b, n, func(int) func() {
						s, c := open(b, batcher), streams.Call{IDs: ids, Targets: ids, LogProbs: make([]float32, tokens)}
						return func() {
							if err := s.SetState(zero); err != nil {
								b.Error(err)
							}
							if _, err := s.Step(context.Background(), c); err != nil {
								b.Error(err)
							}
						}
					})
					perSecond(b, n*tokens)
				})
			}
		}
	}
}

// BenchmarkLatency: 8 goroutines that each step one token at a time, without a pause: how
// long a call takes. ns/op is of 8 calls, one of each goroutine. bare is one goroutine
// with a pass of 8 rows: its p99 is what the machine does by itself.
func BenchmarkLatency(b *testing.B) {
	const n = 8
	eachNetwork(b, func(b *testing.B, m *rnn.Model) {
		b.Run("bare", func(b *testing.B) {
			ws, ids, logits := m.NewWorkspace(1, n), make([]int32, n), make([]float32, n*benchVocab)
			latencies(b, 1, func(int) func() {
				return func() {
					ws.Forward(ids)
					ws.Logits(logits, 0)
					ws.Carry()
				}
			})
		})
		for _, window := range []time.Duration{0, 50 * time.Microsecond} {
			b.Run(fmt.Sprintf("window=%v", window), func(b *testing.B) {
				batcher := newBatcher(b, m, streams.Options{Window: window})
				latencies(b, n, func(i int) func() {
					s, c := open(b, batcher), streams.Call{IDs: []int32{int32(i)}, Logits: make([]float32, benchVocab)}
					return func() {
						if _, err := s.Step(context.Background(), c); err != nil {
							b.Error(err)
						}
					}
				})
				stats := batcher.Stats()
				b.ReportMetric(float64(stats.Steps)/float64(stats.Passes), "steps/pass")
			})
		}
	})
}

// latencies is callers with the median and the p99 of a call.
func latencies(b *testing.B, n int, newCaller func(i int) func()) {
	times := make([][]time.Duration, n)
	callers(b, n, func(i int) func() {
		call := newCaller(i)
		times[i] = make([]time.Duration, 0, b.N+1)
		return func() {
			start := time.Now()
			call()
			times[i] = append(times[i], time.Since(start))
		}
	})
	var all []time.Duration
	for _, t := range times {
		all = append(all, t[1:]...)
	}
	slices.Sort(all)
	at := func(share float64) float64 { return all[int(share*float64(len(all)-1))].Seconds() * 1e6 }
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
	b.ReportMetric(at(0.99)/at(0.5), "p99/p50")
}
