//go:build linux && (amd64 || arm64) && !nompi

package parallel

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the program that mpirun starts: see scenarios.
func TestMain(m *testing.M) {
	if name := os.Getenv("PARALLEL_SCENARIO"); name != "" {
		scenario, ok := scenarios[name]
		if !ok {
			fmt.Println("no scenario", name)
			os.Exit(3)
		}
		if err := scenario(); err != nil {
			fmt.Println("scenario failed:", err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// launcherNames are the libraries that the tests run, by their mpirun.
var launcherNames = []string{"mpirun.openmpi", "mpirun.mpich"}

// eachLibrary runs f with each mpirun that is installed.
func eachLibrary(t *testing.T, f func(t *testing.T, mpirun string)) {
	for _, name := range launcherNames {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				if os.Getenv("BATCHRNN_REQUIRE_MPI") != "" {
					t.Fatalf("%s is not installed, and BATCHRNN_REQUIRE_MPI is set", name)
				}
				t.Skipf("%s is not installed: MPI is not tested with it (apt-get install openmpi-bin mpich)", name)
			}
			t.Parallel()
			f(t, name)
		})
	}
}

// mpirun makes a command that runs a scenario in n ranks.
func mpirun(t testing.TB, launcher string, n int, scenario string, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-np", fmt.Sprint(n)}
	if launcher == "mpirun.openmpi" {
		args = append(args, "--oversubscribe")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, launcher, append(args, exe)...)
	cmd.Env = append(os.Environ(), "PARALLEL_SCENARIO="+scenario, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
	cmd.Env = append(cmd.Env, env...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

var scenarios = map[string]func() error{
	"exercise": func() error {
		r, err := Start()
		if err != nil {
			return err
		}
		if p := os.Getenv("PARALLEL_PIECES"); p != "" {
			fmt.Sscan(p, &r.(*mpi).pieces)
		}
		if err := exercise(r); err != nil {
			return fmt.Errorf("rank %d: %w", r.Rank(), err)
		}
		if err := steady(r); err != nil {
			return err
		}
		sum, err := trained(r)
		if err != nil {
			return err
		}
		fmt.Printf("rank %d of %d trained %s\n", r.Rank(), r.Ranks(), sum)
		return r.Close()
	},
}

// trained trains and returns a checksum of the model and its losses.
func trained(r Reducer) (string, error) {
	params, losses, err := train(r, nets["embedding"], false, true)
	sum := sha256.New()
	fmt.Fprint(sum, losses)
	sum.Write(bytesOf(params))
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

func init() {
	scenarios["signals"] = signals
	scenarios["killed"] = killed
	scenarios["big"] = func() error {
		r, err := Start()
		if err != nil {
			return err
		}
		x := make([]float32, 10<<20)
		for i := range x {
			x[i] = float32(i%1000 + r.Rank())
		}
		r.Sum(x)
		b := bytes.Repeat([]byte{byte(r.Rank())}, gatherPiece+r.Rank())
		all, err := r.Gather(b)
		if err != nil {
			return err
		}
		if err := r.Wait(); err != nil {
			return err
		}
		for i, v := range x {
			if v != float32(2*(i%1000)+1) {
				return fmt.Errorf("element %d is %v", i, v)
			}
		}
		for rank, b := range all {
			if len(b) != gatherPiece+rank || bytes.Count(b, []byte{byte(rank)}) != len(b) {
				return fmt.Errorf("part %d has %d bytes, or other ones", rank, len(b))
			}
		}
		return r.Close()
	}
	scenarios["loop"] = func() error {
		r, err := Start()
		if err != nil {
			return err
		}
		var size, n int
		fmt.Sscan(os.Getenv("PARALLEL_LOOP"), &size, &n)
		x := make([]float32, size)
		if err := loopSums(r, x, 3); err != nil { // the first ones make buffers and connections
			return err
		}
		begun := time.Now()
		if err := loopSums(r, x, n); err != nil {
			return err
		}
		if r.Rank() == 0 {
			fmt.Println(time.Since(begun).Nanoseconds())
		}
		return r.Close()
	}
	scenarios["abort"] = func() error {
		r, err := MPI()
		if err != nil {
			return err
		}
		if r.Rank() == 1 {
			Abort(7)
		}
		r.Gather(nil)
		return fmt.Errorf("rank %d goes on", r.Rank())
	}
	scenarios["abort in a call"] = func() error {
		r, err := MPI()
		if err != nil {
			return err
		}
		if r.Rank() == 1 {
			time.AfterFunc(100*time.Millisecond, func() { Abort(7) })
		}
		if r.Rank() != 0 {
			r.Gather(nil)
			return fmt.Errorf("rank %d goes on", r.Rank())
		}
		time.Sleep(time.Minute)
		return nil
	}
	scenarios["open"] = func() error {
		r, err := Start()
		if err != nil {
			return err
		}
		if runtime.GOMAXPROCS(0) == 1 {
			return errors.New("one processor for the caller and for the goroutine of MPI")
		}
		if _, err := MPI(); err == nil {
			return errors.New("MPI opens twice")
		}
		if err := r.Close(); err != nil {
			return err
		}
		if err := r.Close(); err != nil {
			return err
		}
		r.Sum(nil)
		if _, err := r.Gather(nil); err == nil || r.Wait() == nil {
			return errors.New("calls after Close have no error")
		}
		Abort(6)
		return nil
	}
	scenarios["abort while opening"] = func() error {
		time.AfterFunc(100*time.Millisecond, func() { Abort(6) })
		_, err := MPI()
		return err
	}
	scenarios["longer"] = func() error {
		r, err := Start()
		if err != nil {
			return err
		}
		r.Sum(make([]float32, 3+1000*r.Rank()))
		if err := r.Wait(); err == nil {
			return errors.New("no error")
		} else {
			fmt.Println(err)
		}
		return othersCome(r)
	}
	scenarios["mistake"] = func() error {
		r, err := Start()
		if err != nil {
			return err
		}
		// All ranks see that rank 1 makes another call.
		if r.Rank() == 1 {
			err = r.Close()
		} else {
			r.Sum(make([]float32, 3))
			err = r.Wait()
		}
		if err == nil {
			return errors.New("no error")
		}
		if r.Close() == nil && r.Rank() != 1 {
			return errors.New("Close has no error after one")
		}
		fmt.Println(err)
		return othersCome(r)
	}
}

// othersCome waits until all ranks have called it: the end of one ends the others. The
// ranks meet in a folder, because the reducer has failed.
func othersCome(r Reducer) error {
	dir := os.Getenv("PARALLEL_LOG")
	if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, r.Rank()), nil, 0o666); err != nil {
		return err
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if files, err := os.ReadDir(dir); err != nil || len(files) == r.Ranks() {
			time.Sleep(100 * time.Millisecond) // they see the same
			return err
		}
	}
	return errors.New("the others don't come")
}

func TestMPIAbort(t *testing.T) {
	eachLibrary(t, func(t *testing.T, launcher string) {
		for _, scenario := range []string{"abort", "abort in a call"} {
			out, err := mpirun(t, launcher, 3, scenario).CombinedOutput()
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 7 {
				t.Errorf("%s: %v, want status 7\n%s", scenario, err, out)
			}
		}
		out, err := mpirun(t, launcher, 1, "open", "GOMAXPROCS=1").CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 6 {
			t.Errorf("open: %v, want status 6\n%s", err, out)
		}
		for _, scenario := range []string{"mistake", "longer"} {
			out, _ = mpirun(t, launcher, 3, scenario, "PARALLEL_LOG="+t.TempDir()).CombinedOutput()
			if n := strings.Count(string(out), "during a call of rank") + strings.Count(string(out), "same calls"); n != 3 {
				t.Errorf("%s: %d errors, want 3\n%s", scenario, n, out)
			}
		}
	})
}

// What is no library, or an unknown one, is named with the remedy.
func TestMPILibraries(t *testing.T) {
	run := func(env ...string) string {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), "PARALLEL_SCENARIO=open", "OMPI_COMM_WORLD_SIZE=2", "OMPI_COMM_WORLD_RANK=0")
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%q: status 0", env)
		}
		return string(out)
	}
	check := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in %s", w, out)
			}
		}
	}
	dir := t.TempDir()
	check(run(EnvLibrary+"="+dir+"/none.so"), EnvLibrary, dir+"/none.so", "No such file")
	if _, err := exec.LookPath("mpirun.openmpi"); err != nil {
		check(run(), "libmpi.so.40", "openmpi-bin", EnvLibrary)
	}
	check(run(EnvLibrary+"=libc.so.6"), "libc.so.6 is no MPI library", "MPI_Init_thread")

	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("libraries that don't do are not tested: there is no C compiler")
	}
	build := func(name, version string, level int) string {
		path := dir + "/" + name + ".so"
		cmd := exec.CommandContext(t.Context(), cc, "-shared", "-fPIC", "-o", path, "-x", "c", "-")
		cmd.Stdin = strings.NewReader(fmt.Sprintf(`
#include <string.h>
#include <unistd.h>
int MPI_Init_thread(void *a, void *b, int want, int *got) { *got = %d; if (*got > 3) sleep(60); return 0; }
int MPI_Finalize() { return 0; }
int MPI_Abort(int c, int e) { return 0; }
int MPI_Get_library_version(char *s, int *n) { strcpy(s, "%s"); return 0; }
int MPI_Error_string(int e, char *s, int *n) { strcpy(s, "broken"); return 0; }
int MPI_Comm_set_errhandler(int c, int h) { return 0; }
int MPI_Comm_dup(int c, int *n) { *n = c; return 0; }
int MPI_Comm_rank(int c, int *n) { *n = 0; return 0; }
int MPI_Comm_size(int c, int *n) { *n = 1; return 0; }
int MPI_Isend() { return 0; }
int MPI_Irecv() { return 0; }
int MPI_Testsome() { return 0; }
int MPI_Get_count() { return 0; }
`, level, version))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return path
	}
	unknown := build("unknown", "Some MPI 1.2", 3)
	check(run(EnvLibrary+"="+unknown), unknown, "unknown MPI library", "Some MPI 1.2")
	single := build("single", "MPICH Version: 1", 0)
	check(run(EnvLibrary+"="+single), single, "provides level 0 of MPI_Init_thread")
	alone := build("alone", "MPICH Version: 2", 1)
	check(run(EnvLibrary+"="+alone), alone, "has started 2 ranks", "knows 1", EnvLibrary)

	// One that waits for a rank that never comes.
	stuck := build("stuck", "MPICH Version: 3", 4)
	begun := time.Now()
	run(EnvLibrary+"="+stuck, "PARALLEL_SCENARIO=abort while opening")
	if d := time.Since(begun); d > 30*time.Second {
		t.Errorf("Abort while MPI opens takes %v", d)
	}
}

