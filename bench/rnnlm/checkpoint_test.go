package rnnlm

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"batchrnn/bench/corpus"
	"batchrnn/bench/disk"
	"batchrnn/kernels"
)

// byTokens returns options of trainings by tokens that take part of a second, with
// many steps, some validations and some epochs.
func byTokens() map[string]Options {
	variants := map[string]Options{
		"plain":    {},
		"adaptive": {Cutoffs: []int{3, 7}, Dropout: 0.2, Halve: true, Rate: 0.05, Patience: 4},
		"tied":     {Tied: true, Dropout: 0.5},
	}
	for name, o := range variants {
		o.Hidden, o.Tokens, o.Seed, o.Streams, o.Steps = 16, 30_000, 5, 4, 15
		variants[name] = o
	}
	return variants
}

func train(t testing.TB, e *kernels.Engine, c *corpus.Corpus, o Options) (slab []float32, stats Stats) {
	t.Helper()
	m, stats, err := Train(t.Context(), e, c, o, func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	return m.Slab, stats
}

// comparable leaves out what the clock says.
func (p Progress) comparable() Progress {
	p.Elapsed, p.Steps, p.Resumed = 0, 0, 0
	return p
}

func TestTrainByTokens(t *testing.T) {
	one, c := oneThread(t), tinyCorpus(t)
	for name, o := range byTokens() {
		slab, stats := train(t, newEngine(t), c, o)
		again, statsAgain := train(t, one, c, o)
		if i := firstDifference(slab, again); i >= 0 {
			t.Errorf("%s: two trainings differ in parameter %d", name, i)
		}
		if stats.comparable() != statsAgain.comparable() || stats.Valid == 0 || stats.Interrupted {
			t.Errorf("%s: %+v, then %+v", name, stats, statsAgain)
		}
		step := int64(o.Streams * o.Steps)
		if !stats.Stopped && (stats.Tokens < o.Tokens || stats.Tokens >= o.Tokens+step) {
			t.Errorf("%s: a budget of %d tokens spent %d", name, o.Tokens, stats.Tokens)
		}
	}
}

func firstDifference(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// broken starts a training with a checkpoint after every step, and breaks it off
// after some.
func broken(t testing.TB, e *kernels.Engine, c *corpus.Corpus, o Options, steps int) *trainer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Every = 1
	tr, err := newTrainer(e, c, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tr.writeFile = func(path string, write func(io.Writer) error) error {
		if steps--; steps <= 0 {
			cancel()
		}
		return disk.WriteFile(path, write)
	}
	if err := tr.resume(); err != nil {
		t.Fatal(err)
	}
	if err := tr.run(ctx, func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestResumedTrainingHasTheSameBits breaks trainings off at places that don't
// follow the validations or epochs.
func TestResumedTrainingHasTheSameBits(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for name, o := range byTokens() {
		slab, stats := train(t, e, c, o)
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		for _, steps := range []int{1, 2, 86, 97, 1, 60} {
			broken(t, e, c, o, steps)
		}
		got, gotStats := train(t, e, c, o)
		if i := firstDifference(got, slab); i >= 0 {
			t.Errorf("%s: parameter %d is %v instead of %v", name, i, got[i], slab[i])
		}
		if gotStats.comparable() != stats.comparable() || gotStats.Resumed == 0 || gotStats.Elapsed <= 0 {
			t.Errorf("%s: stats %+v instead of %+v", name, gotStats, stats)
		}
	}
}

func TestResumedTrainingHasTheTimeThatIsLeft(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	o := Options{Hidden: 8, Budget: time.Hour, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	first := broken(t, e, c, o, 30)
	tr, err := newTrainer(e, c, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.resume(); err != nil {
		t.Fatal(err)
	}
	if p := tr.progress; p.Elapsed <= 0 || p.Elapsed > first.progress.Elapsed || p.Tokens != first.progress.Tokens {
		t.Fatalf("resumed at %+v, broken off at %+v", p, first.progress)
	}
	spent := tr.progress.Elapsed
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.run(ended, func(Progress) {}); err != nil || tr.progress.Elapsed < spent || tr.spent() < int64(spent) {
		t.Errorf("%v is spent after %v: error %v", tr.progress.Elapsed, spent, err)
	}
}

func oneThread(t testing.TB) *kernels.Engine {
	t.Helper()
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// checkpoint returns one of the middle of a small training, and what reads others.
func checkpoint(t testing.TB) (file []byte, read func(b []byte) error) {
	t.Helper()
	e, c := oneThread(t), tinyCorpus(t)
	o := byTokens()["adaptive"]
	o.Hidden, o.Checkpoint = 3, filepath.Join(t.TempDir(), "checkpoint")
	if tr := broken(t, e, c, o, 250); tr.progress.Valid == 0 {
		t.Fatal("no validation is in the checkpoint")
	}
	file, err := os.ReadFile(o.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	return file, func(b []byte) error {
		tr, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.readCheckpoint(bytes.NewReader(b), int64(len(b))); err != nil {
			return err
		}
		// What it accepts can be gone on with.
		tr.dueToValidate()
		if err := tr.step(); err != nil && !strings.Contains(err.Error(), "diverged") {
			t.Fatal(err)
		}
		return nil
	}
}

// sections returns where each section of a file starts, and the end of the last.
func sections(file []byte) []int {
	at := []int{disk.HeadBytes}
	for end := at[0]; end+disk.LengthBytes <= len(file); {
		length := binary.LittleEndian.Uint64(file[end:])
		if length > uint64(len(file)-end) {
			break
		}
		end += disk.LengthBytes + int(length) + disk.ChecksumBytes
		at = append(at, end)
	}
	return at
}

// seal corrects the checksum of every section.
func seal(file []byte) []byte {
	at := sections(file)
	for i := range len(at) - 1 {
		if end := at[i+1] - disk.ChecksumBytes; end+disk.ChecksumBytes <= len(file) {
			binary.LittleEndian.PutUint32(file[end:], crc32.Checksum(file[at[i]:end], crc32.MakeTable(crc32.Castagnoli)))
		}
	}
	return file
}

func TestBadCheckpoints(t *testing.T) {
	file, read := checkpoint(t)
	if err := read(file); err != nil {
		t.Fatal(err)
	}
	refuse := func(what, want string, b []byte) {
		t.Helper()
		if err := read(b); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "another file") {
			t.Errorf("%s: error %v, want one with %q", what, err, want)
		}
	}
	for n := 0; n < len(file); n += 1 + n/30 {
		refuse("cut off", "", file[:n])
		b := slices.Clone(file)
		b[n] ^= 0x10
		refuse("a bit flipped", "", b)
	}
	refuse("a byte more", "too long", append(slices.Clone(file), 0))
	at := sections(file)
	if len(at) != 8 || at[7] != len(file) {
		t.Fatalf("sections at %v of %d bytes", at, len(file))
	}
	for i := range at[:7] {
		b := slices.Clone(file)
		b[at[i]+disk.LengthBytes] = 9
		refuse("section of another version", "version 9", seal(b))
		b = slices.Clone(file)
		binary.LittleEndian.PutUint64(b[at[i]:], 1<<62)
		refuse("a huge section", "truncated or damaged", b)
		b = slices.Concat(file[:at[i]], make([]byte, disk.LengthBytes+disk.ChecksumBytes), file[at[i+1]:])
		refuse("an empty section", "", seal(b))
	}
	swap := func(from, to string) []byte {
		if len(from) != len(to) || !bytes.Contains(file, []byte(from)) {
			t.Fatalf("%s is not in the file, or of another length than %s", from, to)
		}
		return seal(bytes.Replace(slices.Clone(file), []byte(from), []byte(to), 1))
	}
	refuse("another width", "hidden 4, where this one has 3", swap(`"hidden":3`, `"hidden":4`))
	refuse("an unknown text", "SHA-256 of the text", swap(`"SHA-256 of the text":"`, `"SHA-257 of the text":"`))
	refuse("not JSON", "damaged", swap(`{"elapsed"`, `["elapsed"`))
	for _, test := range []struct {
		want   string
		change func(p *progressRecord)
	}{
		{"steps of 60", func(p *progressRecord) { p.Tokens++ }},
		{"steps of 60", func(p *progressRecord) { p.Tokens = 0 }},
		{"steps of 60", func(p *progressRecord) { p.Tokens = 60 << 55 }},
		{"a time", func(p *progressRecord) { p.Elapsed = -1 }},
		{"a time", func(p *progressRecord) { p.ValidCost = math.MaxInt64 }},
		{"less than nothing", func(p *progressRecord) { p.Halvings = -1 }},
		{"validation of", func(p *progressRecord) { p.ValidTokens = 1 << 40 }},
		{"validation of", func(p *progressRecord) { p.ValidTokens = 0 }},
		{"streams at", func(p *progressRecord) { p.At = 1 << 40 }},
		{"streams at", func(p *progressRecord) { p.Offset = -1 }},
		{"best of", func(p *progressRecord) { p.Valid = 0 }}, // which has no best
		{"progress", func(p *progressRecord) { p.Random = nil }},
	} {
		const progress = 2
		var p progressRecord
		if err := json.Unmarshal(file[at[progress]+disk.LengthBytes+4:at[progress+1]-disk.ChecksumBytes], &p); err != nil {
			t.Fatal(err)
		}
		test.change(&p)
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var section bytes.Buffer
		out, err := disk.NewWriter(&section, checkpointMagic, checkpointVersion)
		if err == nil {
			err = out.Section(payload{bytes: raw})
		}
		if err != nil {
			t.Fatal(err)
		}
		refuse(string(raw), test.want, slices.Concat(file[:at[progress]], section.Bytes()[disk.HeadBytes:], file[at[progress+1]:]))
	}
	refuse("text", "not a checkpoint", []byte(strings.Repeat("Call me Ishmael. ", 100)))
}

// TestCheckpointsThatCanNotBeGoneOnWith: Train says so before it trains, names the
// file, and leaves it alone.
func TestCheckpointsThatCanNotBeGoneOnWith(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	dir := t.TempDir()
	o := byTokens()["plain"]
	o.Checkpoint = filepath.Join(dir, "checkpoint")
	broken(t, e, c, o, 3)
	before, err := os.ReadFile(o.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	other := tinyCorpus(t)
	other.SHA256 = strings.Repeat("0", 64)
	for name, test := range map[string]struct {
		change func(*Options)
		corpus *corpus.Corpus
		want   string
	}{
		"another seed":     {func(o *Options) { o.Seed = 8 }, c, "seed 5, where this one has 8"},
		"another budget":   {func(o *Options) { o.Tokens, o.Budget = 0, time.Minute }, c, "budget 0s, where this one has 1m0s"},
		"another text":     {func(o *Options) {}, other, "SHA-256"},
		"a folder":         {func(o *Options) { o.Checkpoint = dir }, c, "not a regular file"},
		"a missing folder": {func(o *Options) { o.Checkpoint = filepath.Join(dir, "no", "file") }, c, "there is no folder"},
		"a device":         {func(o *Options) { o.Checkpoint = os.DevNull }, c, "not a regular file"},
	} {
		changed := o
		test.change(&changed)
		m, _, err := Train(t.Context(), e, test.corpus, changed, func(Progress) {})
		if m != nil || err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), changed.Checkpoint) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: model %v, error %v; want one with %q", name, m != nil, err, test.want)
		}
	}
	if after, err := os.ReadFile(o.Checkpoint); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the checkpoint has changed: %v", err)
	}
}

// full is a disk with room for some bytes.
type full struct {
	w     io.Writer
	room  int
	short bool // it writes less, and says so only by the number
}

func (f *full) Write(b []byte) (int, error) {
	if len(b) <= f.room {
		f.room -= len(b)
		return f.w.Write(b)
	}
	n, err := f.w.Write(b[:f.room])
	f.room = 0
	if err == nil && !f.short {
		err = syscall.ENOSPC
	}
	return n, err
}

// TestFullDiskLeavesTheLastCheckpoint: a training that can't write its checkpoint
// ends with an error, and resumes from the one before with the same bits.
func TestFullDiskLeavesTheLastCheckpoint(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	o := byTokens()["plain"]
	slab, _ := train(t, e, c, o)
	dir := t.TempDir()
	o.Checkpoint = filepath.Join(dir, "checkpoint")
	broken(t, e, c, o, 100)
	good, err := os.ReadFile(o.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	var rooms []int
	for _, at := range append(sections(good), 0) {
		for _, near := range []int{at - 1, at, at + 1, at + disk.LengthBytes, at + disk.LengthBytes + 4, at + 99} {
			if near >= 0 && near < len(good)-20 { // the next one is about as long
				rooms = append(rooms, near)
			}
		}
	}
	for i, room := range rooms {
		o.Every = 1
		tr, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		short := i%2 == 1
		tr.writeFile = func(path string, write func(io.Writer) error) error {
			return disk.WriteFile(path, func(w io.Writer) error { return write(&full{w, room, short}) })
		}
		if err := tr.resume(); err != nil {
			t.Fatal(err)
		}
		err = tr.run(t.Context(), func(Progress) {})
		want := syscall.ENOSPC.Error()
		if short {
			want = io.ErrShortWrite.Error()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), o.Checkpoint) || strings.Contains(err.Error(), "\n") {
			t.Errorf("room for %d bytes: error %v", room, err)
		}
		if now, err := os.ReadFile(o.Checkpoint); err != nil || !bytes.Equal(now, good) {
			t.Fatalf("room for %d bytes: the last checkpoint has changed: %v", room, err)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v %v", names, err)
	}
	got, _ := train(t, e, c, o)
	if i := firstDifference(got, slab); i >= 0 {
		t.Errorf("parameter %d differs after full disks", i)
	}
}

// A disk that fails on Ctrl-C, too, is an error.
func TestInterruptedCheckpointFails(t *testing.T) {
	tr, err := newTrainer(newEngine(t), tinyCorpus(t), Options{Hidden: 4, Tokens: 1e6, Checkpoint: "x"}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tr.started = time.Now()
	if err := tr.step(); err != nil {
		t.Fatal(err)
	}
	tr.writeFile = func(string, func(io.Writer) error) error { return syscall.EIO }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.run(ended, func(Progress) {}); !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v", err)
	}
}

func FuzzReadCheckpoint(f *testing.F) {
	file, read := checkpoint(f)
	f.Add(file)
	for _, at := range sections(file) {
		f.Add(file[:at])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		read(b)
		read(seal(slices.Clone(b))) // beyond the checksums
	})
}
