package ngram

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/bits"
	"runtime"
)

// EstimateOnDisk returns the model that [Estimate] and [NewModel] make of the text, bit by
// bit, in a [Trie] or a [Quantised] one. What doesn't fit into o.Memory goes to temporary
// files, of which none is left. Neither the text nor the model counts: on Unix the model
// lies in a file, which the system reads as it is needed. Elsewhere the model must fit
// into o.Memory too.
//
// It returns the errors of Estimate, and those of the files. It ends with ctx's error if
// ctx ends first.
//
// The method is that of lmplz (Heafield et al. 2013). The n-grams of the highest order are
// sorted from their last word on, so that those of all lower orders are adjacent, as are
// the words before them. Then each order is sorted three times: by its words, which
// gives the weights of the histories; from its last word on, which meets the
// probabilities of the order below; and by its words again, as it lies in a trie.
func EstimateOnDisk(ctx context.Context, text []int32, c Config, store Store, o Disk) (*Model, []Discounts, error) {
	if store != Trie && store != Quantised {
		return nil, nil, fmt.Errorf("ngram: a model in a %v can't be made on disk: use a %v or a %v", store, Trie, Quantised)
	}
	sentences, err := c.check(text)
	if err != nil {
		return nil, nil, err
	}
	if least := LeastMemory(c.Vocab); o.Memory < least {
		return nil, nil, fmt.Errorf("ngram: %d bytes of memory are too few for a vocabulary of %d: at least %d are needed", o.Memory, c.Vocab, least)
	}
	// Each half of the room takes at most the n-grams of all orders above 1.
	most := int64(len(text)+sentences) * int64(maxWidth*c.Order)
	return estimateOnDisk(newDisk(ctx, o, c.Vocab, most), text, c, store, o.Memory)
}

func estimateOnDisk(d *disk, text []int32, c Config, store Store, memory int64) (*Model, []Discounts, error) {
	defer d.close()
	e := &diskEstimate{
		disk: d, Config: c,
		wordBits:  uint(max(wordWidth(c.Vocab), 1)),
		shape:     Shape{Store: store, Vocab: c.Vocab, Entries: make([]int, c.Order)},
		discounts: make([]Discounts, c.Order),
		levels:    make([]diskLevel, c.Order),
		orders:    make([]diskOrder, c.Order),
		group:     make([]uint64, 0, c.Vocab),
	}
	e.order1(e.adjust(e.count(text)))
	e.told(1)
	for n := 2; n <= c.Order; n++ {
		shares := e.weigh(n)
		e.place(n, e.mix(n, shares))
		e.told(n)
	}
	m := e.open(e.write(), memory)
	if d.err != nil {
		return nil, nil, d.err
	}
	return m, e.discounts, nil
}

func (e *diskEstimate) told(order int) {
	if e.Told != nil && e.ok() {
		e.Told(order)
	}
}

// diskEstimate is an estimate on disk. In its comments, the rank of an n-gram is its place
// among those of its order, sorted from the last word on. Its place is that in the order
// of words from the first on. For order 1 both are the word.
type diskEstimate struct {
	*disk
	Config
	wordBits  uint // of a word, at least 1
	shape     Shape
	discounts []Discounts
	levels    []diskLevel // [order]
	orders    []diskOrder // [order]
	group     []uint64    // room for as many numbers as there are words
}

// diskLevel is one order of a trie, as in level.
type diskLevel struct {
	words     *tempFile // packed
	prob      *tempFile // [n-grams] float32
	backoff   *tempFile // [n-grams] float32
	low, high *tempFile // of the offsets
}

// diskOrder is what one order needs until it is in its level.
type diskOrder struct {
	// grams has the words of each n-gram, from the first on, and then its count in the
	// upper half of a number, its rank in the lower.
	grams  *sorter
	suffix *tempFile // [rank] uint32 rank of the n-gram without its first word
	linear *tempFile // [rank] float32 probability
	keys   *tempFile // [place] words of the n-gram, packed like those in grams
}

// A field of a record is one of several numbers of width bits, in the upper bits of the
// first number and so on.

func field(record []uint64, i int, width uint) uint32 {
	bit := uint(i) * width
	at, shift := bit/64, bit%64
	v := record[at] << shift
	if shift+width > 64 {
		v |= record[at+1] >> (64 - shift)
	}
	return uint32(v >> (64 - width))
}

