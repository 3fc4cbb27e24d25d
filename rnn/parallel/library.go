//go:build linux && (amd64 || arm64) && !nompi

package parallel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// EnvLibrary is the environment variable that names the MPI library.
const EnvLibrary = "BATCHRNN_MPI"

// A library is an MPI library, opened without cgo. It is the link of an mpi.
type library struct {
	path string
	abi
	calls map[string]uintptr

	isend, irecv, testsome, getCount uintptr // of calls
	comm                             uintptr

	// Of the messages under way. Testsome takes the requests as an array of MPI_Request.
	messages []message
	requests []byte
	indices  []int32
	statuses []byte
	done     []ended

	args   []uintptr
	out    [2]int32 // results of calls
	handle uintptr
	text   [1 << 13]byte // the longest version text of MPICH has 8192 bytes
}

// An abi is what differs between libraries whose functions have the same names. Handles of
// Open MPI are addresses, those of MPICH and its family are int32.
type abi struct {
	openMPI                       bool
	world, byteType, errorsReturn uintptr
	request                       int // bytes of an MPI_Request
	status, statusError           int // bytes of an MPI_Status, and where MPI_ERROR lies in it
}

// mpich holds for MPICH from 3.1 on, Intel MPI, MVAPICH and others: mpich.org/abi.
var mpich = abi{
	world:        0x44000000,
	byteType:     0x4c00010d,
	errorsReturn: 0x54000001,
	request:      4,
	status:       20,
	statusError:  16,
}

const (
	threadFunneled = 1 // the thread that has called Init makes all calls
	undefined      = -32766
)

// names are the files where a library is, by family.
var names = struct{ openMPI, mpich []string }{
	[]string{"libmpi.so.40", "libmpi.so"},
	[]string{"libmpich.so.12", "libmpi.so.12", "libmpich.so"},
}

// openLibrary opens the library of the launcher.
func openLibrary() (*library, error) {
	launch, launched := Launched()
	try, install := names.mpich, "mpich"
	switch {
	case os.Getenv(EnvLibrary) != "":
		path := os.Getenv(EnvLibrary)
		lib, err := open(path)
		if err != nil {
			return nil, fmt.Errorf("parallel: %s: %w", EnvLibrary, err)
		}
		return lib, nil
	case !launched || launch.Launcher == slurm:
		try, install = append(append([]string{}, names.openMPI...), names.mpich...), "openmpi-bin or mpich"
	case launch.openMPI:
		try, install = names.openMPI, "openmpi-bin"
	}
	var last error
	for _, name := range try {
		lib, err := open(name)
		if err == nil {
			return lib, nil
		}
		if !errors.As(err, new(purego.Dlerror)) {
			return nil, fmt.Errorf("parallel: %w", err)
		}
		last = err
	}
	return nil, fmt.Errorf("parallel: no MPI library among %s (%w): install %s, or set %s to the path of the library", strings.Join(try, ", "), last, install, EnvLibrary)
}

// open opens a file and recognises its ABI.
func open(path string) (*library, error) {
	// Modules of Open MPI look for its symbols among the global ones.
	file, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, err
	}
	lib := &library{path: path, calls: map[string]uintptr{}}
	for _, name := range []string{
		"Init_thread", "Finalize", "Abort", "Get_library_version", "Error_string", "Comm_set_errhandler", "Comm_dup", "Comm_rank", "Comm_size",
		"Isend", "Irecv", "Testsome", "Get_count",
	} {
		fn, err := purego.Dlsym(file, "MPI_"+name)
		if err != nil {
			return nil, fmt.Errorf("%s is no MPI library: it has no MPI_%s", path, name)
		}
		lib.calls[name] = fn
	}
	lib.isend, lib.irecv, lib.testsome, lib.getCount = lib.calls["Isend"], lib.calls["Irecv"], lib.calls["Testsome"], lib.calls["Get_count"]

	if world, err := purego.Dlsym(file, "ompi_mpi_comm_world"); err == nil {
		byteType, err1 := purego.Dlsym(file, "ompi_mpi_byte")
		errorsReturn, err2 := purego.Dlsym(file, "ompi_mpi_errors_return")
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%s is an unknown Open MPI: it has no ompi_mpi_byte or no ompi_mpi_errors_return", path)
		}
		lib.abi = abi{openMPI: true, world: world, byteType: byteType, errorsReturn: errorsReturn, request: 8, status: 24, statusError: 8}
		return lib, nil
	}
	version := lib.version()
	for _, family := range []string{"MPICH", "MVAPICH", "Intel(R) MPI", "ParaStation"} {
		if strings.Contains(version, family) {
			lib.abi = mpich
			return lib, nil
		}
	}
	return nil, fmt.Errorf("%s is an unknown MPI library, %q: use Open MPI, MPICH or another one of MPICH's family", path, version)
}

// version is what the library says of itself.
func (l *library) version() string {
	l.call(l.calls["Get_library_version"], uintptr(unsafe.Pointer(&l.text)), uintptr(unsafe.Pointer(&l.out)))
	line, _, _ := strings.Cut(l.string(), "\n")
	return line
}

// string returns what a call has written to text.
func (l *library) string() string {
	text, _, _ := bytes.Cut(l.text[:], []byte{0})
	return strings.TrimSpace(string(text))
}

// call calls a function of the library, which returns an error code. Addresses must be of
// memory on the heap that something refers to.
func (l *library) call(fn uintptr, args ...uintptr) int32 {
	l.args = append(l.args[:0], args...) // SyscallN would allocate the arguments
	code, _, _ := purego.SyscallN(fn, l.args...)
	return int32(code)
}

