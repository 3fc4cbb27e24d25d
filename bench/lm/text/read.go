package text

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
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

// An Input says where a text is.
type Input struct {
	// Paths are files, folders, or Stdin. They are read in order, as one text.
	Paths []string
	// Force reads every file as it is, also one that is no text in a known encoding.
	Force bool
}

// Stdin as a path means standard input.
const Stdin = "-"

// stdinName is how standard input is called.
const stdinName = "standard input"

// Read reads the text. In a folder, the files named .txt, .text or .md, also with .gz or
// .zst behind it, are read in the order of their paths. It leaves out hidden files,
// and without Force those that are no text, see [NotText].
//
// Data compressed by gzip or zstd is read as what it holds. A text is in UTF-8, or in
// UTF-16 or UTF-32 with its byte order mark, which isn't part of the text.
//
// A path that is missing, empty, without text or larger than memory allows gives an
// error. The error names the path and the remedy on one line. Every size is checked
// against the free memory before it is trusted.
func (in Input) Read(stdin io.Reader) (*Text, error) {
	return in.read(stdin, memoryLimit())
}

// read is Read with the largest size, in bytes, as an argument.
func (in Input) read(stdin io.Reader, limit int64) (*Text, error) {
	r := &reader{force: in.Force, limit: limit, left: limit, hash: sha256.New(), text: &Text{}}
	var names []string
	for _, path := range in.Paths {
		name, err := r.add(path, stdin)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, errors.New("no corpus is named: " + whatToGive)
	}
	r.text.Name = strings.Join(names, ", ")
	r.text.SHA256 = hex.EncodeToString(r.hash.Sum(nil))
	return r.text, nil
}

// A reader reads a text piece by piece.
type reader struct {
	force       bool
	limit, left int64 // bytes of all pieces, and of those to come
	hash        hash.Hash
	text        *Text
}

// add reads the file, folder or stream at path. It returns its name.
func (r *reader) add(path string, stdin io.Reader) (name string, err error) {
	if path == Stdin {
		name = stdinName
		return name, r.whole(name, func() (piece, error) { return readPiece(name, stdin, 0, r.left) })
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", readError(path, err)
	}
	if info.IsDir() {
		return path, r.folder(path)
	}
	return path, r.whole(path, func() (piece, error) { return readFile(path, r.left) })
}

// whole adds a piece that is not of a folder.
func (r *reader) whole(name string, read func() (piece, error)) error {
	p, err := read()
	switch {
	case errors.Is(err, errLimit):
		return tooLarge(name, p.size, r.limit)
	case err != nil:
		return readError(name, err)
	case len(p.data) == 0:
		return isEmpty(name)
	case p.notText != nil && !r.force:
		return p.notText
	}
	r.join(p)
	return nil
}

// folder adds the text files below root.
func (r *reader) folder(root string) error {
	files, total, err := folderFiles(root)
	if err != nil {
		return err
	}
	if total > r.left {
		return tooLarge(root, total, r.limit)
	}
	if r.text.Data == nil {
		r.text.Data = make([]byte, 0, total+int64(len(files)))
	}
	before := len(r.text.Data)
	var refused error
	for _, f := range files {
		if !f.named {
			r.leaveOut(f.path)
			continue
		}
		p, err := readFile(f.path, r.left)
		switch {
		case errors.Is(err, errLimit):
			// The file grew, or holds more than its compressed size.
			return tooLarge(root, unknownSize, r.limit)
		case err != nil:
			return readError(f.path, err)
		case p.notText != nil && !r.force:
			r.leaveOut(f.path)
			if refused == nil {
				refused = p.notText
			}
			continue
		}
		r.join(p)
	}
	if len(r.text.Data) > before {
		return nil
	}
	return holdsNoText(root, refused)
}

func isEmpty(name string) error {
	return fmt.Errorf("corpus %q is empty: give a text with something in it", name)
}

// holdsNoText is the error for a folder without text. refused is the first reason why a
// file is none, or nil.
func holdsNoText(root string, refused error) error {
	if refused != nil {
		return fmt.Errorf("corpus folder %q holds no text: %w", root, refused)
	}
	return fmt.Errorf("corpus folder %q holds no text: put files named .txt, .text or .md in it, or name one file", root)
}

// join adds a piece to the text. It adds a line end between pieces where one is missing,
// so that their words don't run together. The SHA-256 is that of the pieces alone.
func (r *reader) join(p piece) {
	r.left -= int64(len(p.raw))
	r.hash.Write(p.raw)
	t := r.text
	t.BadBytes += p.bad
	if cap(t.Data) == 0 {
		t.Data = p.data
		return
	}
	if n := len(t.Data); n > 0 && len(p.data) > 0 && t.Data[n-1] != '\n' {
		t.Data = append(t.Data, '\n')
	}
	t.Data = append(t.Data, p.data...)
}

func (r *reader) leaveOut(path string) {
	if r.text.LeftOut == 0 {
		r.text.FirstLeftOut = path
	}
	r.text.LeftOut++
}

// A piece is what one file or stream holds.
type piece struct {
	raw, data []byte // decompressed; as UTF-8
	bad       int    // bytes of raw
	notText   error  // nil if it passes for text
	size      int64  // of a file that is too large, if that is known
}

