package text

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// gzipped returns s as a gzip file.
func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// zstandard returns s as a zstd file.
func zstandard(s string, o ...zstd.EOption) string {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, o...)
	if err != nil {
		panic(err)
	}
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// encoded returns s in an encoding of units of the given width, with its mark.
func encoded(s string, width int, order binary.ByteOrder) string {
	runes := []rune("\uFEFF" + s)
	var b []byte
	if width == 2 {
		for _, u := range utf16.Encode(runes) {
			b = append(b, 0, 0)
			order.PutUint16(b[len(b)-2:], u)
		}
		return string(b)
	}
	for _, r := range runes {
		b = append(b, 0, 0, 0, 0)
		order.PutUint32(b[len(b)-4:], uint32(r))
	}
	return string(b)
}

// A text is the same in every form that is known: as a file under any name, in a folder,
// on standard input and as a stream.
func TestOneTextInManyForms(t *testing.T) {
	text := strings.Repeat("Ein schöner Text, 語, 😀.\n", 3000)
	marked := "\xef\xbb\xbf" + text
	for _, form := range []struct {
		name, raw string
		sameSum   bool // as the plain text
	}{
		{"plain", text, true},
		{"UTF-8 with a mark", marked, false},
		{"UTF-16, little endian", encoded(text, 2, binary.LittleEndian), false},
		{"UTF-16, big endian", encoded(text, 2, binary.BigEndian), false},
		{"UTF-32, little endian", encoded(text, 4, binary.LittleEndian), false},
		{"UTF-32, big endian", encoded(text, 4, binary.BigEndian), false},
		{"gzip", gzipped(text), true},
		{"gzip in two members", gzipped(text[:50]) + gzipped(text[50:]), true},
		{"zstd", zstandard(text), true},
		{"zstd in two frames", zstandard(text[:50]) + zstandard(text[50:]), true},
		{"zstd of pzstd", "\x50\x2a\x4d\x18\x04\x00\x00\x00size" + zstandard(text), true},
		{"zstd with the largest window", zstandard(text, zstd.WithWindowSize(maxWindow)), true},
		{"gzip of UTF-16", gzipped(encoded(text, 2, binary.LittleEndian)), false},
		{"zstd of a text with a mark", zstandard(marked), false},
	} {
		root := writeFiles(t, map[string]string{"a.txt": form.raw, "b.any": form.raw, "folder/c.txt": form.raw})
		check := func(how string, got *Text, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s, %s: %v", form.name, how, err)
				return
			}
			if string(got.Data) != text || got.BadBytes != 0 || got.LeftOut != 0 {
				t.Errorf("%s, %s: %.40q, %d bad bytes", form.name, how, got.Data, got.BadBytes)
			}
			if same := got.SHA256 == New("", []byte(text)).SHA256; same != form.sameSum {
				t.Errorf("%s, %s: SHA-256 %s", form.name, how, got.SHA256)
			}
		}
		for _, name := range []string{"a.txt", "b.any", "folder"} {
			got, err := readOne(filepath.Join(root, name), nil)
			check(name, got, err)
		}
		got, err := readOne("-", iotest.OneByteReader(strings.NewReader(form.raw)))
		check("standard input", got, err)
		for _, r := range []io.Reader{strings.NewReader(form.raw), iotest.OneByteReader(strings.NewReader(form.raw)), iotest.DataErrReader(strings.NewReader(form.raw))} {
			stream, err := NewReader(r)
			if err != nil {
				t.Fatal(form.name, err)
			}
			if streamed, err := io.ReadAll(stream); err != nil || string(streamed) != text {
				t.Errorf("%s, as a stream: %.40q, error %v", form.name, streamed, err)
			}
		}
	}
}

// Damaged data is an error of one line that names file and compression, in a folder too:
// nobody leaves out half a text.
func TestDamagedCompression(t *testing.T) {
	text := strings.Repeat("a line of text, and another one\n", 2000)
	for name, whole := range map[string]string{"gzip": gzipped(text), "zstd": zstandard(text)} {
		flipped := []byte(whole)
		flipped[len(flipped)-2] ^= 1
		for how, test := range map[string]struct{ raw, want string }{
			"cut off":          {whole[:len(whole)/2], "cut off"},
			"the head alone":   {whole[:5], "cut off"},
			"another checksum": {string(flipped), "damaged"},
			"text behind it":   {whole + "and so on and so forth", "damaged"},
		} {
			root := writeFiles(t, map[string]string{"a.txt": test.raw, "b.txt": "text"})
			for _, path := range []string{root, filepath.Join(root, "a.txt"), "-"} {
				for _, force := range []bool{false, true} {
					_, err := Input{Paths: []string{path}, Force: force}.Read(strings.NewReader(test.raw))
					if err == nil || !strings.Contains(err.Error(), "its "+name+" data") || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") ||
						path != "-" && !strings.Contains(err.Error(), "a.txt") {
						t.Errorf("%s %s of %s, force %v: error %v", name, how, path, force, err)
					}
				}
			}
		}
	}
	// A pipe that breaks says nothing about the data.
	broken := errors.New("broken pipe")
	pipe := func() io.Reader {
		return io.MultiReader(strings.NewReader(gzipped(text)[:20]), iotest.ErrReader(&os.PathError{Op: "read", Path: "pipe", Err: broken}))
	}
	_, err := readOne("-", pipe())
	stream, streamErr := NewReader(pipe())
	if streamErr == nil {
		_, streamErr = io.ReadAll(stream)
	}
	for _, err := range []error{err, streamErr} {
		if !errors.Is(err, broken) || strings.Contains(err.Error(), "damaged") {
			t.Errorf("a pipe that breaks: error %v", err)
		}
	}
}

