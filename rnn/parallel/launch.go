package parallel

import (
	"fmt"
	"os"
	"strconv"
)

// A Launch is what the program that started this process says of it.
type Launch struct {
	Launcher   string // who speaks, for people
	Rank       int    // of this process
	Ranks      int    // processes
	LocalRanks int    // processes on this machine, 0 if unknown
	openMPI    bool   // its library is Open MPI's; if not, one of MPICH's family
}

const slurm = "srun of Slurm"

// launchers names the variables of those that start processes. Slurm sets its own also
// for a script, which is one process: PMIX_RANK says that srun has started ranks.
var launchers = []struct {
	name               string
	rank, ranks, local string
	openMPI            bool
}{
	{"mpirun of Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", true},
	{"mpirun of MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE", false},
	{"mpirun of MPICH", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", false},
	{slurm, "PMIX_RANK", "SLURM_STEP_NUM_TASKS", "", true},
}

// Launched returns what mpirun or another launcher has said in the environment. ok is false
// if this process was started without one. It needs no library.
func Launched() (l Launch, ok bool) {
	for _, v := range launchers {
		rank, err1 := strconv.Atoi(os.Getenv(v.rank))
		ranks, err2 := strconv.Atoi(os.Getenv(v.ranks))
		if err1 != nil || err2 != nil || rank < 0 || rank >= ranks {
			continue
		}
		local, err := strconv.Atoi(os.Getenv(v.local))
		if err != nil || local < 0 || local > ranks {
			local = 0
		}
		return Launch{v.name, rank, ranks, local, v.openMPI}, true
	}
	return Launch{}, false
}

// Start returns the reducer of this process: MPI under mpirun, and one of a single rank
// without.
func Start() (Reducer, error) {
	if _, ok := Launched(); ok {
		return MPI()
	}
	return Local(1)[0], nil
}

// tellLauncher tells the mpirun of MPICH to end the processes of all ranks. When one ends
// before it has opened MPI, the others wait for it without end. Other launchers need no word.
func tellLauncher(status int) {
	if fd, err := strconv.Atoi(os.Getenv("PMI_FD")); err == nil && fd >= 0 {
		fmt.Fprintf(os.NewFile(uintptr(fd), "PMI"), "cmd=abort exitcode=%d\n", status)
	}
}
