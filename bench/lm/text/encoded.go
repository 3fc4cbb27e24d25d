package text

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
)

// A corpus in files is a folder:
//
//	rnnbench-ids.json               the index, see [Index]
//	tokens.bin                      the vocabulary, and tokens as they were written
//	train-0000.ids, train-0001.ids  the training part
//	valid.ids, test.ids             the other parts; none of an empty part
//
// A file of ids has the ids of tokens in order, 4 bytes each, little-endian. Each of the
// training part but the last has the same number of them, a multiple of fileUnit. So the
// files can be mapped one after the other, as one slice, whatever the size of a page.
//
// In tokens.bin a token is its length in bytes, a varint, and its text. It has the
// vocabulary by id, each token followed by its count in the training part, a varint. Then
// come Corpus.Rare and Corpus.TestUnk.

// IndexName is the name of the index in the folder of a corpus.
const IndexName = "rnnbench-ids.json"

const (
	tokensName = "tokens.bin"
	validName  = "valid.ids"
	testName   = "test.ids"

	indexFormat = 1
	maxIndex    = 64 << 20 // bytes of an index that is read

	idBytes  = 4
	fileUnit = 64 << 10 / idBytes // ids; 64 KiB is the largest page of any system
)

// fileTokens is the number of ids in a file of the training part. It is a variable for
// tests.
var fileTokens = 64 << 20 / idBytes

func trainName(i int) string { return fmt.Sprintf("train-%04d.ids", i) }

var ourNames = regexp.MustCompile(`^(rnnbench-ids\.json|tokens\.bin|(valid|test|train-\d{4,})\.ids)$`)

// An Index describes a corpus in files. It is JSON.
type Index struct {
	Format   int    `json:"format"` // 1
	Checksum string `json:"crc32c"` // CRC-32C, hex, of the index as compact JSON with "" here

	Name      string `json:"name"`
	SHA256    string `json:"sha256"`
	Level     string `json:"level"` // "char", "word" or "sentence"
	Bytes     int    `json:"bytes"` // see Corpus
	BadBytes  int    `json:"bad_bytes"`
	Synthetic bool   `json:"synthetic"`

	LeftOut      int    `json:"left_out"` // see Text; of all texts
	FirstLeftOut string `json:"first_left_out"`

	// Of Options, as they were given.
	MaxVocab int `json:"vocab_limit"`
	MinCount int `json:"min_count"`

	ValidSource Source `json:"valid_source"` // see Corpus
	TestSource  Source `json:"test_source"`
	Uncut       Uncut  `json:"uncut"`

	Vocab   int `json:"vocab"`        // tokens, by id
	Rare    int `json:"rare_tokens"`  // in Corpus.Rare
	TestUnk int `json:"test_unknown"` // in Corpus.TestUnk

	Tokens IndexFile   `json:"tokens"`
	Train  []IndexFile `json:"train"`
	Valid  []IndexFile `json:"valid"` // one, or none of an empty part
	Test   []IndexFile `json:"test"`
}

// An IndexFile is a file of the folder.
type IndexFile struct {
	Name     string `json:"name"`
	Bytes    int64  `json:"bytes"`
	Checksum string `json:"crc32c"` // CRC-32C, hex
}

func (f IndexFile) ids() int { return int(f.Bytes / idBytes) }

// idsIn returns the number of ids in files.
func idsIn(files []IndexFile) (n int) {
	for _, f := range files {
		n += f.ids()
	}
	return n
}

// TrainTokens, ValidTokens and TestTokens return the numbers of tokens of the parts.
func (x Index) TrainTokens() int { return idsIn(x.Train) }
func (x Index) ValidTokens() int { return idsIn(x.Valid) }
func (x Index) TestTokens() int  { return idsIn(x.Test) }