// A small file may hold more than memory, and may say that it does.
func TestCompressionIsBounded(t *testing.T) {
	const limit = 1 << 20
	for name, raw := range map[string]string{"gzip": gzipped(strings.Repeat(" ", limit+1)), "zstd": zstandard(strings.Repeat(" ", limit+1), zstd.WithWindowSize(4*limit))} {
		root := writeFiles(t, map[string]string{"a.txt": raw})
		for _, path := range []string{root, filepath.Join(root, "a.txt"), "-"} {
			_, err := Input{Paths: []string{path}}.read(strings.NewReader(raw), limit)
			if err == nil || !strings.Contains(err.Error(), "is larger than the 1.0 MiB") {
				t.Errorf("%s of %s: error %v", name, path, err)
			}
		}
	}
	if _, err := (Input{Paths: []string{"-"}}).read(strings.NewReader(gzipped(strings.Repeat(" ", limit))), limit); err != nil {
		t.Errorf("as much as is allowed: %v", err)
	}
	// Few bytes take more when they are compressed.
	short := filepath.Join(writeFiles(t, map[string]string{"a.txt": gzipped("short")}), "a.txt")
	if _, err := (Input{Paths: []string{short}}).read(nil, 5); err != nil {
		t.Errorf("as much as is allowed, of a larger file: %v", err)
	}
	// A frame that asks for a window of 3.75 TB, and one that claims 2^60 bytes.
	for name, raw := range map[string]string{
		"window":  "\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00",
		"content": "\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x10\x01\x00\x00",
	} {
		if _, err := readOne("-", strings.NewReader(raw)); err == nil || !strings.Contains(err.Error(), "window of more than 128.0 MiB") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Every kind of file that is no text is refused with its share of bad bytes, unless it
// is forced, and left out of a folder.
func TestNoText(t *testing.T) {
	german := "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Verpflichtung aller staatlichen Gewalt.\n"
	var latin1 []byte
	for _, r := range strings.Repeat(german, 4) {
		latin1 = append(latin1, byte(r))
	}
	random := make([]byte, 5000)
	state := uint32(1)
	for i := range random {
		state = state*1664525 + 1013904223
		random[i] = byte(state >> 24)
	}
	noNUL := bytes.ReplaceAll(random, []byte{0}, []byte{1})
	utf16LE := encoded(german, 2, binary.LittleEndian)
	for _, test := range []struct {
		name, raw, share string
		ok               bool
	}{
		{"text", german, "", true},
		{"a text with some bad bytes", german + "\xff\xfe\xfd\xfc", "", true},
		{"a text with one more", german + "\xff\xfe\xfd\xfc\xfb", "4.13 %", false},
		{"one bad byte in a thousand", strings.Repeat(strings.Repeat("a", 999)+"\xff", 20), "", true},
		{"a few more", strings.Repeat(strings.Repeat("a", 989)+"\xff", 20), "0.10 %", false},
		{"Latin-1", string(latin1), "1.75 %", false},
		{"random bytes", string(random), "%", false},
		{"random bytes without NUL", string(noNUL), "%", false},
		{"a NUL", "a text\x00", "14.29 %", false},
		{"a NUL far down", strings.Repeat("a", 9000) + "\x00", "", true},
		{"NULs far down", strings.Repeat("a", 9000) + strings.Repeat("\x00", 1000), "10.00 %", false},
		{"UTF-16 without its mark", utf16LE[2:], "%", false},
		{"UTF-16 with a NUL", encoded(german+"\x00", 2, binary.BigEndian), "%", false},
		{"random bytes behind a mark", "\xff\xfe" + string(noNUL), "%", false},
		{"gzip of random bytes", gzipped(string(random)), "%", false},
		{"zstd of gzip", zstandard(gzipped(german)), "%", false},
	} {
		root := writeFiles(t, map[string]string{"a.txt": test.raw, "z.txt": "the end"})
		for _, path := range []string{filepath.Join(root, "a.txt"), "-"} {
			_, err := Input{Paths: []string{path}}.Read(strings.NewReader(test.raw))
			var notText *NotText
			switch {
			case test.ok && err != nil:
				t.Errorf("%s: %v", test.name, err)
			case !test.ok && (!errors.As(err, &notText) || !strings.Contains(err.Error(), test.share+" of its bytes are bad") && test.share != "%" || strings.Contains(err.Error(), "\n")):
				t.Errorf("%s: error %v", test.name, err)
			}
			forced, err := Input{Paths: []string{path}, Force: true}.Read(strings.NewReader(test.raw))
			if err != nil || len(forced.Data) == 0 {
				t.Errorf("%s, forced: error %v", test.name, err)
			}
		}
		text, err := readOne(root, nil)
		if err != nil || (text.LeftOut == 0) != test.ok || (string(text.Data) == "the end") == test.ok {
			t.Errorf("%s, in a folder: %+v, error %v", test.name, text, err)
		}
		if forced, err := (Input{Paths: []string{root}, Force: true}).Read(nil); err != nil || forced.LeftOut != 0 || string(forced.Data) == "the end" {
			t.Errorf("%s, in a folder, forced: error %v", test.name, err)
		}
	}
}

// Several sources are one text, in their order.
func TestReadSeveral(t *testing.T) {
	root := writeFiles(t, map[string]string{"b,c.txt": "second\xff", "folder/1.md": "third\n", "folder/no.bin": "x", "a.txt": "first\n", "none/no.bin": "x"})
	at := func(name string) string { return filepath.Join(root, name) }
	paths := []string{at("a.txt"), at("b,c.txt"), at("folder"), "-", at("a.txt")}
	text, err := Input{Paths: paths}.Read(strings.NewReader("fourth"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "first\nsecond\uFFFD\nthird\nfourth\nfirst\n"; string(text.Data) != want || text.BadBytes != 1 {
		t.Errorf("read %q with %d bad bytes, want %q", text.Data, text.BadBytes, want)
	}
	if sum := New("", []byte("first\nsecond\xffthird\nfourthfirst\n")).SHA256; text.SHA256 != sum {
		t.Errorf("SHA-256 %s, want that of the files alone, %s", text.SHA256, sum)
	}
	if want := strings.Join([]string{at("a.txt"), at("b,c.txt"), at("folder"), "standard input", at("a.txt")}, ", "); text.Name != want || text.LeftOut != 1 || text.FirstLeftOut != at("folder/no.bin") {
		t.Errorf("name %q, want %q, %d left out, the first %q", text.Name, want, text.LeftOut, text.FirstLeftOut)
	}
	for _, bad := range [][]string{{at("a.txt"), at("missing")}, {at("none"), at("a.txt")}, {at("a.txt"), at("none")}, {}} {
		if text, err := (Input{Paths: bad}).Read(nil); err == nil {
			t.Errorf("%q: read %q", bad, text.Data)
		}
	}
	for limit, ok := range map[int64]bool{13: true, 12: false} {
		if _, err := (Input{Paths: []string{at("b,c.txt"), at("folder")}}).read(nil, limit); (err == nil) != ok {
			t.Errorf("13 bytes of %d: error %v", limit, err)
		}
	}
}

// TestReads asks for files inside and outside of a corpus.
func TestReads(t *testing.T) {
	root := writeFiles(t, map[string]string{
		"f/a.txt": "text", "f/b.txt": "GIF\x00", "f/c.txt.gz": gzipped("text"), "f/d.md.zst": zstandard("\x00"), "f/e.json": "{}", "f/sub/g.TEXT": "text",
		"f/.hidden.txt": "text", "f/.git/h.txt": "text", "f/damaged.txt": gzipped("text")[:12], "one": "text", "outside.txt": "text",
	})
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(root, name) }
	if err := os.Symlink(at("outside.txt"), at("f/linked.txt")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no links here:", err)
	}
	for name, want := range map[string]bool{
		"f/a.txt": true, "f/b.txt": false, "f/c.txt.gz": true, "f/d.md.zst": false, "f/e.json": false, "f/sub/g.TEXT": true,
		"f/.hidden.txt": false, "f/.git/h.txt": false, "f/damaged.txt": true, "one": true, "outside.txt": true, "f": false, "f/sub": false,
		"new.txt": false, "f/new.txt": true, "f/new.txt.gz": true, "f/sub/new.md": true, "f/new.json": false, "f/new.gz": false,
		"f/.new.txt": false, "f/.git/new.txt": false, "f2/new.txt": false,
	} {
		s := Input{Paths: []string{at("missing"), at("one"), at("f")}}
		if got := s.Reads(at(name)) != ""; got != want {
			t.Errorf("%s: %v", name, got)
		}
		s.Force = true
		if got := s.Reads(at(name)) != ""; got != (want || name == "f/b.txt" || name == "f/d.md.zst") {
			t.Errorf("%s, forced: %v", name, got)
		}
		if (Input{}).Reads(at(name)) != "" {
			t.Errorf("%s belongs to no corpus", name)
		}
	}
	t.Chdir(root)
	if s := (Input{Paths: []string{"f"}}); s.Reads(at("f/a.txt")) == "" || s.Reads(at("f/new.txt")) == "" {
		t.Error("a relative path is another folder")
	}
	s := Input{Paths: []string{"f"}}
	if got := s.Reads(at("new.txt"), at("f/e.json"), at("f/sub/g.TEXT"), at("f/a.txt")); got != at("f/sub/g.TEXT") {
		t.Errorf("of several files %q is read", got)
	}
	if got := s.Reads(at("f/e.json"), at("f/new.txt")); got != at("f/new.txt") {
		t.Errorf("of several files %q would be read", got)
	}
}
