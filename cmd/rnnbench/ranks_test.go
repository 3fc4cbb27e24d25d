package main

import (
	"os"
	"strings"
	"testing"
)

// TestThreadsOfRanks: ranks share the CPUs that they may run on.
func TestThreadsOfRanks(t *testing.T) {
	for _, test := range []struct{ ranks, cpus, own, quota, want int }{
		{1, 64, 64, 64, 64},
		{2, 64, 64, 64, 32},
		{4, 64, 32, 32, 16},  // bound to one of two sockets
		{2, 64, 1, 1, 1},     // bound to a core
		{2, 64, 2, 2, 2},     // to a core of two threads
		{8, 2, 2, 2, 1},      // more ranks than CPUs
		{2, 64, 64, 8, 4},    // in a container
		{2, 0, 4, 4, 2},      // on a system that doesn't tell its CPUs
		{3, 64, 64, 64, 21},  //
		{16, 64, 64, 8, 1},   // in a container of fewer CPUs than ranks
		{2, 32, 64, 64, 32},  // which can't be
		{1, 64, 64, 3, 3},    //
		{64, 64, 64, 64, 1},  //
		{2, 128, 64, 64, 64}, // each on a socket of its own
	} {
		if got := threads(test.ranks, test.cpus, test.own, test.quota); got != test.want {
			t.Errorf("%+v: %d threads", test, got)
		}
	}
}

// TestLaunchedAlone: mpirun -np 1 needs no MPI. The batch is cut as for more.
func TestLaunchedAlone(t *testing.T) {
	text, dir := writeText(t), t.TempDir()
	args := []string{"train", "--corpus", text, "--hidden", "4", "--epochs", "1", "--batch", "8"}
	model := func(name string, flags ...string) string {
		t.Helper()
		out := dir + "/" + name
		status, stdout, stderr := runArgs("", append(append(args, "--out", out), flags...)...)
		if status != exitOK {
			t.Fatalf("exit status %d\n%s", status, stderr)
		}
		if cut := strings.Contains(stdout, "batch 8 in 8 shards"); cut != (name != "one") {
			t.Errorf("%s:\n%s", name, stdout)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	one, cut := model("one"), model("cut", "--shards", "8")
	t.Setenv("OMPI_COMM_WORLD_RANK", "0")
	t.Setenv("OMPI_COMM_WORLD_SIZE", "1")
	launched := model("launched")
	if launched != cut || launched == one {
		t.Error("the default under mpirun is not 8 shards")
	}
	if status, _, stderr := runArgs("", "train", "--corpus", text, "--kind", "ngram", "--out", dir+"/ngram"); status != exitOK {
		t.Errorf("n-grams in one process of mpirun: exit status %d\n%s", status, stderr)
	}
	if status, _, stderr := runArgs("a line", "score", dir+"/ngram"); status != exitOK {
		t.Errorf("another command in one process of mpirun: exit status %d\n%s", status, stderr)
	}
}

// TestShards that can't be.
func TestShards(t *testing.T) {
	text := writeText(t)
	for flags, want := range map[string]string{
		"--shards 0":              "--shards: a batch can't be cut into 0 parts",
		"--shards 6":              "--shards: 1 rank can't share 6 shards of the batch alike",
		"--shards 1000000":        "--shards: a batch can't be cut into 1000000 parts",
		"--shards 2 --kind ngram": "--shards: an n-gram model is trained in one pass",
	} {
		status, _, stderr := runArgs("", append([]string{"train", "--corpus", text, "--out", os.DevNull}, strings.Fields(flags)...)...)
		if status != exitMisuse || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit status %d\n%s", flags, status, stderr)
		}
	}
}