// readFile reads a file, at most limit bytes of what it holds.
func readFile(path string, limit int64) (piece, error) {
	f, err := os.Open(path)
	if err != nil {
		return piece{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return piece{}, err
	}
	return readPiece(path, f, info.Size(), limit)
}

// readPiece reads all of r, at most limit bytes. size is the expected size, 0 if
// unknown.
func readPiece(name string, r io.Reader, size, limit int64) (piece, error) {
	plain, compressed, err := decompress(newBuffer(r), limit)
	if err != nil {
		return piece{}, err
	}
	if compressed {
		size = 0 // it says nothing about what it holds
	}
	p := piece{size: unknownSize}
	if p.raw, err = readAll(plain, size, limit); err != nil {
		if size > limit {
			p.size = size
		}
		return p, err
	}
	p.data, p.bad = decode(p.raw)
	p.notText = check(name, p.raw, p.data, p.bad)
	return p, nil
}

// Reads returns the first of the files that Read takes in, "" if there is none. They are
// absolute, and no links. Where there is no file yet, it says whether a text there would
// be taken in: it would make another text of the folder. It walks a folder once, which
// may hold very many files.
func (in Input) Reads(files ...string) string {
	infos := make([]fs.FileInfo, len(files)) // nil where there is none
	for i, path := range files {
		infos[i], _ = os.Stat(path)
	}
	for _, p := range in.Paths {
		read, err := os.Stat(p)
		if p == Stdin {
			read, err = os.Stdin.Stat()
		}
		if err != nil { // it is missing, which Read reports
			continue
		}
		if index := IndexAt(p); index != "" {
			if path := ofEncoded(filepath.Dir(index), files); path != "" {
				return path
			}
		}
		taken := func(info fs.FileInfo) bool { return os.SameFile(info, read) }
		if read.IsDir() {
			taken = in.takenFrom(p)
		}
		for i, path := range files {
			switch info := infos[i]; {
			case info == nil:
				if read.IsDir() && wouldRead(p, path) {
					return path
				}
			case info.Mode().IsRegular() && taken(info):
				return path
			}
		}
	}
	return ""
}

// ofEncoded returns the first of the files that belongs to a corpus in files, "" if there
// is none.
func ofEncoded(folder string, files []string) string {
	here, err := os.Stat(folder)
	if err != nil {
		return ""
	}
	for _, path := range files {
		if info, err := os.Stat(filepath.Dir(path)); err == nil && os.SameFile(info, here) && ourNames.MatchString(filepath.Base(path)) {
			return path
		}
	}
	return ""
}

// takenFrom returns a function that reports whether a file is one of those that are read
// below root.
func (in Input) takenFrom(root string) func(fs.FileInfo) bool {
	files, _, err := folderFiles(root)
	if err != nil {
		return func(fs.FileInfo) bool { return false } // Read reports it
	}
	var paths []string
	var named []fs.FileInfo
	for _, f := range files {
		if info, err := os.Stat(f.path); err == nil && f.named {
			paths, named = append(paths, f.path), append(named, info)
		}
	}
	return func(info fs.FileInfo) bool {
		for i, other := range named {
			if !os.SameFile(info, other) {
				continue
			}
			// What can't be read is no text, but nothing that may be overwritten either.
			if p, err := readFile(paths[i], memoryLimit()); in.Force || err != nil || p.notText == nil {
				return true
			}
		}
		return false
	}
}

// wouldRead reports whether a file at path, where there is none, would be among those
// that are named as text below root.
func wouldRead(root, path string) bool {
	if resolved, err := filepath.EvalSymlinks(root); err == nil {
		root = resolved
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return false
	}
	inside, err := filepath.Rel(root, path)
	if err != nil || !filepath.IsLocal(inside) || !isTextName(inside) {
		return false
	}
	for part := range strings.SplitSeq(inside, string(filepath.Separator)) {
		if isHidden(part) {
			return false
		}
	}
	return true
}

// A folderFile is a file of a folder that is not hidden.
type folderFile struct {
	path  string
	named bool // as a text, and a regular file
}

// folderFiles returns the files below root, sorted by their paths. It also returns the
// sum of the sizes in bytes of those that are named as text. Links to files count as
// files. Links to folders are not followed, because they may form cycles.
func folderFiles(root string) (files []folderFile, total int64, err error) {
	// With a separator behind it, a link to a folder is followed. An fs.FS would refuse
	// names that are not UTF-8.
	top := root + string(filepath.Separator)
	err = filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return readError(filepath.Clean(name), err)
		}
		if name != top && isHidden(d.Name()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		f := folderFile{path: name}
		if isTextName(d.Name()) {
			info, err := os.Stat(name)
			if err != nil {
				return readError(name, err)
			}
			if f.named = info.Mode().IsRegular(); f.named {
				total += info.Size()
			}
		}
		files = append(files, f)
		return nil
	})
	return files, total, err
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") }

// isTextName reports whether the files of a folder that have such a name are read.
func isTextName(name string) bool {
	name = strings.ToLower(name)
	for _, compressed := range []string{".gz", ".zst"} {
		if plain, ok := strings.CutSuffix(name, compressed); ok {
			name = plain
			break
		}
	}
	switch filepath.Ext(name) {
	case ".txt", ".text", ".md":
		return true
	}
	return false
}

// errLimit is readAll's error for more than limit bytes.
var errLimit = errors.New("larger than the limit")

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

// whatToGive is the remedy for a source that can't be read.
const whatToGive = "give a text file, a folder of .txt, .text or .md files, or - for standard input"

// readError wraps an error from reading name. It drops the operation and path of an
// fs.PathError, which the message has already.
func readError(name string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("corpus %q: %w: %s", name, err, whatToGive)
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
