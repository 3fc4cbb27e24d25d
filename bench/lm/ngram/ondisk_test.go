package ngram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"batchrnn/internal/durable"
)

// leastDisk is the least memory for a vocabulary, and files in a folder of the test.
func leastDisk(t testing.TB, vocab int) Disk {
	return Disk{Memory: LeastMemory(vocab), Folder: t.TempDir()}
}

// TestEstimateOnDiskGivesTheSameFile: with the least memory, and all texts and smoothings.
func TestEstimateOnDiskGivesTheSameFile(t *testing.T) {
	estimateCases(func(name string, text []int32, c Config) {
		t.Run(name, func(t *testing.T) {
			o := leastDisk(t, c.Vocab)
			for _, c.Order = range []int{1, 2, 4, MaxOrder} {
				est, discounts := mustEstimate(t, text, c)
				stores := []Store{Trie}
				if c.Order == 4 {
					stores = append(stores, Quantised)
				}
				for _, store := range stores {
					want := mustModel(t, est, store)
					got, gotDiscounts, err := EstimateOnDisk(t.Context(), text, c, store, o)
					if err != nil {
						t.Fatalf("order %d, %v: %v", c.Order, store, err)
					}
					for i, d := range discounts {
						if gotDiscounts[i] != d {
							t.Fatalf("order %d, %v: discounts of order %d are %v, want %v", c.Order, store, i+1, gotDiscounts[i], d)
						}
					}
					if !bytes.Equal(encode(t, got), encode(t, want)) {
						t.Fatalf("order %d, %v: the files differ", c.Order, store)
					}
					if got.Bytes() != want.Bytes() {
						t.Fatalf("order %d, %v: %d bytes, want %d", c.Order, store, got.Bytes(), want.Bytes())
					}
				}
			}
		})
	})
}

// zipfText returns n words, most of them few different ones, in sentences if marks is not
// nil.
func zipfText(n, vocab int, marks *Marks) []int32 {
	rng := rand.New(rand.NewPCG(71, 72))
	zipf := rand.NewZipf(rng, 1.3, 4, uint64(vocab-4))
	text := make([]int32, n)
	for i := range text {
		text[i] = 3 + int32(zipf.Uint64())
		if marks != nil && (i == n-1 || rng.IntN(20) == 0) {
			text[i] = marks.End
		}
	}
	return text
}

// TestEstimateOnDiskMergesManyRuns: with so little memory that runs are merged to longer
// ones first, and with the bits of a large vocabulary.
func TestEstimateOnDiskMergesManyRuns(t *testing.T) {
	for _, c := range []struct {
		tokens int
		store  Store
		Config
	}{
		{60_000, Trie, Config{Vocab: 5000, Order: 5, Marks: kenlmMarks}},
		{60_000, Quantised, Config{Vocab: 5000, Order: 3}},
		{20_000, Trie, Config{Vocab: 64, Order: MaxOrder}},
		{15_000, Trie, Config{Vocab: 70_000, Order: 4, Smoothing: Absolute, Marks: kenlmMarks}},
	} {
		t.Run(fmt.Sprintf("vocab=%d/order=%d", c.Vocab, c.Order), func(t *testing.T) {
			text := zipfText(c.tokens, c.Vocab, c.Marks)
			est, _ := mustEstimate(t, text, c.Config)
			o := leastDisk(t, c.Vocab)
			got, _, err := EstimateOnDisk(t.Context(), text, c.Config, c.store, o)
			if err != nil {
				t.Fatal(err)
			}
			want := mustModel(t, est, c.store)
			if !bytes.Equal(encode(t, got), encode(t, want)) {
				t.Error("the files differ")
			}
			if a, b := got.Score(text), want.Score(text); a != b {
				t.Errorf("the text costs %v, want %v", a, b)
			}
			if !reflect.DeepEqual(got.Estimates(), want.Estimates()) {
				t.Error("the estimates differ")
			}
			left, err := os.ReadDir(o.Folder)
			if err != nil || len(left) > 0 {
				t.Errorf("files are left: %v, error %v", left, err)
			}
		})
	}
}