// Size returns how many bytes all files but the index take.
func (x Index) Size() int64 {
	return x.Tokens.Bytes + int64(x.TrainTokens()+x.ValidTokens()+x.TestTokens())*idBytes
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func hexOf(crc uint32) string { return fmt.Sprintf("%08x", crc) }

// checksum returns what Checksum should be.
func (x Index) checksum() (string, error) {
	x.Checksum = ""
	raw, err := json.Marshal(x)
	return hexOf(crc32.Checksum(raw, castagnoli)), err
}

// IndexAt returns the index of the corpus in files at path: path is its folder or the
// index itself. It returns "" if there is none.
func IndexAt(path string) string {
	if filepath.Base(path) != IndexName {
		path = filepath.Join(path, IndexName)
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return ""
	}
	return path
}

// Encoded is a corpus in files, for training from it.
type Encoded struct {
	Index
	// Corpus has the ids, mapped from the files: they take no memory that the system
	// can't take back. They must not be written. Of a file that another process
	// shortens, the next look at a lost id ends this process.
	//
	// The mapping stays until the process ends: work that was given up may still read it.
	Corpus *Corpus

	folder string
	stats  map[string]fs.FileInfo // of the files of ids, when they were mapped
}

// again is the remedy for files that are not as they were written.
const again = "copy it again, or encode the text again"

// OpenEncoded opens the corpus whose index is at path. It checks the sizes of all files. It
// reads the index and the tokens; [Encoded.Check] and [Encoded.CheckHeldOut] read ids.
//
// An error is one line that names the file and the remedy. No length in a file is believed
// before the bytes are there.
func OpenEncoded(path string) (s *Encoded, err error) {
	s = &Encoded{folder: filepath.Dir(path), stats: map[string]fs.FileInfo{}}
	raw, err := readSmall(path, maxIndex)
	if err == nil {
		s.Index, err = parseIndex(raw)
	}
	if err != nil {
		return nil, s.failure(filepath.Base(path), err)
	}
	level, _ := ParseLevel(s.Level)
	c := &Corpus{
		Name: s.Name, SHA256: s.SHA256, Level: level, ValidSource: s.ValidSource, TestSource: s.TestSource, Uncut: s.Uncut,
		Bytes: s.Bytes, BadBytes: s.BadBytes, Synthetic: s.Synthetic,
	}
	if err := s.readTokens(c); err != nil {
		return nil, s.failure(s.Tokens.Name, err)
	}
	for _, part := range []struct {
		files []IndexFile
		ids   *[]int32
	}{{s.Train, &c.Train}, {s.Valid, &c.Valid}, {s.Test, &c.Test}} {
		var unmap func()
		if *part.ids, unmap, err = s.mapPart(part.files); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				unmap()
			}
		}()
	}
	c.setRates()
	s.Corpus = c
	return s, nil
}

// failure names the file of an error.
func (s *Encoded) failure(name string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("corpus %q: %s: %w: %s", s.folder, name, err, again)
}

// readSmall reads a regular file of at most so many bytes.
func readSmall(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened: opening a pipe waits for its writer
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Size() > most:
		return nil, fmt.Errorf("has %s, more than any has here", figures.Bytes(info.Size()))
	}
	return os.ReadFile(path)
}

// parseIndex returns the index in raw, whose values make sense together.
func parseIndex(raw []byte) (x Index, err error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return x, fmt.Errorf("is damaged: %w", err)
	}
	if version.Format != indexFormat {
		return x, fmt.Errorf("has format %d, and this program reads format %d", version.Format, indexFormat)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return x, fmt.Errorf("is damaged: %w", err)
	}
	if sum, err := x.checksum(); err != nil || sum != x.Checksum {
		return x, fmt.Errorf("is damaged: its checksum is %s, and it says %.20q", sum, x.Checksum)
	}
	return x, x.validate()
}

func (x Index) validate() error {
	if _, err := ParseLevel(x.Level); err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	for _, n := range []int{x.Bytes, x.BadBytes, x.LeftOut, x.MaxVocab, x.MinCount, x.Rare, x.TestUnk} {
		if n < 0 {
			return fmt.Errorf("is damaged: it has a count of %d", n)
		}
	}
	if x.Vocab < 1 || x.Vocab > math.MaxInt32 || x.Tokens.Name != tokensName || x.Tokens.Bytes < 0 {
		return fmt.Errorf("is damaged: it has %d tokens in a file %q of %d bytes", x.Vocab, x.Tokens.Name, x.Tokens.Bytes)
	}
	total := int64(0)
	part := func(files []IndexFile, name func(i int) string) error {
		for i, f := range files {
			full := files[0].Bytes
			if f.Name != name(i) || f.Bytes <= 0 || f.Bytes%idBytes != 0 || f.Bytes > full || i < len(files)-1 && (f.Bytes != full || full%(fileUnit*idBytes) != 0) || f.Bytes > math.MaxInt64-total {
				return fmt.Errorf("is damaged: file %d of a part is %q, of %d bytes", i, f.Name, f.Bytes)
			}
			total += f.Bytes
		}
		return nil
	}
	if err := part(x.Train, trainName); err != nil {
		return err
	}
	for _, held := range []struct {
		files []IndexFile
		name  string
	}{{x.Valid, validName}, {x.Test, testName}} {
		if len(held.files) > 1 {
			return fmt.Errorf("is damaged: %s is there %d times", held.name, len(held.files))
		}
		if err := part(held.files, func(int) string { return held.name }); err != nil {
			return err
		}
	}
	if len(x.Train) == 0 {
		return errors.New("is damaged: it has no training part")
	}
	if total > math.MaxInt {
		return fmt.Errorf("lists %s of ids, more than this system can address", figures.Bytes(total))
	}
	return nil
}

