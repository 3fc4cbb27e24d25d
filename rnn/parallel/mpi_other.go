//go:build !(linux && (amd64 || arm64)) || nompi

package parallel

import (
	"fmt"
	"os"
	"runtime"
)

// MPI opens the MPI library of the program that started this process and returns the
// reducer of its rank. It is supported on Linux, on amd64 and arm64, without the build tag
// nompi; elsewhere it returns an error.
func MPI() (Reducer, error) {
	return nil, fmt.Errorf("parallel: MPI is not supported by this build for %s/%s: start the program without mpirun", runtime.GOOS, runtime.GOARCH)
}

// Abort ends this process with an exit status. It tells the launcher, if that listens, to
// end those of all ranks.
func Abort(status int) {
	tellLauncher(status)
	os.Exit(status)
}
