package kernels

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"batchrnn/asm"
)

// EnvISA is the environment variable that forces the instruction set of
// engines made with an empty name.
const EnvISA = "BATCHRNN_ISA"

// An Engine runs kernels of one instruction set on a fixed number of threads.
// It may be used by several goroutines at once: the pool serves one of them,
// the others work alone meanwhile, with the same results.
type Engine struct {
	set  *asm.Set
	pool *pool

	mu   sync.Mutex
	solo []*Worker // idle workers of callers that work alone
}

// New returns an engine for the named instruction set: "generic", "avx2" or
// "avx512"; an empty name takes BATCHRNN_ISA or else the fastest that this
// machine has. threads <= 0 means GOMAXPROCS. [Engine.Close] stops its workers.
func New(isa string, threads int) (*Engine, error) {
	name, source := isa, ""
	if name == "" {
		name, source = os.Getenv(EnvISA), EnvISA+": "
	}
	set, err := find(name)
	if err != nil {
		return nil, fmt.Errorf("%s%w", source, err)
	}
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return newEngine(set, threads), nil
}

func newEngine(set *asm.Set, threads int) *Engine {
	e := &Engine{set: set}
	e.pool = newPool(e, threads)
	return e
}

func find(name string) (*asm.Set, error) {
	sets := asm.Sets()
	if name == "" {
		return sets[len(sets)-1], nil
	}
	for _, s := range sets {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("instruction set %q is not available; this machine has %s", name, strings.Join(ISAs(), ", "))
}

// ISAs returns the names of the instruction sets that this machine can run,
// slowest first.
func ISAs() []string {
	var names []string
	for _, s := range asm.Sets() {
		names = append(names, s.Name)
	}
	return names
}

// ISA returns the name of the engine's instruction set.
func (e *Engine) ISA() string { return e.set.Name }

// Threads returns the number of workers that a region may use.
func (e *Engine) Threads() int { return len(e.pool.workers) }

// Close stops the engine's workers. The engine must be idle and not used again.
func (e *Engine) Close() { e.pool.close() }
