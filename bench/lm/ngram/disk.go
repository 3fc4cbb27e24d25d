package ngram

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"syscall"

	"batchrnn/internal/durable"
)

// Disk says how much memory [EstimateOnDisk] takes, and where the rest goes.
type Disk struct {
	Memory int64  // bytes that it may allocate, at least LeastMemory
	Folder string // of its temporary files; "" is that of the system
}

// LeastMemory returns the least Disk.Memory for a vocabulary. More is faster: with too
// little, records are merged several times over.
func LeastMemory(vocab int) int64 {
	return bytesPerWord*int64(vocab) + diskBuffers*leastBuffer + diskSlack + 2*numberBytes*leastRoom
}

const (
	// bytesPerWord is for arrays over the vocabulary: a count and a probability for each
	// word, and the n-grams that continue one history.
	bytesPerWord = 4 + 4 + numberBytes

	// diskBuffers is the number of buffers between files and memory. One is for reading
	// runs and one for writing them; as many files as a model has orders, and five more,
	// are read or written at once.
	diskBuffers             = MaxOrder + 7
	leastBuffer, mostBuffer = 4 << 10, 256 << 10 // bytes

	leastRoom   = 4 << 10   // numbers in each half of the room for records
	diskSlack   = 192 << 10 // bytes of small things, among them the lists of runs
	numberBytes = 8
)

// disk holds what the parts of an estimate on disk share: memory, temporary files, and
// the first error. After an error, writing does nothing and reading returns zeros. So
// loops need not check every record.
type disk struct {
	ctx    context.Context
	folder string
	create func(folder string) (scratch, error) // durable.NewScratch, except in tests
	// Records are sorted in one half while those of the step before are merged in the
	// other.
	first, second []uint64
	in            []byte   // through which runs are read
	free          [][]byte // buffers
	files         map[*tempFile]bool
	err           error

	// Of the one merge that goes on at a time.
	readers []runReader
	losers  []int32
}

// scratch is a *durable.Scratch, except in tests.
type scratch interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Map(size int) (bytes []byte, unmap func(), err error)
}

// newDisk returns a disk for a vocabulary. o.Memory is at least [LeastMemory]. Each half of
// the room has at most so many numbers.
func newDisk(ctx context.Context, o Disk, vocab int, most int64) *disk {
	d := &disk{ctx: ctx, folder: o.Folder, files: map[*tempFile]bool{}}
	if d.folder == "" {
		d.folder = os.TempDir()
	}
	d.create = func(folder string) (scratch, error) { return durable.NewScratch(folder) }
	rest := o.Memory - bytesPerWord*int64(vocab) - diskSlack
	buffer := min(max(rest/128/leastBuffer, 1)*leastBuffer, mostBuffer)
	rest -= diskBuffers * buffer
	d.in = make([]byte, buffer)
	for range diskBuffers - 1 {
		d.free = append(d.free, make([]byte, 0, buffer))
	}
	half := int(min(rest/(2*numberBytes), max(most, leastRoom)))
	d.first, d.second = make([]uint64, half), make([]uint64, half)
	return d
}

// fail keeps the first error.
func (d *disk) fail(err error) {
	if d.err == nil && err != nil {
		d.err = err
	}
}

// fileFailed keeps an error of a temporary file.
func (d *disk) fileFailed(err error) {
	remedy := ""
	if errors.Is(err, syscall.ENOSPC) {
		remedy = ": make room there, or give more memory"
	}
	d.fail(fmt.Errorf("ngram: temporary files in %q: %w%s", d.folder, durable.WithoutPath(err), remedy))
}

// ok reports whether work shall go on.
func (d *disk) ok() bool {
	d.fail(d.ctx.Err())
	return d.err == nil
}

// close removes all temporary files.
func (d *disk) close() {
	for t := range d.files {
		t.close()
	}
}

func (d *disk) takeBuffer() []byte {
	last := len(d.free) - 1
	b := d.free[last]
	d.free = d.free[:last]
	return b
}

// A tempFile is a temporary file. It is written from start to end, and then read in the
// same way, any number of times. Its encoder writes. Numbers are little-endian.
type tempFile struct {
	encoder
	disk *disk
	file scratch // nil after an error

	in     []byte // read and not yet taken
	buffer []byte // of in
	at     int64  // of the file, after in
	sum    uint32 // CRC-32C of the bytes before at
}

var errDamaged = errors.New("what was written is not what is read: the disk is damaged")

func (d *disk) newFile() *tempFile {
	t := &tempFile{disk: d, encoder: encoder{buf: d.takeBuffer()}}
	t.encoder.w = t
	if !d.ok() {
		return t
	}
	file, err := d.create(d.folder)
	if err != nil {
		d.fail(fmt.Errorf("ngram: %w", err))
		return t
	}
	t.file = file
	d.files[t] = true
	return t
}

