package rnn

import (
	"fmt"
	"os"
	"testing"
	"time"

	"batchrnn/internal/neighbour"
	"batchrnn/kernels"
)

// TestMain lets the test binary be a busy process.
func TestMain(m *testing.M) {
	neighbour.ServeChild()
	os.Exit(m.Run())
}

// BenchmarkNeighbour runs forward passes beside others: of one worker, and of all
// in turns with one worker, which the ratios refer to. Passes of several callers
// run at the same time; rates and times are those of one caller.
// "rnnbench speed --neighbours" prints the same for more sizes.
func BenchmarkNeighbour(b *testing.B) {
	const (
		steps, vocabulary = 50, 64
		turn              = 25 * time.Millisecond
	)
	// Engines are made before any condition holds.
	var one, all []*kernels.Engine
	for range 2 {
		one, all = append(one, newEngine(b, "", 1)), append(all, newEngine(b, "", 0))
	}
	for _, s := range []struct{ hidden, rows int }{{32, 1}, {128, 8}, {256, 1}, {512, 8}, {1760, 64}} {
		for _, c := range neighbour.Conditions() {
			side := func(engines []*kernels.Engine) *neighbour.Side {
				var passes []func()
				for _, e := range engines[:c.Engines] {
					m := newModel(b, e, Config{Input: vocabulary, Layers: 1, Hidden: s.hidden}, 1)
					ids := randomIDs(newRand(1), steps*s.rows, vocabulary)
					for range c.Callers {
						ws := m.NewWorkspace(steps, s.rows)
						passes = append(passes, func() { ws.Forward(ids) })
					}
				}
				return neighbour.NewSide(passes...)
			}
			for _, workers := range []string{"1", "all"} {
				b.Run(fmt.Sprintf("isa=%s/h=%d/b=%d/beside=%s/workers=%s", one[0].ISA(), s.hidden, s.rows, c.Name, workers), func(b *testing.B) {
					timed, other := side(one), (*neighbour.Side)(nil)
					if workers == "all" {
						timed, other = side(all), timed
						other.WarmUp(b.Context())
					}
					timed.WarmUp(b.Context())
					leave, err := c.Enter(b.Context())
					if err != nil {
						b.Skip(err)
					}
					defer leave()
					b.ResetTimer()
					for left := b.N; left > 0; left = b.N - timed.Runs() {
						timed.Turn(b.Context(), turn, left)
						if other != nil {
							b.StopTimer()
							other.Turn(b.Context(), turn, left)
							b.StartTimer()
						}
					}
					b.StopTimer()
					took := timed.Took()
					b.ReportMetric(1e9*took.Mean, "ns/pass")
					b.ReportMetric(1e9*took.P99, "p99-ns/pass")
					b.ReportMetric(2*float64(s.rows*s.hidden*s.hidden*steps)/took.Mean/1e9, "GFLOP/s")
					if other != nil {
						throughput, p99 := took.Ratio(other.Took())
						b.ReportMetric(throughput, "throughput/one")
						b.ReportMetric(p99, "p99/one")
					}
				})
			}
		}
	}
}
