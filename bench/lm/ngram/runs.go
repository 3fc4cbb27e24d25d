package ngram

import (
	"encoding/binary"
	"hash/crc32"
)

// A sorter sorts records that don't fit into memory. A record is a few numbers, of which
// the first count most. Sorted runs of records go to a temporary file, where they are
// merged.
type sorter struct {
	disk  *disk
	width int // numbers of a record
	// sums says that the lower half of a record's last number is a count. Records with
	// the same rest become one, and their counts add up.
	sums bool
	buf  []uint64 // records of no run yet; its capacity is what fits
	file *tempFile
	runs []run
}

// A run is a sorted part of a sorter's file.
type run struct {
	at, bytes int64
	crc       uint32
}

const (
	maxWidth = (MaxOrder*31+63)/64 + 1 // of the longest n-gram and one more number

	// leastBlock is the least size, in numbers, in which a run is read.
	leastBlock = 256
)

// newSorter returns a sorter that sorts its records in room.
func (d *disk) newSorter(room []uint64, width int, sums bool) *sorter {
	return &sorter{disk: d, width: width, sums: sums, buf: room[: 0 : len(room)/width*width]}
}

// next returns the next record, to be set by the caller.
func (s *sorter) next() []uint64 {
	if len(s.buf) == cap(s.buf) {
		s.full()
	}
	n := len(s.buf)
	s.buf = s.buf[:n+s.width]
	return s.buf[n:]
}

// full makes room for a record.
func (s *sorter) full() {
	s.sort()
	if len(s.buf) > cap(s.buf)/2 {
		s.spill()
	}
}

// sort sorts the records in memory.
func (s *sorter) sort() {
	radixSort(s.buf, s.width, 0, 64-digitBits)
	if !s.sums || len(s.buf) == 0 {
		return
	}
	last := s.buf[:s.width]
	n := s.width
	for i := s.width; i < len(s.buf); i += s.width {
		r := s.buf[i : i+s.width]
		if sameKey(last, r) {
			last[s.width-1] += r[s.width-1] & countMask
			continue
		}
		last = s.buf[n : n+s.width]
		copyRecord(last, r)
		n += s.width
	}
	s.buf = s.buf[:n]
}

const countMask = 1<<32 - 1