func TestEstimateOnDiskAgreesWithKenLMText(t *testing.T) {
	for _, level := range []string{"word", "char"} {
		vocab, train, _ := kenlmText(t, level)
		for _, memory := range []int64{LeastMemory(vocab.Len()), 2 << 20, 1 << 30} {
			c := Config{Vocab: vocab.Len(), Order: 5, Marks: kenlmMarks}
			est, _ := mustEstimate(t, train, c)
			for _, store := range []Store{Trie, Quantised} {
				m, _, err := EstimateOnDisk(t.Context(), train, c, store, Disk{Memory: memory, Folder: t.TempDir()})
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(encode(t, m), encode(t, mustModel(t, est, store))) {
					t.Errorf("%s in %d bytes, %v: the files differ", level, memory, store)
				}
			}
		}
	}
}

// TestEstimateOnDiskStaysWithinMemory: all that it ever allocates is less than its limit.
func TestEstimateOnDiskStaysWithinMemory(t *testing.T) {
	for _, c := range []Config{{Vocab: 2000, Order: 3}, {Vocab: 100, Order: MaxOrder}} {
		text := zipfText(200_000/c.Order, c.Vocab, nil)
		o := leastDisk(t, c.Vocab)
		for _, o.Memory = range []int64{o.Memory, 1 << 20, 8 << 20} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m, _, err := EstimateOnDisk(t.Context(), text, c, Trie, o)
			if err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			model := int64(0) // the parts of the model that are no part of its file
			for _, l := range m.store.(*trie).levels {
				model += 4 * int64(len(l.next.samples)+len(l.prob.book)+len(l.backoff.book))
			}
			if used := int64(after.TotalAlloc-before.TotalAlloc) - model; used > o.Memory {
				t.Errorf("order %d: %d bytes were allocated, %d allowed", c.Order, used, o.Memory)
			}
		}
	}
}

func TestEstimateOnDiskRefuses(t *testing.T) {
	good := Config{Vocab: 5, Order: 2}
	for _, c := range []struct {
		name  string
		text  []int32
		store Store
		least int64
		want  string
	}{
		{"a map", []int32{1}, Map, 0, "a map can't be made on disk: use a trie or a quantised trie"},
		{"a hash table", []int32{1}, Hash, 0, "a hash can't be made on disk"},
		{"no text", nil, Trie, 0, "no tokens"},
		{"a word outside", []int32{5}, Trie, 0, "token 0 of the text is 5"},
		{"too little memory", []int32{1}, Trie, -1, "are too few for a vocabulary of 5: at least"},
	} {
		o := leastDisk(t, good.Vocab)
		o.Memory += c.least
		m, _, err := EstimateOnDisk(t.Context(), c.text, good, c.store, o)
		if m != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	o := leastDisk(t, good.Vocab)
	o.Folder += "/missing"
	if _, _, err := EstimateOnDisk(t.Context(), []int32{1, 2}, good, Trie, o); err == nil || !strings.Contains(err.Error(), "missing") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: error %v", err)
	}
}

// badDisk makes files whose calls fail from a certain one on. Damage is done once.
type badDisk struct {
	calls, good int // good < 0: all are
	fault       string
	cancel      func()
	unmapped    chan bool
	open        int
}

// badFile is a file of a badDisk.
type badFile struct {
	disk  *badDisk
	bytes []byte
	done  bool
}

var errBad = errors.New("bad sector")

// fails counts a call, and reports whether it fails.
func (d *badDisk) fails(fault string) bool {
	if fault != d.fault {
		return false
	}
	d.calls++
	if strings.HasPrefix(fault, "damage") {
		return d.calls == d.good+1
	}
	return d.good >= 0 && d.calls > d.good
}

func (d *badDisk) create(string) (scratch, error) {
	if d.fails("create") {
		return nil, errBad
	}
	d.open++
	return &badFile{disk: d}, nil
}

