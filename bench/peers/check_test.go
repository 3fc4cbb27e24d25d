package main

import (
	"math"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	tanh := Workload{Kind: "rnn", Act: "tanh", Pass: "backward"}
	relu := Workload{Kind: "rnn", Act: "relu", Pass: "backward"}
	ndm := Workload{Kind: "onnx", Model: "ndm"}
	together := Workload{Kind: "streams", Cell: "gru"}
	quantised := Workload{Kind: "int8", Pass: "forward", Cell: "lstm"}
	voice := Workload{Kind: "onnx", Model: "silero_vad_v5"}
	long := make([]float64, 1e6)
	for i := range long {
		long[i] = 1
	}
	flipped := append([]float64(nil), long...)
	flipped[7] = 1.5
	nan := math.NaN()
	for _, tc := range []struct {
		name      string
		w         Workload
		got, want Results
		says      string
	}{
		{"alike", tanh, Results{"h": {1, 2.0001}}, Results{"h": {1, 2}}, ""},
		{"zeros", tanh, Results{"h": {0, 0}}, Results{"h": {0, 0}}, ""},
		{"far", tanh, Results{"h": {1, 2.01}}, Results{"h": {1, 2}}, "h differs by 0.005"},
		{"NaN", tanh, Results{"h": {nan, 2}}, Results{"h": {1, 2}}, "differs"},
		{"missing", tanh, Results{"h": {1}}, Results{"h": {1}, "dx": {1}}, "has no dx"},
		{"short", tanh, Results{"h": {1}}, Results{"h": {1, 2}}, "1 elements"},
		{"one jump of tanh", tanh, Results{"dx": flipped}, Results{"dx": long}, "dx differs"},
		{"one jump of ReLU", relu, Results{"dx": flipped}, Results{"dx": long}, ""},
		{"model, alike", ndm, Results{"y": {1e-3, 2}}, Results{"y": {1.008e-3, 2}}, ""},
		{"model, far", ndm, Results{"y": {0, 100}}, Results{"y": {2e-5, 100}}, "y differs by 2e-05"},
		{"model, NaN", ndm, Results{"y": {nan}}, Results{"y": {0}}, "differs"},
		{"model, its second output", ndm, Results{"x": {1}, "y": {1}}, Results{"x": {1}, "y": {2}}, "y differs"},
		{"streams, alike", together, Results{"logits": {9e-6}}, Results{"logits": {0}}, ""},
		{"streams, far", together, Results{"logits": {2e-5, 100}}, Results{"logits": {0, 100}}, "logits differs by 2e-05"},
		{"int8, alike", quantised, Results{"h": {0.019}}, Results{"h": {0}}, ""},
		{"int8, far", quantised, Results{"h": {0.021, 1}}, Results{"h": {0, 1}}, "h differs by 0.021"},
		{"int8, NaN", quantised, Results{"h": {nan}}, Results{"h": {0}}, "differs"},
		{"voice, alike", voice, Results{"y": {0.50009}}, Results{"y": {0.5}}, ""},
		{"voice, far", voice, Results{"y": {0.50011}}, Results{"y": {0.5}}, "y differs"},
		{"other work, ReLU", relu, Results{"dx": {1, -1}}, Results{"dx": {1, 1}}, "dx differs"},
	} {
		says := compare(tc.w, tc.got, tc.want)
		if tc.says == "" && says != "" || !strings.Contains(says, tc.says) {
			t.Errorf("%s: %q, want %q", tc.name, says, tc.says)
		}
	}
}

// Our own sets do the same work on a small form of every workload.
func TestOurs(t *testing.T) {
	impls := Ours()
	defer func() {
		for _, impl := range impls {
			impl.Close()
		}
	}()
	for _, w := range Workloads() {
		if w.Kind == "onnx" {
			continue // TestModels
		}
		w = w.Shrink()
		d := NewData(w)
		var want Results
		for _, impl := range impls {
			instance, err := impl.New(w, d, 2)
			if err == errUnsupported && want != nil { // it differs from the first in int8 alone
				continue
			}
			if err != nil {
				t.Fatalf("%s on %s: %v", w.Name(), impl.Name, err)
			}
			got, err := instance.Results()
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			}
			if differs := compare(w, got, want); differs != "" {
				t.Errorf("%s/%s on %s %s", w.Bench(), w.Name(), impl.Name, differs)
			}
			if took, err := instance.Run(2); err != nil || took <= 0 {
				t.Errorf("%s/%s on %s took %v, %v", w.Bench(), w.Name(), impl.Name, took, err)
			}
			instance.Close()
		}
	}
}

// checkSame checks that an implementation does the same work as ours, and that both can be
// timed.
func checkSame(t *testing.T, ours, other *Impl, w Workload) {
	t.Helper()
	d := NewData(w)
	var all []Results
	for _, impl := range []*Impl{ours, other} {
		instance, err := impl.New(w, d, 1)
		if err != nil {
			t.Fatalf("%s on %s: %v", w.Name(), impl.Name, err)
		}
		got, err := instance.Results()
		if err != nil {
			t.Fatal(err)
		}
		if took, err := instance.Run(2); err != nil || took <= 0 {
			t.Errorf("%s on %s took %v, %v", w.Name(), impl.Name, took, err)
		}
		all = append(all, got)
		instance.Close()
	}
	if differs := compare(w, all[1], all[0]); differs != "" {
		t.Errorf("%s on %s %s", w.Name(), other.Name, differs)
	}
}
