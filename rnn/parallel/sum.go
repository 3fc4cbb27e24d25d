package parallel

// A sum in two stages: x is cut into a section for each rank. Each rank receives its
// section of all others, adds them, and sends the sum to all. So a rank sends and receives
// 2·(ranks-1)/ranks times the bytes of x, the least for any sum.
//
// A small sum has one stage: all ranks send x to all, and each adds. A long one is several.

// sum begins the sum of x.
func (m *machine) sum(x []float32) {
	if m.ranks == 1 {
		return
	}
	// Calls under way are limited.
	block := max(m.block, (len(x)/1024+15)&^15)
	for {
		part := x[:min(len(x), block)]
		if c := m.begin(sumStage); c != nil {
			c.x = part
			m.run(c)
		}
		if x = x[len(part):]; len(x) == 0 {
			return
		}
	}
}

func sumStage(m *machine, c *call) {
	if 4*len(c.x)*(m.ranks-1) <= m.small {
		c.next = sumSmall
		m.sendAll(c)
	} else {
		c.next = sumSections
		m.sendSections(c)
	}
}

// sendAll exchanges x with all ranks.
func (m *machine) sendAll(c *call) {
	c.buffer = m.take((m.ranks - 1) * len(c.x))
	for i := 1; i < m.ranks; i++ {
		p := m.peer(i)
		m.receive(c, p, bytesOf(m.part(c, p, len(c.x))))
		m.send(c, p, bytesOf(c.x))
	}
}

func sumSmall(m *machine, c *call) {
	m.addParts(c, c.x)
	m.end(c)
}

// sendSections exchanges sections: each rank gets its own of all.
func (m *machine) sendSections(c *call) {
	own := m.section(c.x, m.rank)
	c.buffer = m.take((m.ranks - 1) * len(own))
	for i := 1; i < m.ranks; i++ {
		p := m.peer(i)
		m.receive(c, p, bytesOf(m.part(c, p, len(own))))
		m.send(c, p, bytesOf(m.section(c.x, p)))
	}
}

func sumSections(m *machine, c *call) {
	own := m.section(c.x, m.rank)
	m.addParts(c, own)
	m.giveBack(c.buffer)
	c.buffer = nil
	for i := 1; i < m.ranks; i++ {
		p := m.peer(i)
		m.receive(c, p, bytesOf(m.section(c.x, p)))
		m.send(c, p, bytesOf(own))
	}
	c.next = (*machine).end
}

// section returns the section of x that a rank adds. Sections start on cache lines of x.
func (m *machine) section(x []float32, rank int) []float32 {
	const line = 16
	lines := (len(x) + line - 1) / line
	lo, hi := lines*rank/m.ranks*line, lines*(rank+1)/m.ranks*line
	return x[min(lo, len(x)):min(hi, len(x))]
}

// part returns where n floats of another rank arrive.
func (m *machine) part(c *call, rank, n int) []float32 {
	if rank > m.rank {
		rank--
	}
	return c.buffer[rank*n:][:n]
}

// addParts adds what has arrived to own, neighbours first. It uses up the buffer.
func (m *machine) addParts(c *call, own []float32) {
	const block = 4096 // floats: those of a few ranks lie in L2
	for lo := 0; lo < len(own); lo += block {
		hi := min(lo+block, len(own))
		of := func(rank int) []float32 {
			if rank == m.rank {
				return own[lo:hi]
			}
			return m.part(c, rank, len(own))[lo:hi]
		}
		for step := 1; step < m.ranks; step *= 2 {
			for r := 0; r+step < m.ranks; r += 2 * step {
				dst := of(r)
				if 2*step >= m.ranks { // the last addition
					dst = own[lo:hi]
				}
				m.add(dst, of(r), of(r+step))
			}
		}
	}
}

// add sets dst to a + b.
func add(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}