func (f *badFile) Write(b []byte) (int, error) {
	switch {
	case f.disk.fails("write"):
		f.bytes = append(f.bytes, b[:len(b)/2]...)
		return len(b) / 2, syscall.ENOSPC
	case f.disk.fails("short write"):
		return len(b) / 2, nil
	case f.disk.fails("cancel"):
		f.disk.cancel()
	}
	f.bytes = append(f.bytes, b...)
	return len(b), nil
}

func (f *badFile) ReadAt(b []byte, at int64) (int, error) {
	switch {
	case f.disk.fails("read"):
		return 0, errBad
	case f.disk.fails("short read"):
		return copy(b[:len(b)-1], f.bytes[at:]), io.EOF
	}
	n := copy(b, f.bytes[at:])
	if f.disk.fails("damage") {
		b[n/2] ^= 4
	}
	return n, nil
}

func (f *badFile) Map(size int) ([]byte, func(), error) {
	if f.disk.fails("damaged model") {
		f.bytes[size/2] ^= 4
	}
	return f.bytes[:size:size], func() { f.disk.unmapped <- true }, nil
}

func (f *badFile) Close() error {
	if f.done {
		return errors.New("closed twice")
	}
	f.done = true
	f.disk.open--
	return nil
}

// TestEstimateOnDiskFails: whatever call fails, the error says so, and all files are
// closed.
func TestEstimateOnDiskFails(t *testing.T) {
	c := Config{Vocab: 300, Order: 4}
	text := zipfText(8000, c.Vocab, nil)
	for fault, want := range map[string]error{
		"create": errBad, "write": syscall.ENOSPC, "short write": io.ErrShortWrite, "cancel": context.Canceled,
		"read": errBad, "short read": io.ErrUnexpectedEOF, "damage": errDamaged, "damaged model": nil,
	} {
		run := func(good int) (*badDisk, *Model, error) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			bad := &badDisk{good: good, fault: fault, cancel: cancel, unmapped: make(chan bool, 1)}
			o := leastDisk(t, c.Vocab)
			d := newDisk(ctx, o, c.Vocab, 1<<30)
			d.create = bad.create
			m, _, err := estimateOnDisk(d, text, c, Trie, o.Memory)
			return bad, m, err
		}
		all, m, err := run(-1)
		if err != nil || m == nil {
			t.Fatal(err)
		}
		last := all.calls
		for good := 0; good < last; good += 1 + last/15 {
			bad, m, err := run(good)
			if m != nil || err == nil || want != nil && !errors.Is(err, want) {
				t.Errorf("%s fails after %d of %d calls: error %v, want %v", fault, good, all.calls, err, want)
			}
			if unmapped := len(bad.unmapped) == 1; unmapped != (fault == "damaged model") {
				t.Errorf("%s fails after %d calls: unmapped: %v", fault, good, unmapped)
			}
			if bad.open != 0 {
				t.Errorf("%s fails after %d calls: %d files are left", fault, good, bad.open)
			}
			if fault == "write" && !strings.Contains(err.Error(), "make room there") {
				t.Errorf("a full disk: error %v", err)
			}
		}
	}
}