// setField sets a field that is 0.
func setField(record []uint64, i int, width uint, v uint32) {
	bit := uint(i) * width
	at, shift := bit/64, bit%64
	high := uint64(v) << (64 - width)
	record[at] |= high >> shift
	if shift+width > 64 {
		record[at+1] |= high << (64 - shift)
	}
}

// fieldMasks sets mask to the bits that n fields take.
func fieldMasks(mask []uint64, n int, width uint) {
	bits := uint(n) * width
	for i := range mask {
		mask[i] = ^(math.MaxUint64 >> min(bits, 64))
		bits -= min(bits, 64)
	}
}

// numbersOf returns how many numbers hold so many bits.
func numbersOf(bits int) int { return (bits + 63) / 64 }

// count returns a sorter of the n-grams of the highest order, from their last word on,
// with their numbers of occurrences in the lower half of their last number. Fields are words
// plus 1. At the start of a text or a sentence they are 0: no word is there.
func (e *diskEstimate) count(text []int32) *sorter {
	width := e.paddedBits()
	numbers := numbersOf(e.Order*int(width) + 32)
	var key, mask [maxWidth]uint64
	fieldMasks(mask[:numbers], e.Order, width)
	s := e.newSorter(e.first, numbers, true)
	push := func(w int32) {
		for i := numbers - 1; i > 0; i-- {
			key[i] = (key[i]>>width | key[i-1]<<(64-width)) & mask[i]
		}
		key[0] = key[0]>>width&mask[0] | uint64(w+1)<<(64-width)
		record := s.next()
		for i := range record {
			record[i] = key[i]
		}
		record[numbers-1]++
	}
	starts := e.Marks != nil
	for i, w := range text {
		if i%(1<<16) == 0 && !e.ok() {
			break
		}
		if starts {
			key = [maxWidth]uint64{}
			push(e.Marks.Start)
		}
		push(w)
		starts = e.Marks != nil && w == e.Marks.End
	}
	return s
}

// paddedBits returns the bits of a word plus 1.
func (e *diskEstimate) paddedBits() uint { return uint(bits.Len(uint(e.Vocab))) }

// adjust counts the n-grams of all orders, adjusts their counts, and sets the discounts
// and the numbers of n-grams. It sets grams and suffix of the orders above 1, and returns
// the counts of the words.
func (e *diskEstimate) adjust(highest *sorter) []uint32 {
	sorted := highest.merge(e.first)
	order, width := e.Order, e.paddedBits()
	counts := make([]uint32, e.Vocab)
	for n := 2; n <= order; n++ {
		room := len(e.second) / (order - 1)
		o := &e.orders[n-1]
		o.grams = e.newSorter(e.second[(n-2)*room:(n-1)*room], numbersOf(n*int(e.wordBits))+1, false)
		o.suffix = e.newFile()
	}
	var (
		gram, next        [MaxOrder]uint32 // fields of this record and the next one
		longest           int              // n-gram in gram
		occurs, preceding [MaxOrder + 1]uint32
		ranks             [MaxOrder + 1]uint32
		seen              [MaxOrder + 1]countsOfCounts
	)
	// finish ends the n-grams of gram that are longer than so many words.
	finish := func(shorter int) {
		for n := longest; n > shorter; n-- {
			c := occurs[n]
			if n < order && e.Smoothing == KneserNey && preceding[n] > 0 {
				c = preceding[n]
			}
			occurs[n], preceding[n] = 0, 0
			if n == 1 {
				counts[gram[0]-1] = c
				continue
			}
			o := &e.orders[n-1]
			record := o.grams.next()
			clear(record)
			for i := range n {
				setField(record, i, e.wordBits, gram[n-1-i]-1)
			}
			record[len(record)-1] = uint64(c)<<32 | uint64(ranks[n])
			suffix := ranks[n-1]
			if n == 2 {
				suffix = gram[0] - 1
			}
			o.suffix.uint32(suffix)
			seen[n].add(c)
			ranks[n]++
		}
	}
	for r := sorted.next(); r != nil; r = sorted.next() {
		same, words := 0, 0 // fields as in gram; fields that are words
		for i := range order {
			next[i] = field(r, i, width)
			if same == i && next[i] == gram[i] {
				same++
			}
			if next[i] != 0 {
				words++
			}
		}
		finish(same)
		gram, longest = next, words
		c := uint32(r[len(r)-1])
		for n := 1; n <= words; n++ {
			occurs[n] += c
			// The start of a text counts as a word before an n-gram, that of a sentence not.
			if n >= same && n < order && (n < words || e.Marks == nil) {
				preceding[n]++
			}
		}
	}
	finish(0)
	highest.close()
	e.shape.Entries[0] = e.Vocab
	for n := 2; n <= order; n++ {
		o := &e.orders[n-1]
		o.grams.toDisk()
		o.suffix.end()
		e.shape.Entries[n-1] = int(ranks[n])
		e.discounts[n-1] = e.Smoothing.discountsOf(seen[n])
	}
	return counts
}

