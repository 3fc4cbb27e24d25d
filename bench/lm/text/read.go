package text

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
)

// memoryLimit returns the size in bytes of the largest text that is read: an eighth of
// the free memory. At character level a byte of text becomes a 4-byte id. A bad byte
// first grows to the 3 bytes of U+FFFD. So the worst text takes 1+3+4 bytes a byte.
//
// A stream of unknown size is read into a doubling buffer. It takes up to 3 bytes a
// byte while it is copied, and at most 2 after that. This fits as well unless all bytes
// are bad (2+3+4).
func memoryLimit() int64 { return min(memory.Free(), math.MaxInt) / 8 }

// Read reads a text. path is a file, a folder, or "-" for stdin. In a folder, the files
// named .txt, .text or .md are joined in the order of their paths. Hidden and binary
// ones are left out.
//
// A path that is missing, empty, without text or larger than memory allows gives an
// error. The error names the path and the remedy on one line. Every size is checked
// against the free memory before it is trusted.
func Read(path string, stdin io.Reader) (*Text, error) {
	return read(path, stdin, memoryLimit())
}

// read is Read with the largest size, in bytes, as an argument.
func read(path string, stdin io.Reader, limit int64) (*Text, error) {
	if path == "-" {
		return readStream("standard input", stdin, 0, limit)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, readError(path, err)
	}
	if info.IsDir() {
		return readFolder(path, limit)
	}
	if info.Size() > limit {
		return nil, tooLarge(path, info.Size(), limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, readError(path, err)
	}
	defer f.Close()
	return readStream(path, f, info.Size(), limit)
}

// readStream reads all of r, at most limit bytes. size is the expected size, 0 if
// unknown.
func readStream(name string, r io.Reader, size, limit int64) (*Text, error) {
	raw, err := readAll(r, size, limit)
	switch {
	case errors.Is(err, errLimit):
		return nil, tooLarge(name, unknownSize, limit)
	case err != nil:
		return nil, readError(name, err)
	case len(raw) == 0:
		return nil, fmt.Errorf("corpus %q is empty: give a text with something in it", name)
	}
	return New(name, raw), nil
}

// textSuffixes are the suffixes of text files in a folder.
var textSuffixes = []string{".txt", ".text", ".md"}

// readFolder joins the text files below root. It adds a line end between files where
// one is missing, so that their words don't run together. The SHA-256 is that of the
// files alone.
func readFolder(root string, limit int64) (*Text, error) {
	names, total, err := textFiles(root)
	if err != nil {
		return nil, err
	}
	if total > limit {
		return nil, tooLarge(root, total, limit)
	}
	text := &Text{Name: root, Data: make([]byte, 0, total+int64(len(names)))}
	hash := sha256.New()
	left := limit
	for _, name := range names {
		raw, err := readFile(name, left)
		switch {
		case errors.Is(err, errLimit):
			// The file grew after textFiles read its size.
			return nil, tooLarge(root, unknownSize, limit)
		case err != nil:
			return nil, readError(name, err)
		case isBinary(raw):
			text.Skipped++
			continue
		}
		left -= int64(len(raw))
		hash.Write(raw)
		data, bad := repair(raw)
		text.BadBytes += bad
		if n := len(text.Data); n > 0 && len(data) > 0 && text.Data[n-1] != '\n' {
			text.Data = append(text.Data, '\n')
		}
		text.Data = append(text.Data, data...)
	}
	if len(text.Data) == 0 {
		return nil, fmt.Errorf("corpus folder %q holds no text: put files named .txt, .text or .md in it, or name one file", root)
	}
	text.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return text, nil
}

// textFiles returns the sorted paths of the text files below root, and the sum of their
// sizes in bytes. Links to files count as files. Links to folders are not followed,
// because they may form cycles.
func textFiles(root string) (names []string, total int64, err error) {
	fsys := os.DirFS(root)
	err = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		name := filepath.Join(root, filepath.FromSlash(p))
		if err != nil {
			return readError(name, err)
		}
		if p != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || !slices.Contains(textSuffixes, strings.ToLower(path.Ext(p))) {
			return nil
		}
		info, err := fs.Stat(fsys, p)
		if err != nil {
			return readError(name, err)
		}
		if info.Mode().IsRegular() {
			names = append(names, name)
			total += info.Size()
		}
		return nil
	})
	return names, total, err
}

// errLimit is readAll's error for more than limit bytes.
var errLimit = errors.New("larger than the limit")

// readFile reads the named file, at most limit bytes of it.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return readAll(f, info.Size(), limit)
}

// readAll reads r to its end. It allocates room for size bytes, a hint, at once.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, errLimit
	}
	var buf bytes.Buffer
	buf.Grow(int(size) + bytes.MinRead) // ReadFrom needs MinRead free bytes to see the end
	if _, err := buf.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, errLimit
	}
	return buf.Bytes(), nil
}

// isBinary reports whether raw is binary by git's rule: a NUL among its first 8000
// bytes.
func isBinary(raw []byte) bool {
	return bytes.IndexByte(raw[:min(len(raw), 8000)], 0) >= 0
}

// readError wraps an error from reading name. It drops the operation and path of an
// fs.PathError, which the message has already.
func readError(name string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("corpus %q: %w: give a text file, a folder of .txt, .text or .md files, or - for standard input", name, err)
}

const unknownSize = -1

// tooLarge returns the error for name, which holds size bytes, more than limit.
func tooLarge(name string, size, limit int64) error {
	holds := ""
	if size != unknownSize {
		holds = " (" + figures.Bytes(size) + ")"
	}
	return fmt.Errorf("corpus %q%s is larger than the %s that memory allows here: give a smaller text, or a part of this one",
		name, holds, figures.Bytes(limit))
}