// TestDiskColumns: columns whose books are too large for the room, and all the others.
func TestDiskColumns(t *testing.T) {
	rng := rand.New(rand.NewPCG(73, 74))
	random := func(n, distinct int) []float32 {
		book := randomValues(rng, distinct, -20, 0)
		values := make([]float32, n)
		for i := range values {
			values[i] = book[rng.IntN(distinct)]
		}
		return values
	}
	var to256 []float32
	for i := range 256 {
		to256 = append(to256, -float32(i))
	}
	for _, values := range [][]float32{
		nil, {0}, {-1}, {0, -1}, slices.Repeat([]float32{-2}, 100), random(300, 256), random(300, 300),
		append(random(10_000, 700), 0, 0), random(100_000, 9000), random(100_000, 40_000), {-1, 1e-7, 2},
		to256, append(randomValues(rng, 900, -20, 20), make([]float32, 50)...),
	} {
		for _, quantise := range []bool{false, true} {
			want := newColumn(values)
			if quantise {
				want = newQuantisedColumn(values)
			}
			d := newDisk(t.Context(), leastDisk(t, 1), 1, 1<<30)
			e := &diskEstimate{disk: d}
			file := d.newFile()
			for _, v := range values {
				file.float32(v)
			}
			file.end()
			c := e.newColumn(file, len(values), quantise, isFinite)
			var got, wanted bytes.Buffer
			for _, of := range []struct {
				b     *bytes.Buffer
				write func(*encoder)
			}{{&got, func(out *encoder) { e.writeColumn(out, &c) }}, {&wanted, func(out *encoder) { out.column(&want) }}} {
				out := &encoder{w: of.b, buf: make([]byte, 0, chunkBytes)}
				of.write(out)
				out.flush()
			}
			if d.err != nil || c.coding != want.coding() || !bytes.Equal(got.Bytes(), wanted.Bytes()) {
				t.Errorf("%d values, quantise %v: coding %v, want %v; error %v", len(values), quantise, c.coding, want.coding(), d.err)
			}
			if len(d.files) != 0 || len(d.free) != diskBuffers-1 {
				t.Errorf("%d files are open, %d of %d buffers are free", len(d.files), len(d.free), diskBuffers-1)
			}
		}
	}
}

// TestBinsAreMeans: each value of a book is the mean of one of 256 parts of the sorted values,
// or 0.
func TestBinsAreMeans(t *testing.T) {
	rng := rand.New(rand.NewPCG(77, 78))
	for _, zeros := range []int{0, 10} {
		values := make([]float32, 1000)
		for i := range values {
			values[i] = -0.01 - rng.Float32()
		}
		slices.Sort(values)
		n := 256
		var want []float32
		if zeros > 0 {
			n--
			want = append(want, 0)
		}
		for i := range n {
			part := values[i*1000/n : (i+1)*1000/n]
			sum := 0.0
			for _, v := range part {
				sum += float64(v)
			}
			want = append(want, float32(sum/float64(len(part))))
		}
		slices.Sort(want)
		if got := bins(append(values, make([]float32, zeros)...)); !slices.Equal(got, want) {
			t.Errorf("%d zeros: %d values, the first %v, want %d and %v", zeros, len(got), got[0], len(want), want[0])
		}
	}
}

// TestIllegalValues: values that scoring can't add up are refused.
func TestIllegalValues(t *testing.T) {
	for _, v := range []float32{float32(math.Inf(-1)), float32(math.NaN()), 1} {
		d := newDisk(t.Context(), leastDisk(t, 1), 1, 1<<30)
		file := d.newFile()
		file.float32(-1)
		file.float32(v)
		file.end()
		(&diskEstimate{disk: d}).newColumn(file, 2, false, isLogProb)
		d.close()
		if d.err == nil || !strings.Contains(d.err.Error(), "n-gram 1 has the value") {
			t.Errorf("%v: error %v", v, d.err)
		}
	}
}

// TestSorter: records of all widths, sorted in memory, in runs, and in runs of runs.
func TestSorter(t *testing.T) {
	rng := rand.New(rand.NewPCG(75, 76))
	for _, n := range []int{0, 1, 2, 100, 3000, 90_000} {
		for width := 1; width <= maxWidth; width++ {
			for _, sums := range []bool{false, true} {
				d := newDisk(t.Context(), leastDisk(t, 1), 1, 1<<30)
				s := d.newSorter(d.second, width, sums)
				var want [][]uint64
				values := uint64(1) << rng.IntN(40)
				for range n / width {
					r := make([]uint64, width)
					for i := range r {
						r[i] = rng.Uint64N(values) << 24
					}
					if sums {
						r[width-1] = r[width-1]&^countMask | 1
					}
					copy(s.next(), r)
					want = append(want, r)
				}
				slices.SortFunc(want, slices.Compare)
				if sums {
					all := want
					want = nil
					for _, r := range all {
						if k := len(want); k > 0 && sameKey(want[k-1], r) {
							want[k-1][width-1]++
						} else {
							want = append(want, r)
						}
					}
				}
				m := s.merge(d.first)
				for i, w := range want {
					if r := m.next(); !slices.Equal(r, w) {
						t.Fatalf("%d numbers, width %d, sums %v: record %d is %x, want %x", n, width, sums, i, r, w)
					}
				}
				if r := m.next(); r != nil || d.err != nil {
					t.Fatalf("%d numbers, width %d, sums %v: record %v at the end, error %v", n, width, sums, r, d.err)
				}
				d.close()
			}
		}
	}
}

