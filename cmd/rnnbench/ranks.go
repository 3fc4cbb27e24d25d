package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/rnn/parallel"
)

// launched returns what mpirun has said of this process, in one of one process without it.
func launched() parallel.Launch {
	l, ok := parallel.Launched()
	if !ok {
		l.Ranks = 1
	}
	l.LocalRanks = max(l.LocalRanks, 1)
	return l
}

// threads returns how many threads each of the ranks of a machine of so many CPUs has by
// default. A rank may run on own of the CPUs, and on quota at a time.
func threads(ranks, cpus, own, quota int) int {
	n := min(own, max(cpus, own)/ranks)
	if quota < own { // of all ranks in a container
		n = min(n, quota/ranks)
	}
	return max(n, 1)
}

// defaultThreads returns the default of --threads.
func defaultThreads(l parallel.Launch) int {
	if l.LocalRanks == 1 || os.Getenv("GOMAXPROCS") != "" { // which says it for each process
		return cores()
	}
	return threads(l.LocalRanks, onlineCPUs(), runtime.NumCPU(), runtime.GOMAXPROCS(0))
}

// onlineCPUs returns the number of CPUs of the machine, 0 if it is not known.
func onlineCPUs() int {
	list, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return 0
	}
	n := 0
	for part := range strings.SplitSeq(strings.TrimSpace(string(list)), ",") {
		lo, hi, several := strings.Cut(part, "-")
		a, err := strconv.Atoi(lo)
		if err != nil {
			return 0
		}
		b := a
		if several {
			if b, err = strconv.Atoi(hi); err != nil {
				return 0
			}
		}
		n += b - a + 1
	}
	return n
}

// ownErrorAfter is how long another rank than 0 waits before it tells of an error. Rank 0
// most often has the same, and ends all.
const ownErrorAfter = 3 * time.Second

// passOn is how long mpirun has for the last lines of standard error before it ends all.
const passOn = 200 * time.Millisecond

// An ownError is one that the other ranks may not have.
type ownError struct{ error }

func (e *ownError) Unwrap() error { return e.error }

// isOwn reports whether err may be that of this rank alone.
func isOwn(err error) bool {
	_, ok := errors.AsType[*ownError](err)
	return ok || lm.IsLost(err)
}

// abort ends the processes of all ranks with an exit status.
func abort(status int) {
	time.Sleep(passOn)
	parallel.Abort(status)
}

// reducer opens MPI where mpirun has started several processes, and returns nil elsewhere.
// The program closes it.
func (env *environment) reducer() (parallel.Reducer, error) {
	if env.launch.Ranks == 1 {
		return nil, nil
	}
	r, err := parallel.MPI()
	if err != nil {
		return nil, &ownError{fmt.Errorf("%d processes of %s: %w", env.launch.Ranks, env.launch.Launcher, err)}
	}
	env.ranks = r
	return r, nil
}
