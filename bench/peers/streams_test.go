package main

import (
	"path/filepath"
	"slices"
	"testing"

	"batchrnn/internal/ort"
)

// streamsWorkloads are small ones of each kind of cell.
func streamsWorkloads() []Workload {
	var all []Workload
	for _, kind := range []Workload{{Act: "tanh"}, {Cell: "gru"}, {Cell: "lstm"}} {
		all = append(all, Workload{Kind: "streams", Act: kind.Act, Cell: kind.Cell, H: 6, B: 3, T: 1, E: 4, V: 5})
	}
	return all
}

// streamsResults returns the results of a workload, and checks that it can be timed.
func streamsResults(t *testing.T, impl *Impl, w Workload, d *Data) Results {
	t.Helper()
	instance, err := impl.New(w, d, 2)
	if err != nil {
		t.Fatalf("%s on %s: %v", w.Name(), impl.Name, err)
	}
	defer instance.Close()
	r, err := instance.Results()
	if err != nil {
		t.Fatalf("%s on %s: %v", w.Name(), impl.Name, err)
	}
	if took, err := instance.Run(frames + 1); err != nil || took <= 0 {
		t.Errorf("%s on %s took %v, %v", w.Name(), impl.Name, took, err)
	}
	return r
}

// The Batcher and a Workspace have the same bits. Streams have the logits of their own
// tokens, states and frames.
func TestStreams(t *testing.T) {
	ours, workspace := Ours()[0], Workspace()
	defer ours.Close()
	defer workspace.Close()
	for _, w := range streamsWorkloads() {
		d := NewData(w)
		all := streamsResults(t, ours, w, d)
		if got, want := len(all["logits"]), frames*w.B*w.V; got != want {
			t.Fatalf("%s: %d logits, want %d", w.Name(), got, want)
		}
		if pass := streamsResults(t, workspace, w, d); apart(pass, all) != 0 || len(pass) != len(all) {
			t.Errorf("%s: a Workspace differs by %g", w.Name(), apart(pass, all))
		}
		one := w
		one.B = 1
		for i := range w.B {
			alone := *d
			alone.IDs = nil
			for f := range frames {
				alone.IDs = append(alone.IDs, d.IDs[f*w.B+i])
			}
			alone.H0 = d.H0[i*w.H:][:w.H]
			if d.C0 != nil {
				alone.C0 = d.C0[i*w.H:][:w.H]
			}
			alone.Call = streamsCall(one, &alone)
			got := streamsResults(t, ours, one, &alone)
			for f := range frames {
				if want := all["logits"][(f*w.B+i)*w.V:][:w.V]; !slices.Equal(got["logits"][f*w.V:][:w.V], want) {
					t.Fatalf("%s: logits of stream %d in frame %d are %v alone, %v together", w.Name(), i, f, got["logits"][f*w.V:][:w.V], want)
				}
			}
			if want := all["H1"][i*w.H:][:w.H]; !slices.Equal(got["H1"], want) {
				t.Errorf("%s: the state of stream %d is %v alone, %v together", w.Name(), i, got["H1"], want)
			}
		}
	}
}

// Both forms of a step on ONNX Runtime do the same work as ours.
func TestStreamsONNXRuntime(t *testing.T) {
	operators, err := ONNXRuntime()
	if err != nil {
		ort.File(t, filepath.Join("node_modules", "onnxruntime-node")) // which skips
		t.Fatal(err)
	}
	defer operators.Close()
	products, err := ONNXRuntimeGemm()
	if err != nil {
		t.Fatal(err)
	}
	ours := Ours()[0]
	defer ours.Close()
	for _, w := range streamsWorkloads() {
		d := NewData(w)
		want := streamsResults(t, ours, w, d)
		impls := []*Impl{operators, products}
		if w.Cell == "lstm" {
			impls = impls[:1]
		}
		for _, impl := range impls {
			got := streamsResults(t, impl, w, d)
			if differs := compare(w, got, want); differs != "" || len(got) != len(want) {
				t.Errorf("%s on %s %s", w.Name(), impl.Name, differs)
			}
		}
	}
}
