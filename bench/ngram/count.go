package ngram

// counter counts the n-grams of one order while their number is still unknown:
// an open-addressed table that doubles. It lives only during training.
type counter struct {
	slots   []counted
	entries int
}

// counted is one n-gram. Keys stay valid while the table doubles because they
// name prefixes by their slot in the finished table below; the n-gram itself
// needs an id until its own table is finished.
type counted struct {
	key   uint64 // as made by makeKey; 0 is a free slot
	id    uint32 // 0, 1, 2, ... in order of first appearance
	count uint32
}

// newCounter returns a counter that takes expected entries before it grows.
func newCounter(expected int) *counter {
	return &counter{slots: make([]counted, expected+expected/2+2)}
}

// add counts one occurrence of key and returns its id and whether it is new.
func (c *counter) add(key uint64) (id uint32, isNew bool) {
	s := c.slot(key)
	if s.key == key {
		s.count++
		return s.id, false
	}
	// At most 3 slots in 4 are taken, or probes get long.
	if c.entries >= len(c.slots)/4*3 {
		c.grow()
		s = c.slot(key)
	}
	id = uint32(c.entries)
	*s = counted{key: key, id: id, count: 1}
	c.entries++
	return id, true
}

// slot returns the slot that holds key, or the free one where it belongs.
func (c *counter) slot(key uint64) *counted {
	slots := c.slots
	i := home(key, len(slots))
	for slots[i].key != key && slots[i].key != 0 {
		if i++; i == len(slots) {
			i = 0
		}
	}
	return &slots[i]
}

func (c *counter) grow() {
	old := c.slots
	c.slots = make([]counted, 2*len(old)+4)
	for i := range old {
		if old[i].key != 0 {
			*c.slot(old[i].key) = old[i]
		}
	}
}

// histories sums up what followed each n-gram of the order below, by its slot.
type histories struct {
	total []uint32 // c(h.), occurrences of any word after h
	types []uint32 // N1+(h.), different words after h
}

func (c *counter) histories(slots int) histories {
	h := histories{total: make([]uint32, slots), types: make([]uint32, slots)}
	for _, s := range c.slots {
		if s.key != 0 {
			prefix, _ := splitKey(s.key)
			h.total[prefix] += s.count
			h.types[prefix]++
		}
	}
	return h
}

// countsOfCounts returns how many n-grams were seen exactly once and exactly
// twice.
func (c *counter) countsOfCounts() (n1, n2 int) {
	for _, s := range c.slots {
		switch s.count {
		case 1:
			n1++
		case 2:
			n2++
		}
	}
	return n1, n2
}
