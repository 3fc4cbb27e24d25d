package parallel

import (
	"fmt"
	"math"
)

// A sum of rows has three stages. First each rank tells all how many rows it has for each
// rank to add: row i is added by rank i modulo ranks, because frequent words have low
// numbers. Then each rank sends its rows. At last each sends the sums of rows to all.
//
// If that takes more bytes than a sum of the whole table, the stages of one follow the
// first. All ranks know the same counts, so they choose alike.
//
// A rank that lacks a row stands for a row of +0. So the sum of the others plus +0 has the
// bits of Sum: the addition changes -0 alone.

// A rowsCall is what a call has of a sum of rows. Its slices grow, and are used again.
type rowsCall struct {
	table  []float32
	width  int
	rows   []int32
	counts []int32 // [ranks that have rows][ranks that add], padded: see counted

	// For each rank, records: the number of a row and its width floats.
	theirs [][]float32 // rows that it has for this rank to add
	sums   [][]float32 // rows that it has added

	heads []int // in theirs, of a merge
	terms [][]float32
}

func (r *rowsCall) height() int { return len(r.table) / r.width }

// row returns row i of the table.
func (r *rowsCall) row(i int32) []float32 { return r.table[int(i)*r.width:][:r.width] }

// record returns record i.
func (r *rowsCall) record(records []float32, i int) (id *int32, values []float32) {
	rec := records[i*(1+r.width):][:1+r.width]
	return &int32sOf(rec[:1])[0], rec[1:]
}

// floats returns the length of n records.
func (r *rowsCall) floats(n int) int { return n * (1 + r.width) }

// counted returns the counts of rows of a rank, and the message that tells them. Two bytes
// more tell the kind of call.
func (r *rowsCall) counted(rank, ranks int) (counts []int32, message []byte) {
	row := r.counts[rank*(ranks+1):][:ranks+1]
	return row[:ranks], bytesOf(row)[:4*ranks+2]
}

// sumRows begins a sum of rows.
func (m *machine) sumRows(table []float32, width int, rows []int32) {
	if err := checkRows(len(table), width, rows); err != nil {
		m.fail(err)
		return
	}
	if m.ranks == 1 {
		return
	}
	if c := m.begin(rowsCounts); c != nil {
		c.rows.table, c.rows.width, c.rows.rows = table, width, rows
		m.run(c)
	}
}

func checkRows(floats, width int, rows []int32) error {
	if width < 1 || floats%width != 0 || floats/width > math.MaxInt32 {
		return fmt.Errorf("parallel: SumRows: a table of %d floats can't have rows of %d", floats, width)
	}
	last := int32(-1)
	for _, row := range rows {
		if row <= last || int(row) >= floats/width {
			return fmt.Errorf("parallel: SumRows: row %d after row %d of a table of %d rows: the rows must ascend", row, last, floats/width)
		}
		last = row
	}
	return nil
}

func rowsCounts(m *machine, c *call) {
	r, n := &c.rows, m.ranks
	r.counts = grown(r.counts, n*(n+1))
	own, message := r.counted(m.rank, n)
	for i := range own {
		own[i] = 0
	}
	for _, row := range r.rows {
		own[int(row)%n]++
	}
	for i := 1; i < n; i++ {
		p := m.peer(i)
		_, theirs := r.counted(p, n)
		m.receive(c, p, theirs)
		m.send(c, p, message)
	}
	c.next = rowsChoice
}

func rowsChoice(m *machine, c *call) {
	r, n := &c.rows, m.ranks
	all, most := 0, 0
	for rank := range n {
		counts, _ := r.counted(rank, n)
		rows := 0
		for _, k := range counts {
			rows += int(k)
			if k < 0 || rows > r.height() {
				m.fail(fmt.Errorf("parallel: rank %d has more rows than the table of rank %d, %d: all ranks must make the same calls", rank, m.rank, r.height()))
				return
			}
		}
		all, most = all+rows, max(most, rows)
	}
	union := min(all, r.height()) // at most
	// Rows are copied on their way, which costs a quarter of it.
	if 4*(most+union) > 3*2*r.height() || 4*r.floats(union) > maxMessage {
		c.x = r.table
		m.sendSections(c)
		c.next = sumSections
		return
	}
	m.sendRows(c)
	c.next = rowsMerge
}

