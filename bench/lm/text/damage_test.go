package text

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// writtenFolder writes a corpus of three files for training, and returns its folder.
func writtenFolder(t *testing.T) string {
	t.Helper()
	small(t, 1<<16)
	dir := textFolder(t, map[string]string{"a.txt": verse(1200)})
	out := filepath.Join(dir, "ids")
	x, err := Encoding{Text: Input{Paths: []string{dir}}, Told: func(int64, float64) {}}.Write(context.Background(), out)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Train) != 3 || len(x.Valid) != 1 || len(x.Test) != 1 {
		t.Fatalf("%+v", x)
	}
	return out
}

// checkAll opens a corpus and checks all of it.
func checkAll(folder string) (s *Encoded, err error) {
	if s, err = OpenEncoded(filepath.Join(folder, IndexName)); err != nil {
		return s, err
	}
	return s, errors.Join(s.CheckHeldOut(), s.Check(0, s.TrainTokens()))
}

// refused fails unless the corpus is refused by an error that names the file and a remedy.
func refused(t *testing.T, folder, file, what string) {
	t.Helper()
	_, err := checkAll(folder)
	if err == nil {
		t.Errorf("%s: %s: taken", file, what)
		return
	}
	if s := err.Error(); strings.Contains(s, "\n") || !strings.Contains(s, file) || !strings.Contains(s, folder) || !strings.Contains(s, again) {
		t.Errorf("%s: %s: error %q", file, what, s)
	}
}

func overwrite(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// No damage of any file is taken for a corpus.
func TestDamagedFiles(t *testing.T) {
	folder := writtenFolder(t)
	whole, err := checkAll(folder)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 7 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(folder, name)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		step := max(len(before)/6, 1)
		if name == IndexName || name == tokensName {
			step = max(len(before)/70, 1)
		}
		for at := 0; at < len(before); at += step {
			for _, flip := range []byte{1, 0x80} {
				b := slices.Clone(before)
				b[at] ^= flip
				overwrite(t, path, b)
				s, err := checkAll(folder)
				if err == nil && name == IndexName && reflect.DeepEqual(s.Index, whole.Index) {
					continue // a blank became another one
				}
				refused(t, folder, name, "a byte is another one")
			}
		}
		for _, n := range []int{0, 1, len(before) / 2, len(before) - 1, len(before) - idBytes} {
			if n > len(before)-2 && name == IndexName {
				continue // the line end
			}
			overwrite(t, path, before[:max(n, 0)])
			refused(t, folder, name, "cut off")
		}
		if name != IndexName {
			overwrite(t, path, append(slices.Clone(before), 0, 0, 0, 0))
			refused(t, folder, name, "longer")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if name != IndexName {
			refused(t, folder, name, "missing")
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		refused(t, folder, name, "a folder")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		overwrite(t, path, before)
	}
	// Files of one size that stand for each other.
	a, b := filepath.Join(folder, trainName(0)), filepath.Join(folder, trainName(1))
	for _, rename := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
		if err := os.Rename(rename[0], rename[1]); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, folder, trainName(0), "the next one")
}

// seal writes an index whose checksum is right.
func seal(t *testing.T, folder string, x Index) {
	t.Helper()
	var err error
	if x.Checksum, err = x.checksum(); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(folder, IndexName), raw)
}

