//go:build linux && (amd64 || arm64) && !nompi

package parallel

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// MPI opens the MPI library of the program that started this process and returns the
// reducer of its rank. All ranks must call it, once.
//
// The goroutine that makes the calls of the library needs a processor beside that of the
// caller: with GOMAXPROCS=1 it would wait for one for 10 ms, while the other ranks wait for
// it. So MPI sets 1 to 2. Open MPI binds each of two processes to one core, and Go then
// begins with 1: a training of H = 512, B = 64 lost a fifth (bench/RESULTS.md, Ranks).
//
// It returns an error if it finds no library that it knows. The environment variable
// BATCHRNN_MPI names another one. It also returns an error if the library does not allow
// threads, or if it has another number of ranks than the launcher has said.
func MPI() (Reducer, error) {
	if world.begun.Swap(true) {
		return nil, errors.New("parallel: MPI has been called before: a process opens it once")
	}
	handlers := signalHandlers()
	lib, err := openLibrary()
	handlers.restore()
	if err != nil {
		return nil, err
	}
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
	r := &mpi{lib: lib, orders: make(chan order, 64), answers: make(chan answer), done: make(chan struct{})}
	go r.serve()
	if a := <-r.answers; a.err != nil {
		return nil, a.err
	}
	world.mpi.Store(r)
	return r, nil
}

// Abort ends the processes of all ranks with an exit status, this one too. It is for an
// error of one rank that the others can't learn of. Before [MPI] has returned it tells the
// launcher, if that listens, and ends this process.
func Abort(status int) {
	if r := world.mpi.Load(); r != nil {
		// The thread of MPI may be busy, or gone.
		end := time.After(5 * time.Second)
		select {
		case r.orders <- order{kind: orderAbort, status: status}:
		case <-end:
		}
		select {
		case <-r.done:
		case <-end:
		}
	}
	tellLauncher(status)
	os.Exit(status)
}

// world is the MPI of this process. What the library may still write to stays referenced.
var world struct {
	begun atomic.Bool
	mpi   atomic.Pointer[mpi] // nil until it is open
}

// An mpi is the reducer of MPI. One goroutine, serve, makes all calls of the library and
// stays on its thread. The others give it orders.
type mpi struct {
	machine // of serve, but for rank and ranks
	lib     *library
	orders  chan order // with room: Sum does not wait for serve
	answers chan answer
	done    chan struct{} // closed when serve has ended
	closed  bool          // of the caller

	// Of serve.
	asked    bool // the order in asks waits for an answer, due when no call is under way
	asks     order
	gathers  *call
	progress time.Time // when a message was begun or ended
	pause    syscall.Timespec
	parent   int
	looked   time.Time // at the parent
}

type order struct {
	kind   orderKind
	x      []float32
	width  int
	rows   []int32
	own    []byte
	status int
}

type orderKind int

const (
	orderSum orderKind = iota
	orderRows
	orderAbort
	// These ask for an answer.
	orderWait
	orderGather
	orderClose
)

type answer struct {
	all [][]byte
	err error
}

func (r *mpi) Rank() int  { return r.rank }
func (r *mpi) Ranks() int { return r.ranks }

func (r *mpi) Sum(x []float32) { r.order(order{kind: orderSum, x: x}) }

func (r *mpi) SumRows(table []float32, width int, rows []int32) {
	r.order(order{kind: orderRows, x: table, width: width, rows: rows})
}

func (r *mpi) Wait() error { return r.ask(order{kind: orderWait}).err }

func (r *mpi) Gather(own []byte) ([][]byte, error) {
	a := r.ask(order{kind: orderGather, own: own})
	return a.all, a.err
}

// Close waits for Close of the other ranks. After an error of another call it does not:
// then it returns that error, and mpirun ends the other ranks when this process ends.
func (r *mpi) Close() error {
	if r.closed {
		return nil
	}
	a := r.ask(order{kind: orderClose})
	r.closed = true
	return a.err
}

func (r *mpi) order(o order) {
	if !r.closed {
		r.orders <- o
	}
}

func (r *mpi) ask(o order) answer {
	if r.closed {
		return answer{err: errors.New("parallel: MPI is closed")}
	}
	r.orders <- o
	return <-r.answers
}

// serve makes all calls of the library.
func (r *mpi) serve() {
	defer close(r.done)
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	r.parent = os.Getppid()
	handlers := signalHandlers()
	rank, ranks, err := r.lib.init()
	handlers.restore()
	if err == nil {
		r.machine = newMachine(rank, ranks, r.lib)
	}
	r.answers <- answer{err: err}
	if err != nil {
		return
	}
	for {
		idle := r.under == 0 || r.err != nil
		if r.asked && idle {
			a, last := r.reply()
			r.asked = false
			r.answers <- a
			if last {
				return
			}
			continue
		}
		if idle {
			r.obey(<-r.orders)
			continue
		}
		select {
		case o := <-r.orders:
			r.obey(o)
		default:
			r.step()
		}
	}
}

func (r *mpi) obey(o order) {
	switch o.kind {
	case orderSum:
		r.sum(o.x)
	case orderRows:
		r.sumRows(o.x, o.width, o.rows)
	case orderGather:
		r.gathers = r.gather(o.own)
	case orderClose:
		r.barrier()
	case orderAbort:
		r.lib.abort(o.status)
	}
	if o.kind >= orderWait {
		r.asked, r.asks = true, o
	}
	r.progress = time.Now()
}

// reply returns the answer to an order, and whether it was the last one.
func (r *mpi) reply() (a answer, last bool) {
	a.err, last = r.err, r.asks.kind == orderClose
	if c := r.gathers; c != nil {
		a.all, c.all, r.gathers = c.all, nil, nil
	}
	if a.err != nil {
		a.all = nil
	} else if last {
		a.err = r.lib.finalize()
	}
	r.asks = order{}
	return a, last
}

const (
	// For so long after a message the thread looks for the next one without a pause: while
	// the caller works on, and while it waits.
	spinWorking = 10 * time.Microsecond
	spinWaiting = 50 * time.Microsecond

	// A call of the library that takes longer has moved a part of a message.
	busy = 10 * time.Microsecond
)

// step looks for messages that have ended. If there is none, it gives the processor away
// for a while: ranks may be more than cores, and a backward pass may be under way.
func (r *mpi) step() {
	begun := time.Now()
	any, err := r.lib.poll(&r.machine)
	if err != nil {
		r.fail(err)
	}
	now := time.Now()
	if any || now.Sub(begun) > busy {
		r.progress = now
		return
	}
	idle := now.Sub(r.progress)
	if idle < spinWorking || r.asked && idle < spinWaiting {
		return
	}
	r.pause = syscall.NsecToTimespec(int64(min(max(idle/8, 50*time.Microsecond), time.Millisecond)))
	syscall.Nanosleep(&r.pause, nil)

	// Messages of a rank that mpirun has lost never end. If mpirun itself has ended, the
	// parent of this process is another one.
	if now.Sub(r.looked) > 100*time.Millisecond {
		r.looked = now
		if os.Getppid() != r.parent {
			r.fail(errors.New("parallel: the process that started this rank has ended"))
		}
	}
}