// TestMappedModelOutlivesItsFile: the file is closed and has no name.
func TestMappedModelOutlivesItsFile(t *testing.T) {
	f, err := durable.NewScratch(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Vocab: 300, Order: 3}
	text := zipfText(3000, c.Vocab, nil)
	f.Close()
	m, _, err := EstimateOnDisk(t.Context(), text, c, Trie, leastDisk(t, c.Vocab))
	if err != nil {
		t.Fatal(err)
	}
	want := m.Score(text)
	for range 3 {
		runtime.GC()
		if got := m.Score(text); got != want {
			t.Fatalf("the text costs %v, want %v", got, want)
		}
	}
}

// TestModelIsUnmapped: the file is mapped as long as the model is reachable.
func TestModelIsUnmapped(t *testing.T) {
	c := Config{Vocab: 300, Order: 3}
	text := zipfText(3000, c.Vocab, nil)
	bad := &badDisk{good: -1, unmapped: make(chan bool, 1)}
	o := leastDisk(t, c.Vocab)
	d := newDisk(t.Context(), o, c.Vocab, 1<<30)
	d.create = bad.create
	m, _, err := estimateOnDisk(d, text, c, Trie, o.Memory)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC()
	}
	if len(bad.unmapped) > 0 {
		t.Error("unmapped too early")
	}
	runtime.KeepAlive(m)
	m = nil
	for range 500 { // cleanups run some time after a collection
		runtime.GC()
		select {
		case <-bad.unmapped:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("still mapped")
}

// TestLongBook: a book that the memory has no index for is an error.
func TestLongBook(t *testing.T) {
	for _, more := range []int{0, 1} {
		d := newDisk(t.Context(), leastDisk(t, 1), 1, 1<<30)
		d.first = d.first[:2]
		e := &diskEstimate{disk: d}
		n := len(d.first)*len(d.in)/4 + more
		book := d.newFile()
		for i := range n {
			book.float32(float32(i))
		}
		book.end()
		x := e.newBookIndex(book, n)
		switch {
		case more > 0 && (d.err == nil || !strings.Contains(d.err.Error(), "give twice as much")):
			t.Errorf("%d values: error %v", n, d.err)
		case more == 0 && (d.err != nil || x.code(float32(n-1)) != uint32(n-1)):
			t.Errorf("%d values: code %d, error %v", n, x.code(float32(n-1)), d.err)
		}
		d.close()
	}
}

func FuzzEstimateOnDisk(f *testing.F) {
	f.Add([]byte("abracadabra"), uint8(3), false, false)
	f.Add([]byte{0, 2, 3, 3, 2, 2, 0, 1}, uint8(9), true, true)
	f.Fuzz(func(t *testing.T, raw []byte, order uint8, marks, absolute bool) {
		c := Config{Vocab: 256, Order: 1 + int(order)%MaxOrder}
		if absolute {
			c.Smoothing = Absolute
		}
		text := make([]int32, len(raw), len(raw)+1)
		for i, b := range raw {
			text[i] = int32(b)
			if marks && b == 1 {
				text[i] = 2
			}
		}
		if marks {
			c.Marks = kenlmMarks
			text = append(text, c.Marks.End)
		}
		est, _, err := Estimate(text, c)
		m, _, diskErr := EstimateOnDisk(t.Context(), text, c, Trie, leastDisk(t, c.Vocab))
		if fmt.Sprint(err) != fmt.Sprint(diskErr) {
			t.Fatalf("error %v, want %v", diskErr, err)
		}
		if err == nil && !bytes.Equal(encode(t, m), encode(t, mustModel(t, est, Trie))) {
			t.Error("the files differ")
		}
	})
}