func TestLaunched(t *testing.T) {
	for _, l := range launchers {
		for _, name := range []string{l.rank, l.ranks, l.local} {
			if name != "" {
				t.Setenv(name, "")
			}
		}
	}
	if l, ok := Launched(); ok {
		t.Errorf("launched by %+v, want none", l)
	}
	r, err := Start()
	if err != nil || r.Ranks() != 1 {
		t.Errorf("Start without a launcher: %v, %v", r, err)
	}
	t.Setenv("SLURM_STEP_NUM_TASKS", "1") // of a script
	if l, ok := Launched(); ok {
		t.Errorf("launched by %+v, want none", l)
	}
	t.Setenv("PMI_SIZE", "4")
	t.Setenv("PMI_RANK", "4")
	if l, ok := Launched(); ok {
		t.Errorf("launched by %+v, want none", l)
	}
	t.Setenv("PMI_RANK", "3")
	t.Setenv("MPI_LOCALNRANKS", "2")
	if l, ok := Launched(); !ok || l.Rank != 3 || l.Ranks != 4 || l.LocalRanks != 2 || l.openMPI {
		t.Errorf("launched by %+v, %v", l, ok)
	}
	t.Setenv("OMPI_COMM_WORLD_SIZE", "8")
	t.Setenv("OMPI_COMM_WORLD_RANK", "7")
	t.Setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "x")
	if l, ok := Launched(); !ok || l.Rank != 7 || l.Ranks != 8 || l.LocalRanks != 0 || !l.openMPI {
		t.Errorf("launched by %+v, %v", l, ok)
	}
}

