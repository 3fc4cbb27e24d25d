package rnnlm

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"batchrnn/internal/durable"
)

// trainInto, set in the environment, is the folder that TestTrainToBeKilled trains
// into.
const trainInto = "RNNLM_TEST_TRAIN_INTO"

// killed is the training that is killed.
func killed(dir string) Options {
	o := byTokens()["adaptive"]
	o.Patience, o.Checkpoint, o.Every = 0, filepath.Join(dir, "checkpoint"), 1
	return o
}

// TestTrainToBeKilled is what TestKilledTrainingHasTheSameBits kills: it makes a
// checkpoint after every step, each of which puts a byte on standard output.
func TestTrainToBeKilled(t *testing.T) {
	dir := os.Getenv(trainInto)
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	tr, err := newTrainer(newEngine(t), tinyCorpus(t), killed(dir).withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tr.writeFile = func(path string, write func(io.Writer) error) error {
		err := durable.WriteFile(path, write)
		os.Stdout.Write([]byte{'.'})
		return err
	}
	if err := tr.resume(); err != nil {
		t.Fatal(err)
	}
	if err := tr.run(t.Context(), func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(filepath.Join(dir, "model"), func(w io.Writer) error {
		_, err := File{tr.model}.WriteTo(w)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestKilledTrainingHasTheSameBits kills a training at some twenty moments along
// its way, as kill -9 does, and compares the model that comes out in the end with
// that of a training that was never killed.
func TestKilledTrainingHasTheSameBits(t *testing.T) {
	o := killed("")
	o.Checkpoint = ""
	m, stats, err := Train(t.Context(), newEngine(t), tinyCorpus(t), o, func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	want := modelFile(t, m)

	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 0))
	steps := int(stats.Tokens) / (o.Streams * o.Steps)
	kills := 0
	for done := false; !done; {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTrainToBeKilled$")
		cmd.Env = append(os.Environ(), trainInto+"="+dir, "GORACE=atexit_sleep_ms=0")
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// So many checkpoints on, and then at any moment of the next steps.
		_, err = io.ReadFull(stdout, make([]byte, 1+r.IntN(steps/13)))
		if err == nil {
			time.Sleep(time.Duration(r.IntN(int(3 * time.Millisecond))))
			cmd.Process.Kill()
		}
		io.Copy(io.Discard, stdout)
		switch ended := cmd.Wait(); {
		case ended == nil:
			done = true // perhaps before the signal came
		case err != nil:
			t.Fatalf("after %d kills: %v", kills, ended)
		default:
			kills++
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "model")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("after %d kills the model is another one: error %v", kills, err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("left behind: %v %v", names, err)
	}
	t.Logf("%d kills in %d steps", kills, steps)
}