// order1 estimates order 1.
func (e *diskEstimate) order1(counts []uint32) {
	if e.Marks != nil {
		counts[e.Marks.Start] = 0 // never predicted
	}
	e.discounts[0] = e.Smoothing.discounts(counts)
	o := Order{Prob: make([]float32, len(counts))}
	interpolateUnigrams(&o, counts, e.discounts[0], e.Marks)
	linear, prob := e.newFile(), e.newFile()
	for _, p := range o.Prob {
		linear.float32(p)
		prob.float32(log10(float64(p)))
	}
	linear.end()
	prob.end()
	e.orders[0].linear, e.levels[0].prob = linear, prob
}

// weigh computes the weights of the histories of order n, and with them the back-offs of
// the order below and its offsets, and the words of the order. The sorter that it returns
// has a record of each n-gram: its rank in the upper half of a number and its place in the
// lower; its share of its history; and the weight of the order below.
func (e *diskEstimate) weigh(n int) *sorter {
	o, below := &e.orders[n-1], &e.orders[n-2]
	entries, belows := e.shape.Entries[n-1], e.shape.Entries[n-2]
	grams := o.grams.merge(e.first)
	shares := e.newSorter(e.second, 3, false)
	level, levelBelow := &e.levels[n-1], &e.levels[n-2]
	level.words, levelBelow.backoff, levelBelow.low, levelBelow.high = e.newFile(), e.newFile(), e.newFile(), e.newFile()
	words := packer{e: &level.words.encoder, width: uint(wordWidth(e.Vocab))}
	offsets := newOffsetsWriter(belows, entries, &levelBelow.low.encoder, &levelBelow.high.encoder)
	if n < e.Order {
		o.keys = e.newFile()
	}
	if n > 2 {
		below.keys.rewind()
	}

	var (
		history  [maxWidth]uint64 // of the n-grams in group
		key      [maxWidth]uint64 // of the n-gram at place of the order below
		mask     [maxWidth]uint64
		place    int
		children int // of the n-grams before place
		off      = e.discounts[n-1].table()
		group    = e.group[:0] // the last numbers of the n-grams that continue history
		numbers  = numbersOf((n - 1) * int(e.wordBits))
	)
	fieldMasks(mask[:numbers], n-1, e.wordBits)
	// read sets key.
	read := func() {
		if n == 2 {
			key[0] = 0
			setField(key[:1], 0, e.wordBits, uint32(place))
			return
		}
		for i := range numbers {
			key[i] = below.keys.nextUint64()
		}
	}
	// pass ends the n-gram at place.
	pass := func(backoff float32) {
		offsets.add(children)
		levelBelow.backoff.float32(backoff)
		if place++; place < belows {
			read()
		}
	}
	finish := func() {
		var total uint64
		var seen [4]uint64
		for _, v := range group {
			c := v >> 32
			total += c
			seen[min(c, 3)]++
		}
		gamma := weight(seen, total, off)
		for key != history && place < belows && e.err == nil {
			pass(0)
		}
		for i, v := range group {
			record := shares.next()
			record[0] = v<<32 | uint64(children+i)
			record[1] = math.Float64bits(share(uint32(v>>32), total, off))
			record[2] = math.Float64bits(gamma)
		}
		pass(log10(gamma))
		children += len(group)
		group = group[:0]
	}
	if belows > 0 {
		read()
	}
	for r := grams.next(); r != nil; r = grams.next() {
		same := true
		for i := range numbers {
			same = same && r[i]&mask[i] == history[i]
		}
		if !same && len(group) > 0 {
			finish()
		}
		for i := range numbers {
			history[i] = r[i] & mask[i]
		}
		group = append(group, r[len(r)-1])
		words.add(field(r, n-1, e.wordBits))
		if n < e.Order {
			for _, v := range r[:len(r)-1] {
				o.keys.uint64(v)
			}
		}
	}
	if len(group) > 0 {
		finish()
	}
	for e.ok() && place < belows {
		pass(0)
	}
	offsets.add(children)
	offsets.end()
	words.end()
	for _, t := range []*tempFile{level.words, levelBelow.backoff, levelBelow.low, levelBelow.high} {
		t.end()
	}
	if n < e.Order {
		o.keys.end()
	}
	if n > 2 {
		below.keys.close()
	}
	o.grams.close()
	return shares
}

