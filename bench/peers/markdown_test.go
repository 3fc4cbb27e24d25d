package main

import (
	"strings"
	"testing"
)

func TestMarkdown(t *testing.T) {
	ours, slow := &Impl{Name: "batchrnn-avx512", Ours: true}, &Impl{Name: "batchrnn-avx2", Ours: true}
	onednn, pytorch := &Impl{Name: "onednn"}, &Impl{Name: "pytorch"}
	gonum, bound := &Impl{Name: "gonum"}, &Impl{Name: "read-loop", Bound: true}
	float32 := &Impl{Name: "float32", Bound: true}
	gemm := Workload{Kind: "gemm", Op: "gemm", M: 10, N: 100, K: 1000, Pack: "before"} // 2 MFLOP
	report := Report{
		Facts:   []Fact{{"cpu", "a processor"}},
		Missing: []Missing{{"blis", "no library", "make peers-setup"}},
		Notes:   []string{"something was left out"},
		Impls:   []*Impl{ours, slow, onednn, pytorch, gonum, bound, float32},
		Peak:    func(threads int) float64 { return 100e9 * float64(threads) },
		Rows: []*Row{
			{gemm, 1, []*Cell{
				{Impl: ours, NS: []float64{50e3, 20e3, 25e3}},
				{Impl: slow, NS: []float64{40e3, 50e3, 60e3}},
				{Impl: onednn, NS: []float64{30e3, 40e3, 50e3}},
				{Impl: pytorch, NS: []float64{90e3, 80e3, 70e3}},
			}},
			{Workload{Kind: "onnx", Model: "silero_vad_v5", B: 64, T: 1}, 1, []*Cell{
				{Impl: ours, NS: []float64{1e6, 2e6}},
				{Impl: onednn, NS: []float64{3e6, 4e6}, Diff: 2e-7},
				{Impl: pytorch, NS: []float64{2e6, 3e6}, Diff: 3e-6},
			}},
			{Workload{Kind: "onnx", Model: "silero_vad_v5", B: 1, T: 1}, 1, []*Cell{
				{Impl: ours, NS: []float64{1e5, 1e5}},
				{Impl: onednn, NS: []float64{2e5, 2e5}, Diff: 4e-7},
			}},
			{Workload{Kind: "streams", Cell: "gru", H: 128, B: 8, T: 1, E: 64, V: 64}, 2, []*Cell{
				{Impl: ours, NS: []float64{8e3, 9e3}},
				{Impl: onednn, NS: []float64{12e3, 18e3}, Diff: 3e-7},
				{Impl: pytorch, NS: []float64{10e3, 27e3}, Diff: 2e-7},
			}},
			{Workload{Kind: "blas", Op: "gemv", Double: true, M: 100, N: 125}, 1, []*Cell{ // 100 KB
				{Impl: ours, NS: []float64{4e3, 5e3}},
				{Impl: onednn, NS: []float64{5e3, 10e3}},
				{Impl: gonum, NS: []float64{20e3, 20e3}},
				{Impl: bound, NS: []float64{2e3, 4e3}},
			}},
			{Workload{Kind: "lapack", Op: "lu", Double: true, N: 300}, 1, []*Cell{ // 18 MFLOP
				{Impl: ours, NS: []float64{1e6}},
				{Impl: onednn, NS: []float64{2e6}},
				{Impl: gonum, NS: []float64{5e6}},
			}},
			{Workload{Kind: "int8", Pass: "forward", Cell: "lstm", H: 10, B: 1, T: 1, E: 10}, 1, []*Cell{
				{Impl: ours, NS: []float64{1e3, 2e3}},
				{Impl: onednn, NS: []float64{2e3, 5e3}, Diff: 1e-3},
				{Impl: float32, NS: []float64{3e3, 3e3}, Diff: 2e-3},
			}},
			{Workload{Kind: "train", V: 65, H: 512, B: 32, T: 50}, 2, []*Cell{{Impl: ours, NS: []float64{16e6}}}},
		},
	}
	var out strings.Builder
	report.WriteMarkdown(&out)
	for _, want := range []string{
		"- cpu: a processor\n",
		"- **missing: blis** (no library); to install: `make peers-setup`\n",
		"\n## Gemm, packed before, 1 thread, GFLOP/s\n\n| work | batchrnn-avx512 | batchrnn-avx2 | onednn | pytorch | ratio | of medians |\n|---|---|---|---|---|---|---|\n",
		"| m=10 n=100 k=1000 pack=before | 100 (100 %) | 50 (50 %) | 66.67 (67 %) | 28.57 (29 %) | 1.50 | 1.60 |\n",
		"\n## Train, 2 threads, tokens/s\n\n| work | batchrnn-avx512 | ratio | of medians |\n",
		"\n## Onnx, silero_vad_v5, 1 thread, x-real-time\n\n| work | batchrnn-avx512 | onednn | pytorch | to onednn | of medians | to pytorch | of medians |\n|---|---|---|---|---|---|---|---|\n",
		"| model=silero_vad_v5 b=64 t=1 | 2048 | 682.7 | 1024 | 3.00 | 2.33 | 2.00 | 1.67 |\n",
		"| model=silero_vad_v5 b=1 t=1 | 320 | 160 | – | 2.00 | 2.00 | – | – |\n\nGreatest difference from batchrnn-avx512: onednn 4.0e-07, pytorch 3.0e-06.\n",
		"\n## Streams, gru, 2 threads, tokens/s\n\n| work | batchrnn-avx512 | onednn | pytorch | ratio | of medians |\n",
		"| cell=gru h=128 b=8 e=64 v=64 | 1000000 (",
		" | 1.25 | 1.76 |\n\nGreatest difference from batchrnn-avx512: onednn 3.0e-07, pytorch 2.0e-07.\n",
		"| 100000 (", " | – | – |\n",
		"\n## Blas, dgemv, 1 thread, GB/s\n\n| work | batchrnn-avx512 | onednn | gonum | read-loop | ratio | of medians | to gonum | of medians | to read-loop | of medians |\n",
		"| op=dgemv m=100 n=125 trans=n | 25 | 20 | 5 | 50 | 1.25 | 1.67 | 5.00 | 4.44 | 0.50 | 0.67 |\n",
		"\n## Lapack, 1 thread, ms/call\n\n| work | batchrnn-avx512 | onednn | gonum | to onednn | of medians | to gonum | of medians |\n",
		"| op=lu n=300 | 1 (36 %) | 2 (18 %) | 5 (7 %) | 2.00 | 2.00 | 5.00 | 5.00 |\n",
		"\n## Int8, lstm, 1 thread, ns/step\n\n| work | batchrnn-avx512 | onednn | float32 | ratio | of medians | to float32 | of medians |\n",
		"| cell=lstm h=10 b=1 t=1 e=10 | 1000 (2 %) | 2000 (1 %) | 3000 (1 %) | 2.00 | 2.33 | 3.00 | 2.00 |\n\nGreatest difference from batchrnn-avx512: onednn 1.0e-03, float32 2.0e-03.\n",
		"\n## Notes\n\n- something was left out\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page has no %q:\n%s", want, out.String())
		}
	}
}
