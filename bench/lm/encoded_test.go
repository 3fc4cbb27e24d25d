package lm

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/internal/option"
	"batchrnn/rnn/parallel"
)

// A training from files of ids has the data of one from the text.
func TestEncodedData(t *testing.T) {
	path := writeFile(t, strings.Repeat(fable, 60)+"zebra "+strings.Repeat("unseen fox ", 30))
	one := 1
	for _, o := range []TrainOptions{
		{Kind: RNN},
		{Kind: RNN, All: true},
		{Kind: RNN, TextOptions: TextOptions{Level: text.Word}},
		{Kind: RNN, TextOptions: TextOptions{Level: text.Sentence, MinCount: &one}, Test: &path},
		{Kind: Ngram, All: true, TextOptions: TextOptions{Level: text.Sentence}},
	} {
		o.Corpus, o.Threads = fileInput(path), 1
		folder := filepath.Join(t.TempDir(), "ids")
		var read int64
		var written bool
		_, err := Encode(t.Context(), o, nil, folder, nil, func(n int64, share float64) { read, written = max(read, n), written || share == 1 })
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || read < info.Size() || !written {
			t.Errorf("told of %d bytes, of the end: %v", read, written)
		}
		fromText, err := NewTraining(o, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer fromText.Close()
		ids := o
		ids.Corpus, ids.Test, ids.MinCount = fileInput(folder), nil, nil
		ids.AnyLevel, ids.Level = true, text.Char
		fromIDs, err := NewTraining(ids, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer fromIDs.Close()
		a, b := fromIDs.data, fromText.data
		if !reflect.DeepEqual(a.Describe(), b.Describe()) || !slices.Equal(a.Train, b.Train) || !slices.Equal(a.Valid, b.Valid) || !slices.Equal(a.Test, b.Test) || !slices.Equal(a.Rare, b.Rare) {
			t.Errorf("%+v\nwant %+v", a.Describe(), b.Describe())
		}
		if !reflect.DeepEqual(fromIDs.network, fromText.network) {
			t.Errorf("a network %+v, want %+v", fromIDs.network, fromText.network)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	path := writeFile(t, strings.Repeat(fable, 20))
	dir := t.TempDir()
	folder := filepath.Join(dir, "ids")
	o := TrainOptions{Kind: RNN, Threads: 1, TextOptions: TextOptions{Corpus: fileInput(path)}}
	told := func(int64, float64) {}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Encode(ctx, o, nil, folder, nil, told); !IsInterrupt(err) {
		t.Errorf("stopped: error %v", err)
	}
	err := durable.WriteFolder(folder, func(string) error {
		_, err := Encode(t.Context(), o, nil, folder, nil, told)
		return err
	})
	if err == nil || option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Out: ") || !strings.Contains(err.Error(), "is writing it: wait for its end") {
		t.Errorf("two at once: error %v", err)
	}
	many := 1_000_000
	o.Level, o.MinCount = text.Word, &many
	if _, err := Encode(t.Context(), o, nil, folder, nil, told); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "MinCount: ") {
		t.Errorf("rare words: error %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

// splitFiles cuts the training part of a corpus in files into files of so many ids.
func splitFiles(t *testing.T, folder string, ids int) text.Index {
	t.Helper()
	at := func(name string) string { return filepath.Join(folder, name) }
	read := func(name string) []byte {
		b, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(at(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	sum := func(b []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli)) }
	var x text.Index
	if err := json.Unmarshal(read(text.IndexName), &x); err != nil || len(x.Train) != 1 {
		t.Fatal(err, x.Train)
	}
	all := read(x.Train[0].Name)
	x.Train, x.Checksum = nil, ""
	for b := range slices.Chunk(all, 4*ids) {
		name := fmt.Sprintf("train-%04d.ids", len(x.Train))
		write(name, b)
		x.Train = append(x.Train, text.IndexFile{Name: name, Bytes: int64(len(b)), Checksum: sum(b)})
	}
	compact, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	x.Checksum = sum(compact)
	raw, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	write(text.IndexName, raw)
	return x
}

// TestRanksCheckWhatTheyRead: a rank refuses damage of the files that it reads, and of no
// others. All of them refuse damage of what precedes the validation split.
func TestRanksCheckWhatTheyRead(t *testing.T) {
	const unit, ranks = 16 << 10, 4
	long := strings.Repeat(fable, 1+10*unit/len(fable))
	trained := func(n int) int { return n - 2*(n/20) }
	n := 8 * unit
	for trained(n)%unit != 3 {
		n++
	}
	path, folder := writeFile(t, long[:n]), filepath.Join(t.TempDir(), "ids")
	o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(path)}, Kind: RNN, Threads: 1, Hidden: new(2), Epochs: new(0.001), Batch: new(8), Shards: new(8)}
	if _, err := Encode(t.Context(), o, nil, folder, nil, func(int64, float64) {}); err != nil {
		t.Fatal(err)
	}
	x := splitFiles(t, folder, unit)
	files := len(x.Train)
	if files < 8 || x.Train[files-1].Bytes != 3*4 {
		t.Fatalf("%+v", x.Train)
	}
	o.Corpus = fileInput(folder)
	// refused returns the ranks that refuse the corpus.
	refused := func(o TrainOptions, n int) (by []int) {
		for i, r := range parallel.Local(n) {
			o := o
			o.Reducer = r
			training, err := newTraining(o, nil) // without the others
			if err == nil {
				training.Close()
			} else if by = append(by, i); !strings.HasPrefix(err.Error(), "Corpus: ") || !strings.Contains(err.Error(), "is damaged: the id at byte") {
				t.Errorf("rank %d: error %v", i, err)
			}
			r.Close()
		}
		return by
	}
	grams := o
	grams.Kind, grams.Hidden, grams.Epochs, grams.Batch, grams.Shards = Ngram, nil, nil, nil, nil
	each := x.TrainTokens() / ranks
	for i, f := range slices.Concat(x.Train, x.Valid, x.Test) {
		var want []int
		for r := range ranks {
			lo, hi := r*each, (r+1)*each+8 // 8 streams have less than 8 tokens of slack
			if i >= files-2 || lo < (i+1)*unit && i*unit < hi {
				want = append(want, r)
			}
		}
		name := filepath.Join(folder, f.Name)
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		damaged := slices.Clone(whole)
		damaged[len(damaged)-1] ^= 0x40
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := refused(o, ranks); !slices.Equal(got, want) {
			t.Errorf("damage of %s: ranks %v refuse it, want %v", f.Name, got, want)
		}
		if len(refused(o, 1)) == 0 || len(refused(grams, 1)) == 0 {
			t.Errorf("damage of %s: taken by one process", f.Name)
		}
		if i == 0 { // which rank 0 alone reads
			for rank, end := range trainRanks(t, t.Context(), o, ranks, nil) {
				if end.err == nil || !strings.Contains(end.err.Error(), f.Name) {
					t.Errorf("damage of %s: rank %d has error %v", f.Name, rank, end.err)
				}
			}
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := refused(o, ranks); len(got) > 0 {
		t.Errorf("ranks %v refuse the whole corpus", got)
	}
}

// TestRanksCheckAllSentences: sentences are read in any order, so a rank checks all.
func TestRanksCheckAllSentences(t *testing.T) {
	const unit = 16 << 10
	path, folder := writeFile(t, strings.Repeat("a b\n", 2*unit)), filepath.Join(t.TempDir(), "ids")
	o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(path), Level: text.Sentence}, Kind: RNN, Threads: 1, Hidden: new(2), Epochs: new(0.001), Batch: new(8), Shards: new(8)}
	if _, err := Encode(t.Context(), o, nil, folder, nil, func(int64, float64) {}); err != nil {
		t.Fatal(err)
	}
	x := splitFiles(t, folder, unit)
	if len(x.Train) < 4 {
		t.Fatalf("%+v", x.Train)
	}
	name := filepath.Join(folder, x.Train[0].Name)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[3] ^= 0x40
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Corpus = fileInput(folder)
	for i, r := range parallel.Local(4) {
		o.Reducer = r
		training, err := newTraining(o, nil) // without the others
		if err == nil {
			t.Errorf("rank %d takes it", i)
			training.Close()
		} else if !strings.Contains(err.Error(), x.Train[0].Name) {
			t.Errorf("rank %d: error %v", i, err)
		}
		r.Close()
	}
}

// TestMemoryOfMappedIDs: ids that stay in their files don't count as memory, tokens of a
// text do.
func TestMemoryOfMappedIDs(t *testing.T) {
	path, folder := writeFile(t, strings.Repeat(fable, 60)), filepath.Join(t.TempDir(), "ids")
	o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(path), Level: text.Word}, Kind: Ngram, Order: new(3), Threads: 1, Folder: t.TempDir()}
	if _, err := Encode(t.Context(), o, nil, folder, nil, func(int64, float64) {}); err != nil {
		t.Fatal(err)
	}
	ids := o
	ids.Corpus = fileInput(folder)
	training, err := NewTraining(ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens, least := int64(4*training.data.Tokens()), ngram.LeastMemory(training.data.Vocab.Len())
	if !training.data.ids.Mapped() {
		t.Skip("files are not mapped here")
	}
	training.Close()
	for _, c := range []struct {
		o      TrainOptions
		memory int64
		want   string // "" if it works
	}{
		{ids, least, ""},
		{ids, least - 1, "are too few: the estimate takes at least"},
		{o, least + tokens, ""},
		{o, least + tokens - 1, "are too few: the tokens of the text take"},
	} {
		c.o.Memory = &c.memory
		training, err := NewTraining(c.o, nil)
		if c.want == "" && err != nil || c.want != "" && (!option.IsMisuse(err) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%d bytes for %v: error %v, want %q", c.memory, c.o.Corpus.Paths, err, c.want)
		}
		if err == nil {
			if _, _, err := training.Run(t.Context(), func(Progress) {}); err != nil {
				t.Error(err)
			}
			training.Close()
		}
	}
}

// TestAllOfIDs: with All, n-grams refuse ids that hold a validation part out.
func TestAllOfIDs(t *testing.T) {
	path := writeFile(t, strings.Repeat(fable, 60))
	for _, c := range []struct {
		encoded string
		all     bool
		own     *string
		want    map[string]string // of each kind
	}{
		{RNN, false, nil, map[string]string{RNN: "a test part that was cut off", Ngram: "a test part that was cut off"}},
		{RNN, true, nil, map[string]string{RNN: "", Ngram: "a validation part that was cut off"}},
		{RNN, true, &path, map[string]string{RNN: "", Ngram: ""}},
		{Ngram, true, nil, map[string]string{RNN: "no validation part", Ngram: ""}},
	} {
		folder := filepath.Join(t.TempDir(), "ids")
		o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(path)}, Kind: c.encoded, All: c.all, Valid: c.own, Threads: 1}
		if _, err := Encode(t.Context(), o, nil, folder, nil, func(int64, float64) {}); err != nil {
			t.Fatal(err)
		}
		for kind, want := range c.want {
			training, err := NewTraining(TrainOptions{TextOptions: TextOptions{Corpus: fileInput(folder)}, Kind: kind, All: true, Threads: 1}, nil)
			if (err == nil) != (want == "") || err != nil && (!option.IsMisuse(err) || !strings.Contains(err.Error(), want)) {
				t.Errorf("encoded for %s, all %v, trained for %s: error %v, want %q", c.encoded, c.all, kind, err, want)
			}
			if err == nil {
				training.Close()
			}
		}
	}
}