// signals checks that signals do in a program with MPI what they do without.
func signals() error {
	r, err := MPI()
	if err != nil {
		return err
	}
	faults := map[string]func(){
		"nil pointer": func() { var p *[1 << 10]int; p[5]++ },
		"division":    func() { zero := len(os.Getenv("PARALLEL_NOTHING")); fmt.Println(1 / zero) },
	}
	for what, f := range faults {
		err := make(chan any)
		go func() { // on any thread
			defer func() { err <- recover() }()
			f()
		}()
		if <-err == nil {
			return fmt.Errorf("rank %d: %s: no panic", r.Rank(), what)
		}
	}

	// While the ranks add, the collector runs and goroutines without calls are stopped.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				for i := range 1 << 22 {
					n ^= i
				}
			}
		}
	})
	if err := pprof.StartCPUProfile(io.Discard); err != nil { // SIGPROF
		return err
	}
	got := make(chan os.Signal, 1)
	sent := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE}
	for _, sig := range sent {
		signal.Notify(got, sig)
	}
	// To each thread, of Go and of the library.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	r.Sum(make([]float32, 1<<20))
	for _, thread := range threads {
		for _, sig := range sent {
			tid, _ := strconv.Atoi(thread.Name())
			if syscall.Tgkill(os.Getpid(), tid, sig) != nil {
				continue // it has ended
			}
			select {
			case s := <-got:
				if s != sig {
					return fmt.Errorf("rank %d: thread %d: %v arrived, not %v", r.Rank(), tid, s, sig)
				}
			case <-time.After(10 * time.Second):
				return fmt.Errorf("rank %d: thread %d: %v did not arrive", r.Rank(), tid, sig)
			}
		}
	}
	if err := r.Wait(); err != nil {
		return err
	}
	if err := exercise(r); err != nil {
		return err
	}
	pprof.StopCPUProfile()
	close(stop)
	wg.Wait()
	fmt.Printf("rank %d has had its signals in %d threads\n", r.Rank(), len(threads))
	return r.Close()
}

