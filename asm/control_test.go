package asm

import (
	"math"
	"runtime"
	"testing"
)

// TestControl: what is written is read again, and does what it says.
func TestControl(t *testing.T) {
	const flush = 1<<15 | 1<<6 // results, operands
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, s := range floatSets() {
		mode := s.ReadControl()
		if mode&ControlModes != Control {
			t.Errorf("%s: the usual mode is %#x, want %#x", s.Name, mode, Control)
		}
		tiny := []float32{math.SmallestNonzeroFloat32}
		s.WriteControl(Control | flush)
		mode = s.ReadControl()
		s.Scale(tiny, 1)
		s.WriteControl(Control)
		known := mode&flush == flush
		if known != (s.Name != "generic") || known != (tiny[0] == 0) {
			t.Errorf("%s: mode %#x, the smallest number times 1 is %g", s.Name, mode, tiny[0])
		}
	}
}
