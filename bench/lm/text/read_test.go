package text

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// writeFiles makes a folder of files, given by their slash-separated paths.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, data := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// readOne reads the text at one path.
func readOne(path string, stdin io.Reader) (*Text, error) {
	return Input{Paths: []string{path}}.Read(stdin)
}

func TestReadFile(t *testing.T) {
	name := filepath.Join(writeFiles(t, map[string]string{"odd name.dat": "a\xffb"}), "odd name.dat")
	text, err := readOne(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text.Name != name || string(text.Data) != "a\uFFFDb" || text.BadBytes != 1 || text.Synthetic {
		t.Errorf("read %+v", text)
	}
}

func TestReadStandardInput(t *testing.T) {
	text, err := readOne("-", iotest.OneByteReader(strings.NewReader("語a")))
	if err != nil {
		t.Fatal(err)
	}
	if text.Name != "standard input" || string(text.Data) != "語a" || text.BadBytes != 0 {
		t.Errorf("read %+v", text)
	}
}

func TestReadFolder(t *testing.T) {
	root := writeFiles(t, map[string]string{
		"b.txt":           "second\xff",
		"a/z.md":          "first\n",
		"b/1.TXT":         "third\n",
		"b/2.text":        "fourth",
		"b/empty.txt":     "",
		"c.go":            "not text",
		"binary.txt":      "GIF\x00",
		"c.md.gz":         gzipped("fifth"),
		"c.text.ZST":      zstandard("sixth\n"),
		"c.tar.gz":        gzipped("not named as text"),
		"d.txt.gz":        "not compressed",
		"bom.txt":         "\xef\xbb\xbfno mark",
		"e.gz":            gzipped("not named as text"),
		".hidden.txt":     "not seen",
		".git/config.txt": "not seen",
		"z.txt":           "\xa9last",
	})
	text, err := readOne(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Sorted as a walk goes: the folder b before the file b.txt.
	const want = "first\nthird\nfourth\nsecond\uFFFD\nno mark\nfifth\nsixth\nnot compressed\n\uFFFDlast"
	if string(text.Data) != want {
		t.Errorf("read %q, want %q", text.Data, want)
	}
	if text.Name != root || text.BadBytes != 2 || text.LeftOut != 4 || text.FirstLeftOut != filepath.Join(root, "binary.txt") {
		t.Errorf("name %q, %d bad bytes, %d left out, the first %q", text.Name, text.BadBytes, text.LeftOut, text.FirstLeftOut)
	}
	if sum := New("", []byte("first\nthird\nfourthsecond\xff\xef\xbb\xbfno markfifthsixth\nnot compressed\xa9last")).SHA256; text.SHA256 != sum {
		t.Errorf("SHA-256 %s, want that of the files alone, %s", text.SHA256, sum)
	}
}

func TestReadFolderFollowsLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	root := writeFiles(t, map[string]string{"real/a.txt": "text"})
	if err := os.Symlink(filepath.Join(root, "real"), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(root, "real", "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.txt", filepath.Join(root, "real", "b.txt")); err != nil {
		t.Fatal(err)
	}
	text, err := readOne(filepath.Join(root, "link"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "text\ntext"; string(text.Data) != want {
		t.Errorf("read %q, want %q", text.Data, want)
	}
}

// A file's name may be any bytes.
func TestReadFolderOfAnyNames(t *testing.T) {
	root := writeFiles(t, map[string]string{"a.txt": "first\n"})
	if err := os.MkdirAll(filepath.Join(root, "d\xff"), 0o700); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("such names are refused here: ", err)
	}
	for name, content := range map[string]string{"b\xff.txt": "second\n", "c\nd.txt": "third\n", "d\xff/e.md": "fourth\n", "f\xff.bin": "left out"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip("such names are refused here: ", err)
		}
	}
	text, err := readOne(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "first\nsecond\nthird\nfourth\n"; string(text.Data) != want {
		t.Errorf("read %q, want %q", text.Data, want)
	}
	if want := filepath.Join(root, "f\xff.bin"); text.LeftOut != 1 || text.FirstLeftOut != want {
		t.Errorf("%d left out, the first %q, want %q", text.LeftOut, text.FirstLeftOut, want)
	}
	if in := (Input{Paths: []string{root}}); in.Reads(filepath.Join(root, "a.txt")) == "" || in.Reads(filepath.Join(root, "b\xff.txt")) == "" {
		t.Error("a file that is read counts as one that may be overwritten")
	}
}

func TestReadErrors(t *testing.T) {
	root := writeFiles(t, map[string]string{
		"empty.txt":         "",
		"big.txt":           "123456789",
		"no-text/a.png":     "x",
		"all-empty/a.txt":   "",
		"all-binary/a.txt":  "\x00",
		"big-together/1.md": "12345",
		"big-together/2.md": "6789",
	})
	for _, tc := range []struct {
		name  string
		path  string
		stdin io.Reader
		want  string
	}{
		{"missing", filepath.Join(root, "none.txt"), nil, "none.txt"},
		{"no path", "", nil, `corpus ""`},
		{"line end in the name", filepath.Join(root, "a\nb"), nil, `a\nb`},
		{"empty file", filepath.Join(root, "empty.txt"), nil, "is empty: give"},
		{"empty input", "-", strings.NewReader(""), `"standard input" is empty: give`},
		{"broken input", "-", iotest.ErrReader(errors.New("broken pipe")), "broken pipe"},
		{"folder without text", filepath.Join(root, "no-text"), nil, "holds no text: put files named"},
		{"folder of empty files", filepath.Join(root, "all-empty"), nil, "holds no text"},
		{"folder of binary files", filepath.Join(root, "all-binary"), nil, "holds no text: corpus"},
		{"large file", filepath.Join(root, "big.txt"), nil, "(9 B) is larger than the 8 B"},
		{"large folder", filepath.Join(root, "big-together"), nil, "(9 B) is larger than the 8 B"},
		{"large input", "-", strings.NewReader("123456789"), `"standard input" is larger than the 8 B`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text, err := (Input{Paths: []string{tc.path}}).read(tc.stdin, 8)
			if err == nil {
				t.Fatalf("read %+v", text)
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, tc.want)
			}
		})
	}

	_, err := readOne(filepath.Join(root, "none.txt"), nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v: not fs.ErrNotExist", err)
	}
	for _, stdin := range []string{"12345678", "1"} {
		if _, err := (Input{Paths: []string{"-"}}).read(strings.NewReader(stdin), 8); err != nil {
			t.Errorf("%d bytes of 8 allowed: %v", len(stdin), err)
		}
	}
}

func TestReadRefusesHugeFileUnread(t *testing.T) {
	name := filepath.Join(t.TempDir(), "huge.txt")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Sparse: it has a length but takes no room.
	if err := f.Truncate(8 << 40); err != nil {
		t.Skip("no sparse files here: ", err)
	}
	if _, err := readOne(name, nil); err == nil || !strings.Contains(err.Error(), "(8.0 TiB) is larger") {
		t.Errorf("error %v", err)
	}
}
