package memory

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestResidentGrowsWithWhatIsTouched(t *testing.T) {
	const size = 32 << 20
	resident := func() int64 {
		t.Helper()
		debug.FreeOSMemory()
		n, err := Resident()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := resident()
	buf := make([]byte, size)
	touch(buf)
	growth := resident() - before
	runtime.KeepAlive(buf)
	// A quarter either way leaves room for the runtime's own pages.
	if growth < size*3/4 || growth > size*5/4 {
		t.Errorf("touched %d bytes, resident memory grew by %d", size, growth)
	}
	if before < 1<<20 {
		t.Errorf("resident before = %d bytes: less than any Go process", before)
	}
}

// touch writes to every page of buf. Under -race, shadow memory would
// otherwise be touched along with it and be counted too.
//
//go:norace
func touch(buf []byte) {
	for i := 0; i < len(buf); i += os.Getpagesize() {
		buf[i] = 1
	}
}

func TestDisableHugePagesTwice(t *testing.T) {
	for range 2 {
		if err := DisableHugePages(); err != nil {
			t.Skip("this kernel or sandbox refuses: ", err)
		}
	}
}

func TestAvailableMemory(t *testing.T) {
	n, ok := Available()
	if ok != (runtime.GOOS == "linux") {
		t.Errorf("ok = %v on %s", ok, runtime.GOOS)
	}
	if ok && n <= 0 {
		t.Errorf("Available() = %d", n)
	}
}