// Write is what the encoder calls.
func (t *tempFile) Write(b []byte) (int, error) {
	if !t.disk.ok() {
		return 0, t.disk.err
	}
	n, err := t.file.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		t.disk.fileFailed(err)
	}
	return n, err
}

// end ends the writing, and gives the buffer back.
func (t *tempFile) end() {
	t.flush()
	t.disk.free = append(t.disk.free, t.buf[:0])
	t.buf = nil
}

// rewind begins to read. The buffer is given back at the end of the file, or by stop.
func (t *tempFile) rewind() {
	t.stop()
	t.buffer = t.disk.takeBuffer()
	t.in, t.at, t.sum = nil, 0, 0
}

// stop ends the reading.
func (t *tempFile) stop() {
	if t.buffer != nil {
		t.disk.free = append(t.disk.free, t.buffer[:0])
		t.buffer, t.in = nil, nil
	}
}

// close removes the file.
func (t *tempFile) close() {
	t.stop()
	if t.file != nil {
		t.file.Close()
		delete(t.disk.files, t)
		t.file = nil
	}
}

// next returns the next n bytes, which are valid until the next call.
func (t *tempFile) next(n int) []byte {
	if len(t.in) < n && !t.refill(n) {
		return make([]byte, n)
	}
	b := t.in[:n]
	t.in = t.in[n:]
	return b
}

func (t *tempFile) nextUint32() uint32   { return binary.LittleEndian.Uint32(t.next(4)) }
func (t *tempFile) nextUint64() uint64   { return binary.LittleEndian.Uint64(t.next(8)) }
func (t *tempFile) nextFloat32() float32 { return float32Of(t.next(4)) }

// refill reads on until at least n bytes are there.
func (t *tempFile) refill(n int) bool {
	if !t.disk.ok() {
		return false
	}
	kept := copy(t.buffer[:cap(t.buffer)], t.in)
	in := t.buffer[:min(int64(cap(t.buffer)), int64(kept)+t.encoder.n-t.at)]
	if len(in) < n {
		t.disk.fileFailed(io.ErrUnexpectedEOF)
		return false
	}
	if !t.disk.readAt(t.file, in[kept:], t.at) {
		return false
	}
	t.at += int64(len(in) - kept)
	t.sum = crc32.Update(t.sum, castagnoli, in[kept:])
	if t.at == t.encoder.n && t.sum != t.crc {
		t.disk.fileFailed(errDamaged)
		return false
	}
	t.in = in
	return true
}

// readAt fills b from a place of a file.
func (d *disk) readAt(file scratch, b []byte, at int64) bool {
	n, err := file.ReadAt(b, at)
	if n == len(b) {
		return true
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	d.fileFailed(err)
	return false
}

// copyTo writes the whole file to e.
func (t *tempFile) copyTo(e *encoder) {
	t.rewind()
	for left := t.encoder.n; left > 0 && t.disk.err == nil; {
		n := min(left, int64(cap(t.buffer)))
		e.bytes(t.next(int(n)))
		left -= n
	}
	t.stop()
}

// packer writes numbers of width bits, as packed holds them.
type packer struct {
	e     *encoder
	width uint
	bits  uint64 // not yet written
	n     uint   // how many
}

func (p *packer) add(v uint32) {
	p.bits |= uint64(v) << p.n
	if p.n += p.width; p.n >= 64 {
		p.e.uint64(p.bits)
		p.n -= 64
		p.bits = uint64(v) >> (p.width - p.n)
	}
}

// end writes what is left, and the bytes behind the numbers.
func (p *packer) end() {
	var tail [8 + guardBytes]byte
	binary.LittleEndian.PutUint64(tail[:], p.bits)
	p.e.bytes(tail[:(p.n+7)/8+guardBytes])
}

// offsetsWriter writes offsets in parts, as newOffsets makes them.
type offsetsWriter struct {
	low   packer
	high  *encoder
	words int    // of high
	word  int    // that is not yet written
	bits  uint64 // of this word
	i     int    // n-grams so far
}

func newOffsetsWriter(n, children int, low, high *encoder) *offsetsWriter {
	lowWidth, highWords, _ := offsetsShape(n, children)
	return &offsetsWriter{low: packer{e: low, width: uint(lowWidth)}, high: high, words: highWords}
}

// add adds where the children of the next n-gram begin.
func (o *offsetsWriter) add(child int) {
	o.low.add(uint32(child) & (1<<o.low.width - 1))
	bit := o.i + child>>o.low.width
	o.i++
	o.upTo(min(bit/64, o.words-1))
	o.bits |= 1 << (bit % 64)
}

func (o *offsetsWriter) upTo(word int) {
	for ; o.word < word; o.word++ {
		o.high.uint64(o.bits)
		o.bits = 0
	}
}

func (o *offsetsWriter) end() {
	o.low.end()
	o.upTo(o.words)
}