// An index that says what can't be is refused before anything is allocated for it.
func TestImpossibleIndex(t *testing.T) {
	folder := writtenFolder(t)
	whole, err := checkAll(folder)
	if err != nil {
		t.Fatal(err)
	}
	const huge = 1 << 62
	for name, change := range map[string]func(x *Index){
		"format":             func(x *Index) { x.Format = 2 },
		"level":              func(x *Index) { x.Level = "syllable" },
		"sentences":          func(x *Index) { x.Level = "sentence" },
		"vocabulary of none": func(x *Index) { x.Vocab = 0 },
		"vocabulary, less":   func(x *Index) { x.Vocab-- },
		"vocabulary, more":   func(x *Index) { x.Vocab++ },
		"vocabulary, huge":   func(x *Index) { x.Vocab = 1<<31 - 1 },
		"rare, huge":         func(x *Index) { x.Rare = huge },
		"rare, below 0":      func(x *Index) { x.Rare = -1 },
		"unknown, more":      func(x *Index) { x.TestUnk++ },
		"tokens elsewhere":   func(x *Index) { x.Tokens.Name = "../tokens.bin" },
		"tokens, huge":       func(x *Index) { x.Tokens.Bytes = huge },
		"no training part":   func(x *Index) { x.Train = nil },
		"files missing":      func(x *Index) { x.Train = x.Train[:2] },
		"file elsewhere":     func(x *Index) { x.Train[0].Name = "../a.txt" },
		"file, huge":         func(x *Index) { x.Train[2].Bytes = huge },
		"files, all huge":    func(x *Index) { x.Train[0].Bytes, x.Train[1].Bytes, x.Train[2].Bytes = huge, huge, huge },
		"file, below 0":      func(x *Index) { x.Train[2].Bytes = -4 },
		"file of no ids":     func(x *Index) { x.Train[2].Bytes = 3 },
		"file between":       func(x *Index) { x.Train[0].Bytes -= 4; x.Train[1].Bytes -= 4 },
		"two for validation": func(x *Index) { x.Valid = append(x.Valid, x.Valid[0]) },
		"validation, huge":   func(x *Index) { x.Valid[0].Bytes = huge },
	} {
		x := whole.Index
		x.Train, x.Valid = slices.Clone(x.Train), slices.Clone(x.Valid)
		change(&x)
		seal(t, folder, x)
		if _, err := checkAll(folder); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), again) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	// Tokens that no index counts.
	path := filepath.Join(folder, tokensName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"\x01x", "\x00", "\x05x", "\x01\xff"} {
		b := append(slices.Clone(raw), more...)
		overwrite(t, path, b)
		x := whole.Index
		x.Tokens = IndexFile{tokensName, int64(len(b)), hexOf(crc32.Checksum(b, castagnoli))}
		seal(t, folder, x)
		refused(t, folder, tokensName, "a token too many")
		x.TestUnk++
		seal(t, folder, x)
		if more != "\x01x" {
			refused(t, folder, tokensName, "a token that is none")
		} else if _, err := checkAll(folder); err != nil {
			t.Error(err)
		}
	}
	overwrite(t, path, raw)
	seal(t, folder, whole.Index)
	if _, err := checkAll(folder); err != nil {
		t.Error(err)
	}
	overwrite(t, filepath.Join(folder, IndexName), []byte(`{"format":1,"crc32c":"","more":1}`))
	refused(t, folder, IndexName, "a field too many")
}

// An id outside the vocabulary is found where the checksum is right too.
func TestIDsOutsideTheVocabulary(t *testing.T) {
	folder := writtenFolder(t)
	whole, err := checkAll(folder)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, trainName(1))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int32{int32(whole.Vocab), -1, 1<<31 - 1} {
		b := slices.Clone(before)
		binary.LittleEndian.PutUint32(b[4000:], uint32(id))
		overwrite(t, path, b)
		x := whole.Index
		x.Train = slices.Clone(x.Train)
		x.Train[1].Checksum = hexOf(crc32.Checksum(b, castagnoli))
		seal(t, folder, x)
		refused(t, folder, trainName(1)+": is damaged: the id at byte 4,000", "an id of no token")
		// Who needs none of this file is not held up by it.
		s, err := OpenEncoded(filepath.Join(folder, IndexName))
		if err != nil {
			t.Fatal(err)
		}
		each := s.Train[0].ids()
		for _, r := range [][3]int{{0, each, 0}, {0, each + 1, 1}, {each - 1, each, 0}, {each, each, 0}, {2*each - 1, 2 * each, 1}, {2 * each, s.TrainTokens(), 0}, {0, s.TrainTokens(), 1}} {
			if err := s.Check(r[0], r[1]); (err != nil) != (r[2] == 1) {
				t.Errorf("tokens %d to %d: error %v", r[0], r[1], err)
			}
		}
		for _, r := range [][2]int{{-1, 1}, {0, s.TrainTokens() + 1}, {2, 1}} {
			if err := s.Check(r[0], r[1]); err == nil {
				t.Errorf("tokens %d to %d: no error", r[0], r[1])
			}
		}
	}
}

// A file that another one takes the place of is not the one that is mapped.
func TestFilesReplacedMeanwhile(t *testing.T) {
	folder := writtenFolder(t)
	s, err := OpenEncoded(filepath.Join(folder, IndexName))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, validName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path+"x", b)
	if err := os.Rename(path+"x", path); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckHeldOut(); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("error %v", err)
	}
}