// readTokens reads the file of tokens into c.
func (s *Encoded) readTokens(c *Corpus) error {
	path := filepath.Join(s.folder, tokensName)
	if err := checkSize(path, s.Tokens.Bytes); err != nil {
		return err
	}
	// A token takes up to 16 times its bytes, as a string and in the vocabulary's map.
	if free := memory.Free(); s.Tokens.Bytes > free/16 {
		return fmt.Errorf("holds %s, and %s of memory are free", figures.Bytes(s.Tokens.Bytes), figures.Bytes(free))
	}
	raw, err := readSmall(path, s.Tokens.Bytes)
	if err != nil {
		return err
	}
	if sum := hexOf(crc32.Checksum(raw, castagnoli)); sum != s.Tokens.Checksum {
		return fmt.Errorf("is damaged or of another corpus: its checksum is %s, not %s", sum, s.Tokens.Checksum)
	}
	vocab, counts, rare, unknown, err := parseTokens(raw, s.Index)
	if err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	c.Vocab, c.counts, c.Rare, c.TestUnk = vocab, counts, rare, unknown
	return nil
}

// parseTokens reads what appendTokens wrote.
func parseTokens(raw []byte, x Index) (vocab *Vocab, counts []int, rare, unknown []string, err error) {
	number := func() (uint64, error) {
		v, n := binary.Uvarint(raw)
		if n <= 0 {
			return 0, errors.New("it ends too early")
		}
		raw = raw[n:]
		return v, nil
	}
	known := map[string]string{} // many tokens are there many times
	token := func() (string, error) {
		length, err := number()
		if err != nil || length == 0 || length > uint64(len(raw)) {
			return "", errors.New("a token reaches beyond it")
		}
		written := raw[:length]
		raw = raw[length:]
		s, ok := known[string(written)]
		if !ok {
			if s = string(written); !utf8.ValidString(s) {
				return "", fmt.Errorf("token %q is not UTF-8", s)
			}
			known[s] = s
		}
		return s, nil
	}
	var tokens []string
	total := uint64(0)
	for range x.Vocab {
		t, err := token()
		if err != nil {
			return nil, nil, nil, nil, err
		}
		count, err := number()
		if err != nil {
			return nil, nil, nil, nil, err
		}
		if train := uint64(x.TrainTokens()); count > train || total+count > train {
			return nil, nil, nil, nil, fmt.Errorf("token %q is there %d times", t, count)
		}
		total += count
		tokens, counts = append(tokens, t), append(counts, int(count))
	}
	if total != uint64(x.TrainTokens()) {
		return nil, nil, nil, nil, fmt.Errorf("its counts add up to %d of %d tokens", total, x.TrainTokens())
	}
	if vocab, err = NewVocabulary(tokens); err != nil {
		return nil, nil, nil, nil, err
	}
	if _, marked := vocab.Marks(); !marked && x.Level == Sentence.String() {
		return nil, nil, nil, nil, fmt.Errorf("%s or %s is missing", StartToken, EndToken)
	}
	for _, list := range []struct {
		n  int
		to *[]string
	}{{x.Rare, &rare}, {x.TestUnk, &unknown}} {
		for range list.n {
			t, err := token()
			if err != nil {
				return nil, nil, nil, nil, err
			}
			*list.to = append(*list.to, t)
		}
	}
	if len(raw) > 0 {
		return nil, nil, nil, nil, fmt.Errorf("%d bytes are left over", len(raw))
	}
	return vocab, counts, rare, unknown, nil
}

// appendTokens appends what parseTokens reads.
func (c *Corpus) appendTokens(b []byte) []byte {
	token := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for id, s := range c.Vocab.tokens {
		token(s)
		b = binary.AppendUvarint(b, uint64(c.counts[id]))
	}
	for _, s := range c.Rare {
		token(s)
	}
	for _, s := range c.TestUnk {
		token(s)
	}
	return b
}

// checkSize returns an error unless path is a file of that size.
func checkSize(path string, size int64) error {
	info, err := os.Stat(path) // before it is opened: opening a pipe waits for its writer
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Size() < size:
		return fmt.Errorf("is cut off: %s of its %s bytes are there", figures.Count(info.Size()), figures.Count(size))
	case info.Size() > size:
		return fmt.Errorf("has %s bytes, and the index says %s", figures.Count(info.Size()), figures.Count(size))
	}
	return nil
}

// An idFile is a file of so many ids, or of the numbers of a census.
type idFile struct {
	path string
	ids  int
}

// A fileError is about an idFile.
type fileError struct {
	name string
	err  error
}

func (e *fileError) Error() string { return e.name + ": " + e.err.Error() }