func (l *library) error(what string, code int32) error {
	if code == 0 {
		return nil
	}
	clear(l.text[:])
	if l.call(l.calls["Error_string"], uintptr(code), uintptr(unsafe.Pointer(&l.text)), uintptr(unsafe.Pointer(&l.out))) != 0 {
		return fmt.Errorf("parallel: MPI_%s: error %d", what, code)
	}
	return fmt.Errorf("parallel: MPI_%s: %s", what, l.string())
}

// init starts MPI on this thread.
func (l *library) init() (rank, ranks int, err error) {
	code := l.call(l.calls["Init_thread"], 0, 0, threadFunneled, uintptr(unsafe.Pointer(&l.out)))
	if code != 0 {
		return 0, 0, l.error("Init_thread", code)
	}
	if provided := l.out[0]; provided < threadFunneled {
		l.finalize()
		return 0, 0, fmt.Errorf("parallel: %s, %s, can't be used by a program of several threads: it provides level %d of MPI_Init_thread, not %d: use a library built with threads", l.path, l.version(), provided, threadFunneled)
	}
	if err := l.error("Comm_dup", l.call(l.calls["Comm_dup"], l.world, uintptr(unsafe.Pointer(&l.handle)))); err != nil {
		return 0, 0, err
	}
	l.comm = l.handle
	if !l.openMPI {
		l.comm = uintptr(*(*uint32)(unsafe.Pointer(&l.handle)))
	}
	for _, comm := range []uintptr{l.world, l.comm} {
		if err := l.error("Comm_set_errhandler", l.call(l.calls["Comm_set_errhandler"], comm, l.errorsReturn)); err != nil {
			return 0, 0, err
		}
	}
	l.call(l.calls["Comm_rank"], l.comm, uintptr(unsafe.Pointer(&l.out)))
	l.call(l.calls["Comm_size"], l.comm, uintptr(unsafe.Pointer(&l.out[1])))
	rank, ranks = int(l.out[0]), int(l.out[1])
	if launch, ok := Launched(); ok && launch.Ranks != ranks {
		err = fmt.Errorf("parallel: %s has started %d ranks, but %s, %s, knows %d: set %s to the path of the library of that launcher",
			launch.Launcher, launch.Ranks, l.path, l.version(), ranks, EnvLibrary)
	}
	return rank, ranks, err
}

func (l *library) finalize() error { return l.error("Finalize", l.call(l.calls["Finalize"])) }

// abort ends all ranks. Open MPI returns from it in some cases.
func (l *library) abort(status int) {
	l.call(l.calls["Abort"], l.world, uintptr(status))
	os.Exit(status)
}

func (l *library) post(m message) error {
	n := len(l.messages)
	if (n+1)*l.request > len(l.requests) {
		size := max(64, 2*n)
		l.requests = append(make([]byte, 0, size*l.request), l.requests...)[:size*l.request]
		l.indices = make([]int32, size)
		l.statuses = make([]byte, size*l.status)
	}
	what, fn := "Isend", l.isend
	if m.recv {
		what, fn = "Irecv", l.irecv
	}
	code := l.call(fn, uintptr(unsafe.Pointer(unsafe.SliceData(m.data))), uintptr(len(m.data)), l.byteType, uintptr(m.peer), uintptr(m.tag), l.comm,
		uintptr(unsafe.Pointer(&l.requests[n*l.request])))
	if code != 0 {
		return l.error(what, code)
	}
	l.messages = append(l.messages, m)
	return nil
}

func (l *library) poll(m *machine) (bool, error) {
	if len(l.messages) == 0 {
		return false, nil
	}
	l.out[0] = 0 // Open MPI may fail at a truncated message without an answer
	code := l.call(l.testsome, uintptr(len(l.messages)), uintptr(unsafe.Pointer(&l.requests[0])), uintptr(unsafe.Pointer(&l.out)),
		uintptr(unsafe.Pointer(&l.indices[0])), uintptr(unsafe.Pointer(&l.statuses[0])))
	n := int(l.out[0])
	if code == 0 && (n == 0 || n == undefined) {
		return false, nil
	}
	l.done = l.done[:0]
	for i, at := range l.indices[:max(n, 0)] {
		status := l.statuses[i*l.status:][:l.status]
		msg := l.messages[at]
		l.messages[at].call = nil // it has ended
		if code != 0 {
			// The code says that the statuses have the errors.
			if e := int32(binary.NativeEndian.Uint32(status[l.statusError:])); e != 0 {
				err := l.error("Testsome", e)
				if msg.recv && strings.Contains(err.Error(), "truncated") { // in the texts of both families
					return false, fmt.Errorf("parallel: rank %d sent more bytes to rank %d than the %d that it waits for: all ranks must make the same calls", msg.peer, m.rank, len(msg.data))
				}
				return false, fmt.Errorf("parallel: a message between rank %d and rank %d: %w", m.rank, msg.peer, err)
			}
		}
		size := len(msg.data)
		if msg.recv {
			if code := l.call(l.getCount, uintptr(unsafe.Pointer(&status[0])), l.byteType, uintptr(unsafe.Pointer(&l.out[1]))); code != 0 {
				return false, l.error("Get_count", code)
			}
			size = int(l.out[1])
		}
		l.done = append(l.done, ended{msg, size})
	}
	if code != 0 {
		return false, fmt.Errorf("%w: a rank is lost, or has made other calls: all ranks must make the same calls", l.error("Testsome", code))
	}
	l.compact()
	for _, e := range l.done {
		m.ended(e.message, e.bytes)
	}
	return true, nil
}

// compact removes the messages that have ended.
func (l *library) compact() {
	n := 0
	for i, msg := range l.messages {
		if msg.call != nil {
			l.messages[n] = msg
			copy(l.requests[n*l.request:][:l.request], l.requests[i*l.request:])
			n++
		}
	}
	clear(l.messages[n:])
	l.messages = l.messages[:n]
}
