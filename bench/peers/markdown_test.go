package main

import (
	"strings"
	"testing"
)

func TestMarkdown(t *testing.T) {
	ours, slow := &Impl{Name: "batchrnn-avx512", Ours: true}, &Impl{Name: "batchrnn-avx2", Ours: true}
	onednn, pytorch := &Impl{Name: "onednn"}, &Impl{Name: "pytorch"}
	gemm := Workload{Kind: "gemm", M: 10, N: 100, K: 1000, Pack: "before"} // 2 MFLOP
	report := Report{
		Facts:   []Fact{{"cpu", "a processor"}},
		Missing: []Missing{{"blis", "no library", "make peers-setup"}},
		Notes:   []string{"something was left out"},
		Impls:   []*Impl{ours, slow, onednn, pytorch},
		Peak:    func(threads int) float64 { return 100e9 * float64(threads) },
		Rows: []*Row{
			{gemm, 1, []*Cell{
				{ours, []float64{50e3, 20e3, 25e3}},
				{slow, []float64{40e3, 50e3, 60e3}},
				{onednn, []float64{30e3, 40e3, 50e3}},
				{pytorch, []float64{90e3, 80e3, 70e3}},
			}},
			{Workload{Kind: "train", V: 65, H: 512, B: 32, T: 50}, 2, []*Cell{{ours, []float64{16e6}}}},
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
		"| 100000 (", " | – | – |\n",
		"\n## Notes\n\n- something was left out\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page has no %q:\n%s", want, out.String())
		}
	}
}