// killed sums until something fails, and tells it.
func killed() error {
	r, err := MPI()
	if err != nil {
		return err
	}
	fmt.Printf("rank %d is process %d\n", r.Rank(), os.Getpid())
	x := make([]float32, 1000)
	for {
		r.Sum(x)
		if err := r.Wait(); err != nil {
			// What reads the output may have ended.
			os.WriteFile(fmt.Sprintf("%s/%d", os.Getenv("PARALLEL_LOG"), r.Rank()), []byte(err.Error()), 0o666)
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func TestMPISignals(t *testing.T) {
	eachLibrary(t, func(t *testing.T, launcher string) {
		out, err := mpirun(t, launcher, 2, "signals").CombinedOutput()
		if err != nil || strings.Count(string(out), "has had its signals") != 2 {
			t.Errorf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
	})
}

// Of a rank or of the launcher, SIGKILL ends all.
func TestMPIKilled(t *testing.T) {
	const n = 3
	eachLibrary(t, func(t *testing.T, launcher string) {
		for _, victim := range []string{"rank", "parent"} {
			dir := t.TempDir()
			cmd := mpirun(t, launcher, n, "killed", "PARALLEL_LOG="+dir)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			var ranks []int
			for len(ranks) < n && lines.Scan() {
				var rank, pid int
				if k, _ := fmt.Sscanf(lines.Text(), "rank %d is process %d", &rank, &pid); k == 2 {
					ranks = append(ranks, pid)
				}
			}
			if len(ranks) < n {
				t.Fatalf("%d ranks have started, want %d", len(ranks), n)
			}
			pid := ranks[1]
			if victim == "parent" {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
				if err != nil {
					t.Fatal(err)
				}
				fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
				pid, _ = strconv.Atoi(fields[1])
			}
			killed := time.Now()
			syscall.Kill(pid, syscall.SIGKILL)
			go io.Copy(io.Discard, out)
			for _, pid := range ranks {
				for running(pid) {
					if time.Since(killed) > 30*time.Second {
						t.Fatalf("%s killed: process %d still runs", victim, pid)
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
			t.Logf("%s killed: the ranks have ended after %v", victim, time.Since(killed).Round(time.Millisecond))
			if err := cmd.Wait(); err == nil {
				t.Errorf("%s killed: %s has status 0", victim, launcher)
			}
			for rank := range n {
				if log, err := os.ReadFile(fmt.Sprintf("%s/%d", dir, rank)); err == nil {
					t.Logf("rank %d: %s", rank, log)
				}
			}
		}
	})
}

// running says whether a process runs: it exists, and is no zombie.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return fields[0] != "Z"
}

// Sums and gathers are what they should be, and any number of ranks trains the same model.
func TestMPI(t *testing.T) {
	want, err := trained(Local(1)[0])
	if err != nil {
		t.Fatal(err)
	}
	eachLibrary(t, func(t *testing.T, launcher string) {
		for _, n := range []int{1, 2, 4, 8} {
			env := "PARALLEL_PIECES=" + fmt.Sprint(maxMessage)
			if n == 4 {
				env = "PARALLEL_PIECES=1000"
			}
			out, err := mpirun(t, launcher, n, "exercise", env).CombinedOutput()
			if err != nil {
				t.Fatalf("%d ranks: %v\n%s", n, err, out)
			}
			for rank := range n {
				if want := fmt.Sprintf("rank %d of %d trained %s\n", rank, n, want); !strings.Contains(string(out), want) {
					t.Errorf("%d ranks: no %q in\n%s", n, want, out)
				}
			}
		}
		if out, err := mpirun(t, launcher, 2, "big").CombinedOutput(); err != nil {
			t.Errorf("big: %v\n%s", err, out)
		}
	})
}

// BenchmarkMPI is Sum between two ranks. The start of the ranks, which takes a second, is
// left out: for each start there are several sums.
func BenchmarkMPI(b *testing.B) {
	const several = 50
	for _, launcher := range launcherNames {
		for _, size := range sumSizes {
			b.Run(fmt.Sprintf("%s/%d_KB", launcher, size*4>>10), func(b *testing.B) {
				if _, err := exec.LookPath(launcher); err != nil {
					b.Skipf("%s is not installed", launcher)
				}
				out, err := mpirun(b, launcher, 2, "loop", fmt.Sprintf("PARALLEL_LOOP=%d %d", size, several*b.N)).Output()
				if err != nil {
					b.Fatal(err)
				}
				ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
				if err != nil {
					b.Fatal(err)
				}
				ns /= float64(several * b.N)
				b.ReportMetric(ns, "ns/op")
				b.ReportMetric(4e3*float64(size)/ns, "MB/s")
			})
		}
	}
}
