package main

import "testing"

// All implementations of BLAS and LAPACK do the work of gonum's on a small form of every
// workload. The libraries of C take part where they are installed.
func TestAlgebra(t *testing.T) {
	impls := Ours()[:1]
	for _, open := range []func() (*Impl, error){OpenBLAS, BLIS, OneDNN} {
		if impl, err := open(); err == nil {
			impls = append(impls, impl)
		} else {
			t.Log(err)
		}
	}
	impls = append(impls, Bounds()...)
	defer func() {
		for _, impl := range impls {
			if impl.Close != nil {
				impl.Close()
			}
		}
	}()
	did := map[string]int{}
	for _, w := range algebraWorkloads() {
		w = w.Shrink()
		d := NewData(w)
		reference, err := newGonum(w, d, 1)
		if err != nil {
			t.Fatal(err)
		}
		want, err := reference.Results()
		if err != nil {
			t.Fatal(err)
		}
		for _, impl := range impls {
			name := w.Bench() + "/" + w.Name() + " on " + impl.Name
			instance, err := impl.New(w, d, 1)
			if err == errUnsupported {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			did[impl.Name]++
			got, err := instance.Results()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if differs := compare(w, got, want); differs != "" && !impl.Bound {
				t.Errorf("%s %s", name, differs)
			}
			if took, err := instance.Run(restoreEvery + 2); err != nil || took <= 0 {
				t.Errorf("%s took %v, %v", name, took, err)
			}
			instance.Close()
		}
	}
	for _, impl := range impls {
		if did[impl.Name] == 0 {
			t.Errorf("%s has no workload", impl.Name)
		}
	}
}