// sameKey reports whether two records differ by their counts alone.
func sameKey(a, b []uint64) bool {
	last := len(a) - 1
	if a[last]>>32 != b[last]>>32 {
		return false
	}
	for i := range last {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func copyRecord(to, from []uint64) {
	for i := range to {
		to[i] = from[i]
	}
}

// spill writes the sorted records to the file, as a run.
func (s *sorter) spill() {
	if s.file == nil {
		s.file = s.disk.newFile()
	} else {
		s.file.buf = s.disk.takeBuffer()
	}
	begun := s.beginRun()
	for _, v := range s.buf {
		s.file.uint64(v)
	}
	s.runs = append(s.runs, s.endRun(begun))
	s.file.end()
	s.buf = s.buf[:0]
}

// beginRun returns where a run begins.
func (s *sorter) beginRun() int64 {
	s.file.flush()
	s.file.crc = 0
	return s.file.n
}

func (s *sorter) endRun(begun int64) run {
	s.file.flush()
	return run{at: begun, bytes: s.file.n - begun, crc: s.file.crc}
}

// toDisk writes the records that are left in memory. Its room can then be used for
// something else.
func (s *sorter) toDisk() {
	if len(s.buf) > 0 {
		s.sort()
		s.spill()
	}
	s.buf = nil
}

// merge returns all records in order. Nothing more may be added. What is on disk is read
// into room, which may be the sorter's own.
func (s *sorter) merge(room []uint64) *merger {
	d := s.disk
	if len(s.runs) == 0 {
		s.sort()
		d.readers = append(d.readers[:0], runReader{buf: s.buf})
		return newMerger(s)
	}
	s.toDisk()
	for most := max(len(room)/leastBlock, 2); len(s.runs) > most && d.ok(); {
		s.mergeRuns(room, most)
	}
	s.read(s.runs, room)
	return newMerger(s)
}

// mergeRuns makes one run of every few.
func (s *sorter) mergeRuns(room []uint64, most int) {
	to := &sorter{disk: s.disk, width: s.width, sums: s.sums, file: s.disk.newFile()}
	for runs := s.runs; len(runs) > 0; {
		few := runs[:min(most, len(runs))]
		runs = runs[len(few):]
		s.read(few, room)
		m := newMerger(s)
		begun := to.beginRun()
		for r := m.next(); r != nil; r = m.next() {
			for _, v := range r {
				to.file.uint64(v)
			}
		}
		to.runs = append(to.runs, to.endRun(begun))
	}
	to.file.end()
	s.file.close()
	s.file, s.runs = to.file, to.runs
}

// read gives each run a reader and a part of room.
func (s *sorter) read(runs []run, room []uint64) {
	d := s.disk
	block := len(room) / len(runs) / s.width * s.width
	d.readers = d.readers[:0]
	for i, r := range runs {
		d.readers = append(d.readers, runReader{sorter: s, run: r, buf: room[i*block : i*block : (i+1)*block]})
	}
	for i := range d.readers {
		d.readers[i].refill()
	}
}

// close removes the sorter's file.
func (s *sorter) close() {
	if s.file != nil {
		s.file.close()
	}
}

// A runReader reads a run, or records in memory.
type runReader struct {
	sorter *sorter
	run             // what is left of it
	sum    uint32   // CRC-32C of what was read
	buf    []uint64 // records that were read
	at     int      // of the current one; the end of buf if there is none
}

// refill reads the next records of the run, if there are more.
func (r *runReader) refill() {
	r.at = 0
	n := min(r.bytes, numberBytes*int64(cap(r.buf)))
	r.buf = r.buf[:n/numberBytes]
	if n == 0 {
		return
	}
	d := r.sorter.disk
	for to := r.buf; len(to) > 0; {
		in := d.in[:min(len(d.in), numberBytes*len(to))]
		if !d.ok() || !d.readAt(r.sorter.file.file, in, r.run.at) {
			r.buf = r.buf[:0]
			return
		}
		r.run.at += int64(len(in))
		r.sum = crc32.Update(r.sum, castagnoli, in)
		for i := range len(in) / numberBytes {
			to[i] = binary.LittleEndian.Uint64(in[numberBytes*i:])
		}
		to = to[len(in)/numberBytes:]
	}
	if r.bytes -= n; r.bytes == 0 && r.sum != r.crc {
		d.fileFailed(errDamaged)
		r.buf = r.buf[:0]
	}
}

// A merger returns the records of several readers in order. It is a tree of losers
// (Knuth, The Art of Computer Programming 3, 5.4.1).
type merger struct {
	disk    *disk
	width   int
	sums    bool
	readers []runReader
	losers  []int32 // the winner is at 0
	pending bool    // the winner's record was returned
	record  [maxWidth]uint64
}

// newMerger merges the readers of the disk.
func newMerger(s *sorter) *merger {
	d := s.disk
	m := &merger{disk: d, width: s.width, sums: s.sums, readers: d.readers}
	d.losers = d.losers[:0]
	for range m.readers {
		d.losers = append(d.losers, -1)
	}
	m.losers = d.losers
	for i := range m.readers {
		m.replay(int32(i))
	}
	return m
}

// replay lets a reader play against the losers on its way up.
func (m *merger) replay(reader int32) {
	winner := reader
	for at := (int(reader) + len(m.readers)) / 2; at > 0; at /= 2 {
		loser := m.losers[at]
		if loser < 0 { // not all readers have played yet
			m.losers[at] = winner
			return
		}
		if m.before(loser, winner) {
			m.losers[at], winner = winner, loser
		}
	}
	m.losers[0] = winner
}

// before reports whether the current record of reader a comes before that of b.
func (m *merger) before(a, b int32) bool {
	x, y := &m.readers[a], &m.readers[b]
	if x.at == len(x.buf) || y.at == len(y.buf) {
		return x.at < len(x.buf)
	}
	for i := range m.width {
		if v, w := x.buf[x.at+i], y.buf[y.at+i]; v != w {
			return v < w
		}
	}
	return false
}

// next returns the next record, which is valid until the next call, or nil if there is
// none. It returns nil after an error, too.
func (m *merger) next() []uint64 {
	if m.pending {
		m.advance()
	}
	r := m.current()
	if r == nil || m.disk.err != nil {
		m.pending = false
		return nil
	}
	if !m.sums {
		m.pending = true
		return r
	}
	record := m.record[:m.width]
	copyRecord(record, r)
	for m.advance(); ; m.advance() {
		if r = m.current(); r == nil || !sameKey(r, record) {
			return record
		}
		record[m.width-1] += r[m.width-1] & countMask
	}
}

// current returns the least record that is left, or nil.
func (m *merger) current() []uint64 {
	r := &m.readers[m.losers[0]]
	if r.at == len(r.buf) {
		return nil
	}
	return r.buf[r.at : r.at+m.width]
}

// advance moves to the record behind the current one.
func (m *merger) advance() {
	winner := m.losers[0]
	r := &m.readers[winner]
	if r.at += m.width; r.at == len(r.buf) && r.bytes > 0 {
		r.refill()
	}
	if len(m.readers) > 1 {
		m.replay(winner)
	}
}

// radixSort sorts records of width numbers by the numbers from word on. Those before are
// equal, as are the digits of word above shift.
func radixSort(b []uint64, width, word, shift int) {
	for word < width && len(b) > insertionMax*width {
		var counts [1 << digitBits]int
		for i := word; i < len(b); i += width {
			counts[b[i]>>shift&(1<<digitBits-1)]++
		}
		if counts[b[word]>>shift&(1<<digitBits-1)]*width == len(b) { // all have this digit
			if shift -= digitBits; shift < 0 {
				word, shift = word+1, 64-digitBits
			}
			continue
		}
		var next, ends [1 << digitBits]int // places of each digit
		sum := 0
		for digit, n := range counts {
			next[digit] = sum
			sum += n * width
			ends[digit] = sum
		}
		for digit := range ends {
			for i := next[digit]; i < ends[digit]; i = next[digit] {
				to := int(b[i+word] >> shift & (1<<digitBits - 1))
				j := next[to]
				next[to] += width
				if to != digit {
					for k := range width {
						b[i+k], b[j+k] = b[j+k], b[i+k]
					}
				}
			}
		}
		if shift -= digitBits; shift < 0 {
			word, shift = word+1, 64-digitBits
		}
		from := 0
		for _, end := range ends {
			radixSort(b[from:end], width, word, shift)
			from = end
		}
		return
	}
	insertionSort(b, width, word)
}

// insertionSort sorts records of width numbers by the numbers from word on.
func insertionSort(b []uint64, width, word int) {
	var r [maxWidth]uint64
	for i := width; i < len(b); i += width {
		j := i
		for k := range width {
			r[k] = b[i+k]
		}
		for j > 0 && recordLess(r[word:width], b[j-width+word:]) {
			for k := range width {
				b[j+k] = b[j-width+k]
			}
			j -= width
		}
		if j < i {
			copyRecord(b[j:j+width], r[:width])
		}
	}
}

func recordLess(a, b []uint64) bool {
	for i, v := range a {
		if w := b[i]; v != w {
			return v < w
		}
	}
	return false
}