// What can't be encoded leaves nothing behind, and what was there before.
func TestBadEncoding(t *testing.T) {
	small(t, 64)
	dir := textFolder(t, map[string]string{
		"a.txt": verse(40), "marks.txt": strings.Repeat("a b\n", 30) + "a </s> b\n", "endmark.txt": strings.Repeat("a b\n", 30) + "a <s>",
		"short.txt": "a b c", "binary": "GIF\x00" + strings.Repeat("x", 1000), "long.txt": strings.Repeat("x", maxToken+200), "other/notes": "x", "latin": strings.Repeat("d\xe9j\xe0 ", 30),
	})
	at := func(name string) Input { return Input{Paths: []string{filepath.Join(dir, name)}} }
	told := func(int64, float64) {}
	old := filepath.Join(dir, "old")
	if _, err := (Encoding{Text: at("a.txt"), Told: told}).Write(context.Background(), old); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(old, IndexName))
	if err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	for name, test := range map[string]struct {
		ctx  context.Context
		e    Encoding
		to   string
		want string
	}{
		"missing":          {nil, Encoding{Text: at("none")}, old, "none"},
		"a mark":           {nil, Encoding{Options: Options{Level: Sentence}, Text: at("marks.txt")}, old, "line 31: </s>"},
		"a mark, last":     {nil, Encoding{Options: Options{Level: Sentence}, Text: at("endmark.txt")}, old, "line 31: <s>"},
		"short":            {nil, Encoding{Options: Options{Level: Word}, Text: at("short.txt")}, old, "too few tokens"},
		"binary":           {nil, Encoding{Text: at("binary")}, old, "no text"},
		"Latin-1":          {nil, Encoding{Text: at("latin")}, old, "no text"},
		"a long word":      {nil, Encoding{Options: Options{Level: Word}, Text: at("long.txt")}, old, "a word of more than"},
		"too rare":         {nil, Encoding{Options: Options{Level: Word, MinCount: 1000}, Text: at("a.txt")}, old, "1000 times"},
		"a bad option":     {nil, Encoding{Options: Options{MaxVocab: 1}, Text: at("a.txt")}, old, "no room"},
		"validation":       {nil, Encoding{Text: at("a.txt"), ValidText: at("none")}, old, "none"},
		"stopped":          {stopped, Encoding{Text: at("a.txt")}, old, "canceled"},
		"another folder":   {nil, Encoding{Text: at("a.txt")}, filepath.Join(dir, "other"), "other files"},
		"a file":           {nil, Encoding{Text: at("a.txt")}, filepath.Join(dir, "a.txt"), "not a directory"},
		"no such folder":   {nil, Encoding{Text: at("a.txt")}, filepath.Join(dir, "x", "y"), "no folder"},
		"the text's place": {nil, Encoding{Text: Input{Paths: []string{dir}}}, dir, "other files"},
	} {
		test.e.Told = told
		if test.ctx == nil {
			test.ctx = context.Background()
		}
		if _, err := test.e.Write(test.ctx, test.to); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
	if after, err := os.ReadFile(filepath.Join(old, IndexName)); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the corpus before has changed: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	// A corpus takes the place of one before, and of an empty folder.
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{old, empty} {
		if _, err := (Encoding{Options: Options{Level: Word}, Text: at("a.txt"), Told: told}).Write(context.Background(), to); err != nil {
			t.Fatal(err)
		}
		if s, err := checkAll(to); err != nil || s.Level != "word" {
			t.Errorf("%+v, error %v", s, err)
		}
	}
}

// TestStoppedEncoding: a long text is not read to its end once the context has ended, nor
// are its ids written.
func TestStoppedEncoding(t *testing.T) {
	small(t, 1<<10)
	for _, writing := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		dir := t.TempDir()
		text := textFolder(t, map[string]string{"a.txt": verse(1000)})
		ended, after := false, 0
		_, err := Encoding{Text: Input{Paths: []string{text}}, Told: func(_ int64, written float64) {
			if ended {
				after++
			}
			if !ended && writing == (written > 0) {
				ended = true
				cancel()
			}
		}}.Write(ctx, filepath.Join(dir, "ids"))
		if err != context.Canceled || !ended || !writing && after > 0 {
			t.Errorf("writing %v: error %v, ended %v, told %d times more", writing, err, ended, after)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}

// TestFolderFilledMeanwhile: files that others put into the folder while the text is read
// are not lost.
func TestFolderFilledMeanwhile(t *testing.T) {
	out := writtenFolder(t)
	before, err := checkAll(out)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(out, "notes.txt")
	_, err = Encoding{Text: Input{Paths: []string{filepath.Join(filepath.Dir(out), "a.txt")}}, Options: Options{Level: Word}, Told: func(int64, float64) {
		overwrite(t, other, []byte("mine"))
	}}.Write(t.Context(), out)
	if err == nil || !isFolderError(err) {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(other); err != nil || string(b) != "mine" {
		t.Errorf("it holds %q, error %v", b, err)
	}
	os.Remove(other)
	if after, err := checkAll(out); err != nil || after.Checksum != before.Checksum {
		t.Errorf("error %v", err)
	}
}
