package kernels

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"batchrnn/asm"
)

// EnvISA is the environment variable that forces the instruction set of engines made
// with an empty name.
const EnvISA = "BATCHRNN_ISA"

// MaxThreads is the maximum number of workers of an engine.
const MaxThreads = 1024

// An Engine runs kernels of one instruction set on several workers. It decides for each
// region, and again at each barrier, how many of them take part: see [Engine.Run].
// Results do not depend on that number.
//
// Several goroutines may use an engine at once. The workers serve one of them at a
// time; the others compute alone.
type Engine struct {
	serial
	pool *pool
}

// New returns an engine for the named instruction set: "generic", "avx2", "avx512" or
// "avx512vnni". The last differs from the one before it in products of int8. An empty
// name takes BATCHRNN_ISA. If that is not set either, it takes the fastest set of this
// machine.
//
// threads is the maximum number of workers of a region, up to MaxThreads. 0 or less
// means GOMAXPROCS. It means fewer if the process may run on fewer processors, or has a
// quota of processor time.
//
// New returns an error if the machine lacks the set, or if threads is above MaxThreads.
//
// [Engine.Close] stops the workers. So does the garbage collector, some time after the
// last reference to the engine is gone.
func New(isa string, threads int) (*Engine, error) {
	name, source := isa, ""
	if name == "" {
		name, source = os.Getenv(EnvISA), EnvISA+": "
	}
	set, err := find(name)
	if err != nil {
		return nil, fmt.Errorf("%s%w", source, err)
	}
	if threads > MaxThreads {
		return nil, fmt.Errorf("%d threads: an engine has at most %d", threads, MaxThreads)
	}
	if threads <= 0 {
		threads = min(processors(), quota(""), MaxThreads)
	}
	return newEngine(set, threads), nil
}

func newEngine(set *asm.Set, threads int) *Engine {
	e := &Engine{serial{set}, newPool(set, threads)}
	// The helpers refer to the pool and not to the engine. So the engine can be
	// collected while they wait.
	runtime.AddCleanup(e, (*pool).close, e.pool)
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

// FloatISAs returns the names of the instruction sets that differ in their arithmetic on
// float32 and float64, slowest first. Of two that differ in int8 alone it has the faster.
func FloatISAs() []string {
	return slices.DeleteFunc(ISAs(), func(isa string) bool {
		return isa == "avx512" && slices.Contains(ISAs(), "avx512vnni")
	})
}

// Threads returns the maximum number of workers of a region.
func (e *Engine) Threads() int { return len(e.pool.workers) }

// Processors returns how many workers can run at once at present. That is Threads, or
// fewer if GOMAXPROCS or the affinity mask allows fewer.
func (e *Engine) Processors() int {
	if e.pool.force != nil {
		return e.Threads()
	}
	return min(e.Threads(), processors())
}

// Close stops the engine's workers. It may be called from any goroutine, and more than
// once. A region that runs during the call is finished. Later calls of Run, Gemm and
// GemmPlain panic.
func (e *Engine) Close() { e.pool.close() }