// mix computes the probabilities of order n from the shares. The sorter that it returns
// has the place of each n-gram in the upper half of a number and its log-probability in
// the lower.
func (e *diskEstimate) mix(n int, shares *sorter) *sorter {
	o, below := &e.orders[n-1], &e.orders[n-2]
	ranked := shares.merge(e.second)
	placed := e.newSorter(e.first, 1, false)
	below.linear.rewind()
	o.suffix.rewind()
	if n < e.Order {
		o.linear = e.newFile()
	}
	var lower float32 // of the n-gram of the order below before rank at
	at := 0
	for r := ranked.next(); r != nil; r = ranked.next() {
		for suffix := int(o.suffix.nextUint32()); at <= suffix && e.err == nil; at++ {
			lower = below.linear.nextFloat32()
		}
		p := mixed(math.Float64frombits(r[1]), math.Float64frombits(r[2]), lower)
		if n < e.Order {
			o.linear.float32(p)
		}
		placed.next()[0] = r[0]<<32 | uint64(math.Float32bits(log10(float64(p))))
	}
	if n < e.Order {
		o.linear.end()
	}
	below.linear.close()
	o.suffix.close()
	shares.close()
	return placed
}

// place sets the log-probabilities of order n.
func (e *diskEstimate) place(n int, placed *sorter) {
	prob := e.newFile()
	sorted := placed.merge(e.first)
	for r := sorted.next(); r != nil; r = sorted.next() {
		prob.uint32(uint32(r[0]))
	}
	prob.end()
	placed.close()
	e.levels[n-1].prob = prob
}

// write returns a file of the model, which [Read] reads.
func (e *diskEstimate) write() *tempFile {
	columns := make([][2]diskColumn, e.Order) // log-probabilities and back-offs
	for i := range e.levels {
		quantise := e.shape.Store == Quantised && i > 0
		l, n := &e.levels[i], e.shape.Entries[i]
		columns[i][0] = e.newColumn(l.prob, n, quantise, isLogProb)
		e.shape.Probs = append(e.shape.Probs, columns[i][0].coding)
		if i+1 < e.Order {
			columns[i][1] = e.newColumn(l.backoff, n, quantise, isFinite)
			e.shape.Backoffs = append(e.shape.Backoffs, columns[i][1].coding)
		}
	}
	file := e.newFile()
	out := &file.encoder
	out.header(e.shape)
	for i := range e.levels {
		l := &e.levels[i]
		if i > 0 {
			e.move(out, l.words)
		}
		e.writeColumn(out, &columns[i][0])
		if i+1 < e.Order {
			e.writeColumn(out, &columns[i][1])
			e.move(out, l.low)
			e.move(out, l.high)
		}
	}
	out.flush()
	sum := out.crc
	out.uint32(sum)
	file.end()
	return file
}

// move writes a file to out and removes it.
func (e *diskEstimate) move(out *encoder, file *tempFile) {
	if e.ok() {
		file.copyTo(out)
	}
	file.close()
}

// open returns the model in a file.
func (e *diskEstimate) open(file *tempFile, memory int64) *Model {
	if !e.ok() {
		return nil
	}
	size := file.encoder.n
	mapped, unmap, err := file.file.Map(int(size))
	if err != nil {
		if size > memory {
			e.fail(fmt.Errorf("ngram: the model has %d bytes, %d of memory may be taken, and it can't be left on disk here: %w", size, memory, err))
			return nil
		}
		m, err := Read(io.NewSectionReader(file.file, 0, size), size)
		e.fail(err)
		return m
	}
	d := decoder{mapped: mapped, buf: e.in}
	m, err := d.model(size)
	if err != nil {
		unmap()
		e.fail(fmt.Errorf("ngram: reading model: %w", err))
		return nil
	}
	runtime.AddCleanup(m.store.(*trie), func(unmap func()) { unmap() }, unmap)
	return m
}
