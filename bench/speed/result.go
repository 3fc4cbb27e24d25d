package speed

import (
	"slices"

	"batchrnn/bench/measure"
)

// Format is the version of the JSON forms of [Result] and [KernelResult].
const Format = 1

// A Result is one run of [Speed] or [Neighbours]. Its JSON form is stable: fields may
// be added, not renamed. A figure that does not apply to a row is omitted.
type Result struct {
	Format      int             `json:"format"`  // Format
	Machine     measure.Machine `json:"machine"` // its threads are the most that were used
	Command     string          `json:"command"`
	Rows        []Row           `json:"rows"`
	LeftOut     []LeftOut       `json:"left_out,omitempty"`
	Interrupted bool            `json:"interrupted"` // before all rows were measured
}

// A LeftOut is a condition of [Neighbours] that this system does not have.
type LeftOut struct {
	Beside string `json:"beside"`
	Reason string `json:"reason"`
}

// leaveOut adds a condition that is left out, once.
func (r *Result) leaveOut(beside string, reason error) {
	if l := (LeftOut{beside, reason.Error()}); !slices.Contains(r.LeftOut, l) {
		r.LeftOut = append(r.LeftOut, l)
	}
}

// The kinds of [Row].
const (
	KindDeepBench = "deepbench" // ReLU, packing of the weights included
	KindGated     = "gated"     // as KindDeepBench, of a gated cell
	KindForward   = "forward"   // tanh, weights packed before
	KindTrain     = "train"     // a whole training step: both passes, the output layer, clipping, Adam, packing
	KindGemm      = "gemm"      // B rows times packed H×H weights, bias and tanh
	KindStep      = "step"      // B = 1, T steps a call
	KindSingle    = "single"    // B = 1 products, in turns with a plain read of the same packed weights
	KindBatch     = "batch"     // KindGemm for every B
	KindNeighbour = "neighbour" // KindForward beside others
)

// The passes of [Row].
const (
	PassForward = "forward"
	PassBoth    = "forward+backward"
	PassTrain   = "train"
)

// Row is one measured piece of work.
type Row struct {
	Kind    string `json:"kind"`
	ISA     string `json:"isa"`
	Cell    string `json:"cell,omitempty"` // of a network, the name of its rnn.CellKind
	H       int    `json:"h"`
	B       int    `json:"b"`
	T       int    `json:"t,omitempty"`
	V       int    `json:"v,omitempty"` // width of the output layer
	Pass    string `json:"pass,omitempty"`
	Threads int    `json:"threads"`

	Runs          int     `json:"runs"`
	Seconds       float64 `json:"seconds"` // of the best run
	MedianSeconds float64 `json:"median_seconds"`

	GFLOPS        float64 `json:"gflops,omitempty"`        // in the best run
	MedianGFLOPS  float64 `json:"median_gflops,omitempty"` // in the median run
	PeakGFLOPS    float64 `json:"peak_gflops,omitempty"`   // multiply-adds on as many threads
	PercentPeak   float64 `json:"percent_peak,omitempty"`  // 100·GFLOPS/PeakGFLOPS
	PercentMedian float64 `json:"percent_peak_median,omitempty"`

	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`
	SecondsPerStep  float64 `json:"seconds_per_step,omitempty"`

	// The rate of reading weights, and that of the plain read.
	GBPerSecond     float64 `json:"gb_per_s,omitempty"`
	ReadGBPerSecond float64 `json:"read_gb_per_s,omitempty"`
	PercentRead     float64 `json:"percent_read,omitempty"`

	// Rows of [Neighbours]. Tokens per second are those of one caller, from the mean
	// pass. Ratios are to one worker in the same condition, and are absent from that
	// worker's own row.
	Beside          string  `json:"beside,omitempty"`  // the name of the condition
	Engines         int     `json:"engines,omitempty"` // that work at once
	Callers         int     `json:"callers,omitempty"` // of all engines
	MeanSeconds     float64 `json:"mean_seconds,omitempty"`
	P99Seconds      float64 `json:"p99_seconds,omitempty"` // the slowest run, if there were fewer than 100
	MeanGFLOPS      float64 `json:"mean_gflops,omitempty"` // of one caller
	ThroughputRatio float64 `json:"throughput_ratio,omitempty"`
	P99Ratio        float64 `json:"p99_ratio,omitempty"`
	OneRuns         int     `json:"one_runs,omitempty"` // of the one worker in the ratios

	// TrendGFLOPS is the rate interpolated from the batches around B.
	TrendGFLOPS float64 `json:"trend_gflops,omitempty"`
}

// Below returns the DeepBench rows whose share of the peak is below percent.
func (r Result) Below(percent float64) []Row {
	var rows []Row
	for _, row := range r.Rows {
		if row.Kind == KindDeepBench && row.PercentPeak < percent {
			rows = append(rows, row)
		}
	}
	return rows
}

// timed sets a row's times.
func (r Row) timed(t timing) Row {
	r.Runs, r.Seconds, r.MedianSeconds = t.runs, t.best, t.median
	return r
}

// rated sets a row's times and its share of the peak.
func (r Row) rated(x rate) Row {
	r = r.timed(x.timing)
	r.GFLOPS, r.MedianGFLOPS, r.PeakGFLOPS = x.gflops(), x.medianGFLOPS(), x.peak/1e9
	r.PercentPeak, r.PercentMedian = x.percent(), 100*r.MedianGFLOPS/r.PeakGFLOPS
	return r
}
