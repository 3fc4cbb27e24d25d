package rnnlm

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
)

// checkpoint returns one of the middle of a small training, and what reads others.
func checkpoint(t testing.TB) (file []byte, read func(b []byte) error) {
	t.Helper()
	e, c := oneThread(t), tinyCorpus(t)
	o := byTokens()["adaptive"]
	o.Hidden, o.Checkpoint = 3, filepath.Join(t.TempDir(), "checkpoint")
	if tr := broken(t, e, c, o, 250); !(tr.progress.Valid > 0) {
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
		if err := tr.step(context.Background()); err != nil && !strings.Contains(err.Error(), "diverged") {
			t.Fatal(err)
		}
		return nil
	}
}

// sections returns where each section of a file starts, and the end of the last.
func sections(file []byte) []int {
	at := []int{durable.HeadBytes}
	for end := at[0]; end+durable.LengthBytes <= len(file); {
		length := binary.LittleEndian.Uint64(file[end:])
		if length > uint64(len(file)-end) {
			break
		}
		end += durable.LengthBytes + int(length) + durable.ChecksumBytes
		at = append(at, end)
	}
	return at
}

// seal corrects the checksum of every section.
func seal(file []byte) []byte {
	at := sections(file)
	for i := range len(at) - 1 {
		if end := at[i+1] - durable.ChecksumBytes; end+durable.ChecksumBytes <= len(file) {
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
		b[at[i]+durable.LengthBytes] = 9
		refuse("section of another version", "version 9", seal(b))
		b = slices.Clone(file)
		binary.LittleEndian.PutUint64(b[at[i]:], 1<<62)
		refuse("a huge section", "truncated or damaged", b)
		b = slices.Concat(file[:at[i]], make([]byte, durable.LengthBytes+durable.ChecksumBytes), file[at[i+1]:])
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
		if err := json.Unmarshal(file[at[progress]+durable.LengthBytes+4:at[progress+1]-durable.ChecksumBytes], &p); err != nil {
			t.Fatal(err)
		}
		test.change(&p)
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var section bytes.Buffer
		out, err := durable.NewWriter(&section, checkpointMagic, checkpointVersion)
		if err == nil {
			err = out.Section(payload{bytes: raw})
		}
		if err != nil {
			t.Fatal(err)
		}
		refuse(string(raw), test.want, slices.Concat(file[:at[progress]], section.Bytes()[durable.HeadBytes:], file[at[progress+1]:]))
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
		corpus *text.Corpus
		want   string
	}{
		"another seed":     {func(o *Options) { o.Seed = 8 }, c, "seed 5, where this one has 8"},
		"another budget":   {func(o *Options) { o.Tokens, o.Budget = 0, time.Minute }, c, "a budget of time 0s, where this one has 1m0s"},
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
