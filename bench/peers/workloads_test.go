package main

import "testing"

func TestWorkloads(t *testing.T) {
	for _, tc := range []struct {
		name  string
		w     Workload
		flops float64
		unit  string
	}{
		{
			"Both/cell=lstm/h=256/b=16/t=50/e=128/pack=before",
			Workload{Kind: "rnn", Pass: "both", Cell: "lstm", H: 256, B: 16, T: 50, E: 128, Pack: "before"},
			3 * 2 * 50 * 16 * 4 * 256 * (256 + 128), "GFLOP/s",
		},
		{
			"Forward/cell=gru/h=512/b=1/t=1/e=512/pack=before",
			Workload{Kind: "rnn", Pass: "forward", Cell: "gru", H: 512, B: 1, T: 1, E: 512, Pack: "before"},
			2 * 3 * 512 * (512 + 512), "ns/step",
		},
		{
			"Int8/cell=gru/h=512/b=16/t=50/e=256",
			Workload{Kind: "int8", Pass: "forward", Cell: "gru", H: 512, B: 16, T: 50, E: 256},
			2 * 50 * 16 * 3 * 512 * (512 + 256), "GOP/s",
		},
		{
			"Int8/act=tanh/h=512/b=1/t=1/e=512",
			Workload{Kind: "int8", Pass: "forward", Act: "tanh", H: 512, B: 1, T: 1, E: 512},
			2 * 512 * (512 + 512), "ns/step",
		},
		{
			"Train/cell=gru/v=65/h=512/b=32/t=50",
			Workload{Kind: "train", Cell: "gru", V: 65, H: 512, B: 32, T: 50},
			3 * 2 * 50 * 32 * 512 * (3*512 + 65), "tokens/s",
		},
		{
			"Train/v=65/h=512/b=32/t=50",
			Workload{Kind: "train", V: 65, H: 512, B: 32, T: 50},
			3 * 2 * 50 * 32 * 512 * (512 + 65), "tokens/s",
		},
		{
			"Streams/cell=gru/h=128/b=8/e=64/v=32",
			Workload{Kind: "streams", Cell: "gru", H: 128, B: 8, T: 1, E: 64, V: 32},
			2 * 8 * (3*128*(128+64) + 128*32), "tokens/s",
		},
		{
			"Streams/act=tanh/h=128/b=8/e=64/v=32",
			Workload{Kind: "streams", Act: "tanh", H: 128, B: 8, T: 1, E: 64, V: 32},
			2 * 8 * (128*(128+64) + 128*32), "tokens/s",
		},
		{
			"Blas/op=dgemm/m=10/n=100/k=1000/trans=tn/beta=1",
			Workload{Kind: "blas", Op: "gemm", Double: true, M: 10, N: 100, K: 1000, TransA: true, Beta: 1},
			2 * 10 * 100 * 1000, "GFLOP/s",
		},
		{"Blas/op=ssyrk/n=10/k=20", Workload{Kind: "blas", Op: "syrk", N: 10, K: 20}, 10 * 11 * 20, "GFLOP/s"},
		{"Blas/op=strsm/m=10/n=20", Workload{Kind: "blas", Op: "trsm", M: 10, N: 20}, 10 * 10 * 20, "GFLOP/s"},
		{"Blas/op=sgemv/m=10/n=20/trans=t", Workload{Kind: "blas", Op: "gemv", M: 10, N: 20, TransA: true}, 0, "GB/s"},
		{"Blas/op=ddot/n=20", Workload{Kind: "blas", Op: "dot", Double: true, N: 20}, 0, "GB/s"},
		{"Lapack/op=qr/n=30", Workload{Kind: "lapack", Op: "qr", Double: true, N: 30}, 4 * 30 * 30 * 30 / 3, "ms/call"},
	} {
		if got := tc.w.Bench() + "/" + tc.w.Name(); got != tc.name {
			t.Errorf("name %q, want %q", got, tc.name)
		}
		if got := tc.w.Flops(); got != tc.flops {
			t.Errorf("%s: %g operations, want %g", tc.name, got, tc.flops)
		}
		if _, unit := tc.w.Rate(1); unit != tc.unit {
			t.Errorf("%s: unit %s, want %s", tc.name, unit, tc.unit)
		}
	}
}
