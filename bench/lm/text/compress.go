package text

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"batchrnn/internal/figures"
)

// A compression is a form of compressed data that is read as what it holds.
type compression struct {
	name  string
	magic string // the data begins with it
	open  func(r io.Reader, limit int64) (io.Reader, error)
}

// compressions are told by their magic alone, whatever the name of the file.
var compressions = []compression{
	{"gzip", "\x1f\x8b\x08", openGzip}, // 8 is deflate, the only method there is
	{"zstd", "\x28\xb5\x2f\xfd", openZstd},
	{"zstd", "\x50\x2a\x4d\x18", openZstd}, // pzstd begins with a frame to skip
}

func openGzip(r io.Reader, _ int64) (io.Reader, error) { return gzip.NewReader(r) }

// maxWindow is the largest window of zstd data, in bytes: that of its highest level.
// The zstd program refuses larger ones as well, unless told otherwise.
const maxWindow = 128 << 20

// openZstd bounds the window, which is the only length in the data that is believed: by
// maxWindow, and by what memory has beside a text of limit bytes, see memoryLimit. With
// one worker there is nothing to close.
func openZstd(r io.Reader, limit int64) (io.Reader, error) {
	window := max(min(4*limit, maxWindow), zstd.MinWindowSize)
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(uint64(window)))
}

// Decompress returns a reader of what r holds, and how that is compressed: "gzip", "zstd",
// or "" for data that is not. An error of the reader names the compression.
func Decompress(r io.Reader) (plain io.Reader, compression string, err error) {
	plain, compressed, err := decompress(newBuffer(r), memoryLimit())
	if err != nil || !compressed {
		return plain, "", err
	}
	return plain, plain.(*decompressor).name, nil
}

// decompress returns a reader of what in holds, and whether that is compressed. Data
// that is not compressed is read from in itself. limit is that of a text in bytes; what
// it holds may be longer.
func decompress(in *bufio.Reader, limit int64) (r io.Reader, compressed bool, err error) {
	for _, c := range compressions {
		if !startsWith(in, c.magic) {
			continue
		}
		d := &decompressor{name: c.name}
		if d.r, err = c.open(in, limit); err != nil {
			return nil, true, d.describe(err)
		}
		return d, true, nil
	}
	return in, false, nil
}

// startsWith reports whether the next bytes are magic. It waits for no byte after one
// that differs: a line of a person at a keyboard may be shorter than magic.
func startsWith(in *bufio.Reader, magic string) bool {
	for i := range len(magic) {
		if b, err := in.Peek(i + 1); err != nil || b[i] != magic[i] {
			return false
		}
	}
	return true
}

// A decompressor names the compression in its errors.
type decompressor struct {
	name string
	r    io.Reader
}

func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF {
		err = d.describe(err)
	}
	return n, err
}

// describe explains an error in reading compressed data. An error of the system has
// nothing to do with the data.
func (d *decompressor) describe(err error) error {
	var pathErr *fs.PathError
	switch {
	case errors.As(err, &pathErr):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("its %s data needs a window of more than %s, or of more than memory allows: compress it without --long", d.name, figures.Bytes(maxWindow))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("its %s data ends too early: the file is cut off", d.name)
	}
	return fmt.Errorf("its %s data is damaged: %w", d.name, err)
}