// sendRows exchanges rows: each rank gets those that it adds.
func (m *machine) sendRows(c *call) {
	r, n := &c.rows, m.ranks
	rows := len(r.rows) // sent, or its own
	for rank := range n {
		counts, _ := r.counted(rank, n)
		rows += int(counts[m.rank])
	}
	c.buffer = m.take(r.floats(rows))
	free := c.buffer
	room := func(rows int32) []float32 {
		n := r.floats(int(rows))
		b := free[:n:n]
		free = free[n:]
		return b
	}

	r.theirs = grown(r.theirs, n)
	own, _ := r.counted(m.rank, n)
	for i := range n {
		p := m.peer(i)
		records := room(own[p])
		k := 0
		for _, row := range r.rows {
			if int(row)%n == p {
				id, values := r.record(records, k)
				*id = row
				copyFloats(values, r.row(row))
				k++
			}
		}
		if p == m.rank {
			r.theirs[p] = records
			continue
		}
		counts, _ := r.counted(p, n)
		r.theirs[p] = room(counts[m.rank])
		m.receive(c, p, bytesOf(r.theirs[p]))
		m.send(c, p, bytesOf(records))
	}
}

// rowsMerge adds the rows that have arrived, and sends the sums.
func rowsMerge(m *machine, c *call) {
	r, n := &c.rows, m.ranks
	for p, records := range r.theirs {
		if err := r.check(records, p, m.rank, n); err != nil {
			m.fail(err)
			return
		}
	}
	room := func(adder int) int {
		rows := 0
		for rank := range n {
			counts, _ := r.counted(rank, n)
			rows += int(counts[adder])
		}
		return r.floats(min(rows, r.height()/n+1))
	}
	total := 0
	for p := range n {
		total += room(p)
	}
	merged := m.take(total)
	r.sums = grown(r.sums, n)
	for p, free := 0, merged; p < n; p++ {
		k := room(p)
		r.sums[p], free = free[:k:k], free[k:]
	}

	r.heads, r.terms = grown(r.heads, n), grown(r.terms, n)
	for p := range r.heads {
		r.heads[p] = 0
	}
	k := 0
	for {
		row, ok := r.nextTerms()
		if !ok {
			break
		}
		id, values := r.record(r.sums[m.rank], k)
		*id = row
		m.addTerms(values, r.terms)
		k++
	}
	r.sums[m.rank] = r.sums[m.rank][:r.floats(k)]

	m.giveBack(c.buffer)
	c.buffer = merged
	for i := 1; i < n; i++ {
		p := m.peer(i)
		m.receiveUpTo(c, p, bytesOf(r.sums[p]))
		m.sendWhole(c, p, bytesOf(r.sums[m.rank]))
	}
	c.next = rowsStore
}

// nextTerms sets terms to the values of the next row that a rank has, of each rank that has
// it.
func (r *rowsCall) nextTerms() (row int32, ok bool) {
	row = math.MaxInt32 // no table has it
	for p, records := range r.theirs {
		if r.floats(r.heads[p]) < len(records) {
			id, _ := r.record(records, r.heads[p])
			row = min(row, *id)
		}
	}
	if row == math.MaxInt32 {
		return 0, false
	}
	for p, records := range r.theirs {
		r.terms[p] = nil
		if r.floats(r.heads[p]) < len(records) {
			if id, values := r.record(records, r.heads[p]); *id == row {
				r.terms[p] = values
				r.heads[p]++
			}
		}
	}
	return row, true
}

// addTerms sets dst to the sum of terms, neighbours first. nil stands for +0. It uses up
// the terms.
func (m *machine) addTerms(dst []float32, terms [][]float32) {
	lacks := false
	for _, t := range terms {
		lacks = lacks || t == nil
	}
	for step := 1; step < len(terms); step *= 2 {
		for i := 0; i+step < len(terms); i += 2 * step {
			switch a, b := terms[i], terms[i+step]; {
			case a == nil:
				terms[i] = b
			case b != nil:
				m.add(a, a, b)
			}
		}
	}
	copyFloats(dst, terms[0])
	if lacks {
		addZero(dst)
	}
}

// addZero adds +0 to x.
func addZero(x []float32) {
	for i := range x {
		x[i] += 0
	}
}

// rowsStore stores the sums.
func rowsStore(m *machine, c *call) {
	r := &c.rows
	for p, records := range r.sums {
		if err := r.check(records, p, p, m.ranks); err != nil {
			m.fail(err)
			return
		}
		for i := range len(records) / (1 + r.width) {
			id, values := r.record(records, i)
			copyFloats(r.row(*id), values)
		}
	}
	m.end(c)
}

// check returns an error if the rows of records from a rank don't ascend, or are none that
// adder adds.
func (r *rowsCall) check(records []float32, rank, adder, ranks int) error {
	last := int32(-1)
	for i := range len(records) / (1 + r.width) {
		id, _ := r.record(records, i)
		if *id <= last || int(*id) >= r.height() || int(*id)%ranks != adder {
			return fmt.Errorf("parallel: rank %d sent row %d after row %d of a table of %d rows: all ranks must make the same calls", rank, *id, last, r.height())
		}
		last = *id
	}
	return nil
}

// grown returns s with length n, and zeros or what it held.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
