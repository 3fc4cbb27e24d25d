package text

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"batchrnn/internal/durable"
)

// An Encoding says which texts become a corpus in files, and how.
type Encoding struct {
	// Options are those of Build, without texts of their own: ValidText and TestText take
	// their place. One without paths is cut off the text, unless uncut.
	Options
	Text                Input // without paths, the default text
	ValidText, TestText Input
	Seed                uint64 // of the default text, where it is generated
	Stdin               io.Reader
	// Told is called with how many bytes of the texts are read, and with the share of the
	// ids that is written then, by one goroutine at a time.
	Told func(read int64, written float64)
}

// errFolder says that a folder is not one that Write may replace.
var errFolder = errors.New("has other files than those of an encoded corpus: name another folder")

// CheckFolder returns an error if [Encoding.Write] would not write the folder at path,
// because of what is there.
func CheckFolder(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("can't be a folder of ids: %w: name another", durable.WithoutPath(err))
	}
	for _, e := range entries {
		if !ourNames.MatchString(e.Name()) || e.IsDir() {
			return errFolder
		}
	}
	if len(entries) > 0 && IndexAt(path) == "" {
		return errFolder
	}
	return nil
}

// Write writes the folder of the corpus that [Build] makes of the same texts and options.
// A corpus that was there is replaced; other folders are refused. [OpenEncoded] reads it.
//
// A text may be larger than the memory, which holds its distinct tokens alone, its unknown
// ones of the test part, and the first 524,288 of Corpus.Rare. The disk holds 8 bytes
// a token for a while, and 4 in the end. Each text is read once.
//
// If ctx ends, Write returns its error, and writes nothing.
func (e Encoding) Write(ctx context.Context, path string) (Index, error) {
	var x Index
	if err := e.check(); err != nil {
		return x, err
	}
	if err := CheckFolder(path); err != nil {
		return x, &FolderError{err}
	}
	var failed error
	err := durable.WriteFolder(path, func(folder string) error {
		if x, failed = e.write(ctx, folder); failed != nil {
			return failed
		}
		return CheckFolder(path) // others may have put files there meanwhile
	})
	if err != nil && failed == nil {
		err = &FolderError{err}
	}
	return x, err
}

// A FolderError is about the folder that [Encoding.Write] writes.
type FolderError struct{ Err error }

func (e *FolderError) Error() string { return e.Err.Error() }

func (e *FolderError) Unwrap() error { return e.Err }

func (e Encoding) write(ctx context.Context, folder string) (x Index, err error) {
	numbers := filepath.Join(folder, "numbers")
	f, err := os.Create(numbers)
	if err != nil {
		return x, &FolderError{durable.WithoutPath(err)}
	}
	defer f.Close()
	c := &counter{ctx: ctx, level: e.Level, seen: newCensus(e.Level), out: &spool{f: f}, told: func(read int64) { e.Told(read, 0) }}
	uncut := Uncut{Valid: e.Uncut.Valid || len(e.ValidText.Paths) > 0, Test: e.Uncut.Test || len(e.TestText.Paths) > 0}
	text, err := c.text(e.Text, e.Seed, e.Stdin, leastTokens(uncut))
	if err != nil {
		return x, spooled(err)
	}
	var ownValid, ownTest numbered
	for _, own := range []struct {
		name string
		in   Input
		to   *numbered
	}{{"Valid", e.ValidText, &ownValid}, {"Test", e.TestText, &ownTest}} {
		if len(own.in.Paths) == 0 {
			continue
		}
		if *own.to, err = c.text(own.in, 0, e.Stdin, 1); err != nil {
			if err = spooled(err); !isFolderError(err) && ctx.Err() == nil {
				err = &PartError{Part: own.name, Err: err}
			}
			return x, err
		}
	}

	all, _, unmap, err := mapIDs([]idFile{{numbers, int(c.out.n)}})
	if err != nil {
		return x, &FolderError{err}
	}
	defer unmap()
	train, valid, test, err := e.Level.cut(text.Name, all[text.from:text.to], uncut)
	if err != nil {
		return x, err
	}
	if own := all[ownValid.from:ownValid.to]; len(own) > 0 {
		valid = own
	}
	if own := all[ownTest.from:ownTest.to]; len(own) > 0 {
		test = own
	}
	corpus, ids, err := c.seen.corpus(text.Name, e.Options, train, valid, test)
	if err != nil {
		return x, err
	}
	x = Index{
		Format: indexFormat, Name: text.Name, SHA256: text.SHA256, Level: e.Level.String(), Synthetic: text.synthetic,
		MaxVocab: e.MaxVocab, MinCount: e.MinCount,
		Bytes: text.bytes, BadBytes: text.bad + ownValid.bad + ownTest.bad,
		ValidSource: ownValid.Source, TestSource: ownTest.Source, Uncut: uncut,
		Vocab: corpus.Vocab.Len(), Rare: len(corpus.Rare), TestUnk: len(corpus.TestUnk),
	}
	for _, t := range []numbered{text, ownValid, ownTest} {
		if x.LeftOut == 0 {
			x.FirstLeftOut = t.left.first
		}
		x.LeftOut += t.left.files
	}
	var telling sync.Mutex
	written := 0
	told := func(n int) {
		telling.Lock()
		defer telling.Unlock()
		written += n
		e.Told(c.read, float64(written)/float64(corpus.Tokens()))
	}
	if err := x.writeFiles(ctx, folder, corpus, ids, told); err != nil {
		return x, err
	}
	f.Close()
	if err := os.Remove(numbers); err != nil {
		return x, &FolderError{durable.WithoutPath(err)}
	}
	return x, nil
}

