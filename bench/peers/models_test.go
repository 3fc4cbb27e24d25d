package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"batchrnn/internal/ort"
)

// All implementations that are here do the same work on a small form of each model.
func TestModels(t *testing.T) {
	impls := Ours()
	impls = append(impls, GONNX())
	if runtime, err := ONNXRuntime(); err != nil {
		t.Logf("without ONNX Runtime: %v; to install: make models", err)
	} else {
		impls = append(impls, runtime)
	}
	defer func() {
		for _, impl := range impls {
			if impl.Close != nil {
				impl.Close()
			}
		}
	}()
	done := map[string]bool{}
	for _, w := range Workloads() {
		w = w.Shrink()
		if w.Kind != "onnx" || done[w.Name()] {
			continue
		}
		done[w.Name()] = true
		t.Run(w.Name(), func(t *testing.T) {
			d := NewData(w)
			if w.Model == "add" {
				d.Model = addModel()
			} else {
				var err error
				if d.Model, err = os.ReadFile(ort.File(t, w.Model+".onnx")); err != nil {
					t.Fatal(err)
				}
			}
			var want Results
			for _, impl := range impls {
				instance, err := impl.New(w, d, 2)
				if err == errUnsupported && (impl.Ours && want != nil || impl.Name == "gonnx" && w.Voice()) {
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", impl.Name, err)
				}
				got, err := instance.Results()
				if err != nil {
					t.Fatalf("%s: %v", impl.Name, err)
				}
				if want == nil {
					want = got
				}
				if differs := compare(w, got, want); differs != "" || len(got) != len(want) {
					t.Errorf("%s has %q, want %q: %s", impl.Name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)), differs)
				}
				if took, err := instance.Run(d.Call.Frames + 1); err != nil || took <= 0 {
					t.Errorf("%s took %v, %v", impl.Name, took, err)
				}
				instance.Close()
			}
			checkOutputs(t, w, want)
		})
	}
}

// checkOutputs checks that outputs are there, and that they depend on frames and streams.
func checkOutputs(t *testing.T, w Workload, r Results) {
	switch {
	case w.Voice():
		p := r["output"]
		if len(p) != frames*w.B {
			t.Fatalf("%d probabilities, want %d", len(p), frames*w.B)
		}
		if least, most := slices.Min(p), slices.Max(p); !(least >= 0 && least < 0.5 && most > 0.5 && most <= 1) {
			t.Errorf("probabilities from %g to %g: want both below and above a half", least, most)
		}
	case w.Model == "ndm":
		if y := r["optimal_supply_temp"]; len(y) != w.B || w.B > 1 && y[0] == y[1] {
			t.Errorf("outputs %v, want %d different ones", y, w.B)
		}
	default:
		x := NewData(w).Call.Inputs[0].Floats[0]
		if y := r["Y"]; len(y) != 1 || y[0] != float64(2*x) {
			t.Errorf("Y is %v, want [%g]", y, 2*x)
		}
	}
}

// The operators that ONNX Runtime gets as models do the same work as ours.
func TestONNXRuntime(t *testing.T) {
	impl, err := ONNXRuntime()
	if err != nil {
		ort.File(t, filepath.Join("node_modules", "onnxruntime-node")) // which skips
		t.Fatal(err)
	}
	defer impl.Close()
	ours := Ours()[0]
	defer ours.Close()
	for _, kind := range []Workload{{Act: "relu"}, {Cell: "lstm"}, {Cell: "gru"}} {
		for _, steps := range []int{1, 5} {
			checkSame(t, ours, impl, Workload{Kind: "rnn", Pass: "forward", Cell: kind.Cell, Act: kind.Act, H: 6, B: 3, T: steps, E: 4, Pack: "before"})
		}
	}
}

// Each window has the end of the one before, of the same stream.
func TestWindows(t *testing.T) {
	const streams, samples = 3, frames * frameSamples
	x := make([]float32, streams*samples)
	for i := range x {
		x[i] = float32(i + 1)
	}
	for _, context := range []int{0, contextSamples} {
		all := windows(x, context)
		width := context + frameSamples
		if len(all) != frames*streams*width {
			t.Fatalf("%d samples, want %d", len(all), frames*streams*width)
		}
		for f := range frames {
			for s := range streams {
				for i, got := range all[(f*streams+s)*width:][:width] {
					want := float32(0)
					if at := f*frameSamples + i - context; at >= 0 {
						want = x[s*samples+at]
					}
					if got != want {
						t.Fatalf("context %d: sample %d of stream %d in frame %d is %g, want %g", context, i, s, f, got, want)
					}
				}
			}
		}
	}
}
