package asm

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestRequiredSets fails where a Set named in BATCHRNN_REQUIRE_ISA is missing,
// so that a machine without it can't pass by testing less.
func TestRequiredSets(t *testing.T) {
	var have []string
	for _, s := range Sets() {
		have = append(have, s.Name)
	}
	t.Log("this machine has", have)
	for _, name := range strings.Split(os.Getenv("BATCHRNN_REQUIRE_ISA"), ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(have, name) {
			t.Errorf("BATCHRNN_REQUIRE_ISA wants %s; this build on this machine has %v", name, have)
		}
	}
}

// TestSetsComplete holds every Set to what Set promises and every slot to being
// tested: a func field that is nil or that no entry of slots names fails here.
func TestSetsComplete(t *testing.T) {
	everySet(t, func(t *testing.T, s *Set) {
		tested := map[string]bool{}
		for _, sl := range slices.Concat(slots(s), int8Slots(s)) {
			tested[sl.field] = true
		}
		for _, sl := range doubleSlots(s) {
			tested["Double."+sl.field] = true
		}
		checkFields(t, "", reflect.ValueOf(*s), tested)
		checkTiles(t, &s.Family)
		checkTiles(t, &s.Double.Family)
		checkTiles(t, &s.Int8)
	})
}

func checkTiles[T Float](t *testing.T, k *Family[T]) {
	if k.MR > MaxRows {
		t.Errorf("MR is %d, over MaxRows, %d", k.MR, MaxRows)
	}
	for rows, tiles := range k.Gemm {
		switch {
		case rows == 0 || rows > k.MR:
			if !reflect.ValueOf(tiles).IsZero() {
				t.Errorf("Gemm[%d] is not empty", rows)
			}
		case tiles.Panels[0] != nil:
			t.Errorf("Gemm[%d] has a tile of no panels", rows)
		case tiles.Panels[1] == nil:
			t.Errorf("Gemm[%d] has no tile of one panel", rows)
		}
	}
}

// checkFields looks at the fields of a Set, or of its Kernels.
func checkFields(t *testing.T, prefix string, v reflect.Value, tested map[string]bool) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := prefix + field.Name
		switch f := v.Field(i); f.Kind() {
		case reflect.Func:
			if f.IsNil() {
				t.Errorf("%s is nil", name)
			}
			if !tested[name] {
				t.Errorf("%s is not in slots", name)
			}
		case reflect.Struct:
			if field.Anonymous {
				checkFields(t, prefix, f, tested)
			} else {
				checkFields(t, name+".", f, tested)
			}
		case reflect.Bool: // a choice, either way
		default:
			if field.Name != "Gemm" && f.IsZero() {
				t.Errorf("%s is zero", name)
			}
		}
	}
}

// everySet runs f as a subtest for every Set of this machine.
func everySet(t *testing.T, f func(t *testing.T, s *Set)) { runSets(t, Sets(), f) }

// eachSet is everySet for what is not of int8.
func eachSet(t *testing.T, f func(t *testing.T, s *Set)) { runSets(t, floatSets(), f) }

func runSets(t *testing.T, sets []*Set, f func(t *testing.T, s *Set)) {
	for _, s := range sets {
		t.Run("isa="+s.Name, func(t *testing.T) { f(t, s) })
	}
}

// floatSets are the Sets of this machine that differ in more than int8.
func floatSets() []*Set {
	return slices.CompactFunc(Sets(), func(a, b *Set) bool { return floatKernels(a) == floatKernels(b) })
}

// floatKernels prints the addresses of what a Set has beside int8.
func floatKernels(s *Set) string {
	rest := *s
	rest.Name, rest.Int8, rest.Quantise = "", Family[float32]{}, nil
	return fmt.Sprint(rest)
}

// fused reports whether a Set rounds a multiplication and the addition after it
// once.
func fused(s *Set) bool { return s.Name != "generic" }
