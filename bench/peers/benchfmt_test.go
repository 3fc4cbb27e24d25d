package main

import (
	"strings"
	"testing"
)

func TestBenchLine(t *testing.T) {
	for _, tc := range []struct {
		w    Workload
		want string
	}{
		{
			Workload{Kind: "rnn", Pass: "forward", Act: "tanh", H: 100, B: 10, T: 50, E: 100, Pack: "before"},
			"BenchmarkForward/impl=x/act=tanh/h=100/b=10/t=50/e=100/pack=before/threads=2\t3\t1e+06 ns/op\t20 GFLOP/s\t10.00 %peak\n",
		},
		{
			Workload{Kind: "rnn", Pass: "both", Act: "relu", H: 100, B: 10, T: 50, Pack: "each"},
			"BenchmarkBoth/impl=x/act=relu/h=100/b=10/t=50/e=ids/pack=each/threads=2\t3\t1e+06 ns/op\t30 GFLOP/s\t15.00 %peak\n",
		},
		{
			Workload{Kind: "rnn", Pass: "forward", Act: "tanh", H: 32, B: 1, T: 100, E: 0, Pack: "before"},
			"BenchmarkForward/impl=x/act=tanh/h=32/b=1/t=100/e=ids/pack=before/threads=2\t3\t1e+06 ns/op\t10000 ns/step\t0.10 %peak\n",
		},
		{
			Workload{Kind: "gemm", Op: "gemm", M: 10, N: 100, K: 1000, Pack: "each"},
			"BenchmarkGemm/impl=x/m=10/n=100/k=1000/pack=each/threads=2\t3\t1e+06 ns/op\t2 GFLOP/s\t1.00 %peak\n",
		},
		{
			Workload{Kind: "blas", Op: "gemm", Double: true, M: 10, N: 100, K: 1000},
			"BenchmarkBlas/impl=x/op=dgemm/m=10/n=100/k=1000/trans=nn/beta=0/threads=2\t3\t1e+06 ns/op\t2 GFLOP/s\t2.00 %peak\n",
		},
		{
			Workload{Kind: "blas", Op: "ger", M: 10, N: 100},
			"BenchmarkBlas/impl=x/op=sger/m=10/n=100/threads=2\t3\t1e+06 ns/op\t0.008 GB/s\n",
		},
		{
			Workload{Kind: "train", V: 65, H: 512, B: 32, T: 50},
			"BenchmarkTrain/impl=x/v=65/h=512/b=32/t=50/threads=2\t3\t1e+06 ns/op\t1.6e+06 tokens/s\t1418.04 %peak\n",
		},
		{
			Workload{Kind: "onnx", Model: "ndm", B: 4, T: 10},
			"BenchmarkOnnx/impl=x/model=ndm/b=4/t=10/threads=2\t3\t1e+06 ns/op\t1000 us/call\t8.32 %peak\n",
		},
		{
			Workload{Kind: "onnx", Model: "silero_vad_v5", B: 64, T: 1},
			"BenchmarkOnnx/impl=x/model=silero_vad_v5/b=64/t=1/threads=2\t3\t1e+06 ns/op\t2048 x-real-time\n",
		},
		{
			Workload{Kind: "activation", Act: "exp", Count: 4096},
			"BenchmarkActivation/impl=x/act=exp/n=4096/threads=2\t3\t1e+06 ns/op\t0.004096 Gelem/s\n",
		},
	} {
		var out strings.Builder
		writeBenchLine(&out, tc.w, "x", 2, 3, 1e6, 200e9)
		if out.String() != tc.want {
			t.Errorf("got  %qwant %q", out.String(), tc.want)
		}
	}
}

func TestFacts(t *testing.T) {
	var out strings.Builder
	writeFacts(&out, []Fact{{"cpu", "some\n  thing"}}, []Missing{{"blis", "no\nlibblis.so.4", "apt-get install libblis-dev"}})
	want := "cpu: some thing\nmissing-blis: no libblis.so.4; to install: apt-get install libblis-dev\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// Two workloads of one name would be averaged by benchstat.
func TestNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range Workloads() {
		name := w.Bench() + "/" + w.Name()
		if seen[name] {
			t.Errorf("%s twice", name)
		}
		if strings.ContainsAny(name, " \t") {
			t.Errorf("%q has a space, which ends a name", name)
		}
		seen[name] = true
	}
}