func isFolderError(err error) bool {
	_, ok := errors.AsType[*FolderError](err)
	return ok
}

// spooled returns an error of the spool as one of the folder.
func spooled(err error) error {
	if s, ok := errors.AsType[spoolError](err); ok {
		return &FolderError{durable.WithoutPath(s.error)}
	}
	return err
}

// writeFiles writes all files, the index last.
func (x *Index) writeFiles(ctx context.Context, folder string, c *Corpus, ids []int32, told func(n int)) error {
	var files []*IndexFile
	var parts [][]int32
	add := func(to *[]IndexFile, part []int32, most int, name func(i int) string) {
		for i := 0; len(part) > 0; i++ {
			n := min(len(part), most)
			*to = append(*to, IndexFile{Name: name(i)})
			parts = append(parts, part[:n])
			part = part[n:]
		}
		for i := range *to {
			files = append(files, &(*to)[i])
		}
	}
	add(&x.Train, c.Train, fileTokens, trainName)
	add(&x.Valid, c.Valid, len(c.Valid), func(int) string { return validName })
	add(&x.Test, c.Test, len(c.Test), func(int) string { return testName })
	err := onAllCores(len(files), func(i int, buf []byte) error {
		return files[i].write(folder, func(w io.Writer) error { return writeIDs(ctx, w, parts[i], ids, buf, told) })
	})
	if err != nil {
		return err
	}
	x.Tokens.Name = tokensName
	err = x.Tokens.write(folder, func(w io.Writer) error {
		_, err := w.Write(c.appendTokens(nil))
		return err
	})
	if err != nil {
		return err
	}
	if x.Checksum, err = x.checksum(); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	return (&IndexFile{Name: IndexName}).write(folder, func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
}

// write writes and syncs the file. It sets the size and the checksum.
func (f *IndexFile) write(folder string, write func(w io.Writer) error) error {
	file, err := os.Create(filepath.Join(folder, f.Name))
	if err != nil {
		return &FolderError{fmt.Errorf("%s: %w", f.Name, durable.WithoutPath(err))}
	}
	w := &summer{w: file}
	err = write(w)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if _, system := errors.AsType[*fs.PathError](err); system {
		return &FolderError{fmt.Errorf("%s: %w", f.Name, durable.WithoutPath(err))}
	}
	f.Bytes, f.Checksum = w.bytes, hexOf(w.crc)
	return err
}

// A summer counts what it writes, and keeps a checksum of it.
type summer struct {
	w     io.Writer
	bytes int64
	crc   uint32
}

func (s *summer) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.bytes += int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, b[:n])
	return n, err
}

// writeIDs writes the ids of numbers, by way of buf. It calls told with each number of ids
// that it has written.
func writeIDs(ctx context.Context, w io.Writer, numbers, ids []int32, buf []byte, told func(n int)) error {
	for len(numbers) > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := min(len(numbers), len(buf)/idBytes)
		for i, number := range numbers[:n] {
			binary.LittleEndian.PutUint32(buf[i*idBytes:], uint32(ids[number]))
		}
		if _, err := w.Write(buf[:n*idBytes]); err != nil {
			return err
		}
		numbers = numbers[n:]
		told(n)
	}
	return nil
}
