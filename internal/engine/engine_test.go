package engine

import (
	"strings"
	"testing"

	"batchrnn/internal/option"
	"batchrnn/kernels"
)

func TestNewNamesWhatWasSet(t *testing.T) {
	t.Setenv(kernels.EnvISA, "mmx")
	for isa, name := range map[string]string{"": kernels.EnvISA, "sse": "ISA"} {
		_, err := New(isa, 1)
		if !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), name+": ") || strings.Count(err.Error(), kernels.EnvISA) > 1 {
			t.Errorf("set %q: error %v, want one about %s", isa, err, name)
		}
	}
}

func TestNewBlamesThreads(t *testing.T) {
	for _, isa := range []string{"", kernels.ISAs()[0]} {
		_, err := New(isa, kernels.MaxThreads+1)
		if !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Threads: ") {
			t.Errorf("set %q: error %v, want one about Threads", isa, err)
		}
	}
}

func TestCheckThreads(t *testing.T) {
	for n, ok := range map[int]bool{-1: false, 0: false, 1: true, kernels.MaxThreads: true, kernels.MaxThreads + 1: false} {
		if err := CheckThreads(n); (err == nil) != ok || err != nil && !option.IsMisuse(err) {
			t.Errorf("%d threads: error %v", n, err)
		}
	}
}