// open opens the file, whose size must be right.
func (f idFile) open() (*os.File, fs.FileInfo, error) {
	size := int64(f.ids) * idBytes
	err := checkSize(f.path, size)
	if err != nil {
		return nil, nil, err
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() != size {
		err = errors.New("changes while it is read")
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// mapPart maps the ids of a part.
func (s *Encoded) mapPart(files []IndexFile) (ids []int32, unmap func(), err error) {
	parts := make([]idFile, len(files))
	for i, f := range files {
		parts[i] = idFile{filepath.Join(s.folder, f.Name), f.ids()}
		if err := checkSize(parts[i].path, f.Bytes); err != nil { // before a range is reserved for all
			return nil, nil, s.failure(f.Name, err)
		}
	}
	ids, infos, unmap, err := mapIDs(parts)
	if failed, ok := errors.AsType[*fileError](err); ok {
		return nil, nil, s.failure(failed.name, failed.err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("corpus %q: %w: allow this process more of them", s.folder, err)
	}
	for i, info := range infos {
		s.stats[files[i].Name] = info
	}
	return ids, unmap, nil
}

// Mapped says whether the ids stay in their files. On systems that map no files, and on
// those with another order of bytes, they are read into memory.
func (s *Encoded) Mapped() bool { return mapped }

// Check reads the files that hold the training tokens from lo to hi. It returns an error
// if one is not as it was written, or has an id outside the vocabulary, which no model
// could take. It reads on all cores, and keeps nothing in memory.
func (s *Encoded) Check(lo, hi int) error {
	if lo < 0 || hi > s.TrainTokens() || lo > hi {
		return fmt.Errorf("tokens %d to %d are not in the %d of the training part", lo, hi, s.TrainTokens())
	}
	if lo == hi {
		return nil
	}
	each := s.Train[0].ids()
	return s.checkFiles(s.Train[lo/each : (hi-1)/each+1])
}

// CheckHeldOut is Check for the validation and the test part.
func (s *Encoded) CheckHeldOut() error {
	return s.checkFiles(append(s.Valid[:len(s.Valid):len(s.Valid)], s.Test...))
}

// checkFiles checks files, and returns the error of the first that has one.
func (s *Encoded) checkFiles(files []IndexFile) error {
	return onAllCores(len(files), func(i int, buf []byte) error {
		if err := s.checkFile(files[i], buf); err != nil {
			return s.failure(files[i].Name, err)
		}
		return nil
	})
}

// onAllCores calls do with the numbers below n, each with a buffer, and stops after an
// error. It returns the error of the least number that has one.
func onAllCores(n int, do func(i int, buf []byte) error) error {
	var next atomic.Int64
	errs := make([]error, n)
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			buf := make([]byte, 1<<20)
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[i] = do(i, buf); errs[i] != nil {
					next.Store(int64(n))
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkFile reads a file of ids. It does not read the mapping: its pages would count as
// memory of this process, and an error of the disk would be a signal.
func (s *Encoded) checkFile(of IndexFile, buf []byte) error {
	f, err := os.Open(filepath.Join(s.folder, of.Name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(info, s.stats[of.Name]) {
		return errors.New("was replaced while it was read")
	}
	crc := uint32(0)
	for at := int64(0); at < of.Bytes; {
		b := buf[:min(int64(len(buf)), of.Bytes-at)]
		if n, err := io.ReadFull(f, b); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = fmt.Errorf("is cut off: %s of its %s bytes are there", figures.Count(at+int64(n)), figures.Count(of.Bytes))
			}
			return err
		}
		crc = crc32.Update(crc, castagnoli, b)
		if i, ok := outside(b, uint32(s.Vocab)); ok {
			return fmt.Errorf("is damaged: the id at byte %s is %d, and the vocabulary has %d",
				figures.Count(at+int64(i)), int32(binary.LittleEndian.Uint32(b[i:])), s.Vocab)
		}
		at += int64(len(b))
	}
	if sum := hexOf(crc); sum != of.Checksum {
		return fmt.Errorf("is damaged or of another corpus: its checksum is %s, not %s", sum, of.Checksum)
	}
	return nil
}

// outside returns the place in b of the first id that is not below vocab.
func outside(b []byte, vocab uint32) (at int, ok bool) {
	largest := uint32(0)
	for i := 0; i+idBytes <= len(b); i += idBytes {
		largest = max(largest, binary.LittleEndian.Uint32(b[i:]))
	}
	if largest < vocab {
		return 0, false
	}
	for i := 0; i+idBytes <= len(b); i += idBytes {
		if binary.LittleEndian.Uint32(b[i:]) >= vocab {
			return i, true
		}
	}
	return 0, false
}
