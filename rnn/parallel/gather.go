package parallel

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A gather has two stages: lengths, then bytes. Room for bytes is made as they arrive.

// headBytes is the length of the message that tells a length: 1 modulo 4.
const headBytes = 9

// gather begins a gather. The call has its result in all.
func (m *machine) gather(own []byte) *call {
	c := m.begin(gatherLengths)
	if c != nil {
		c.own = own
		m.run(c)
	}
	return c
}

func gatherLengths(m *machine, c *call) {
	c.heads, c.lengths = grown(c.heads, m.ranks*headBytes), grown(c.lengths, m.ranks)
	head := c.heads[m.rank*headBytes:][:headBytes]
	binary.LittleEndian.PutUint64(head, uint64(len(c.own)))
	for i := 1; i < m.ranks; i++ {
		p := m.peer(i)
		m.receive(c, p, c.heads[p*headBytes:][:headBytes])
		m.send(c, p, head)
	}
	c.next = gatherBytes
}

func gatherBytes(m *machine, c *call) {
	c.all = make([][]byte, m.ranks)
	c.all[m.rank] = slices.Clone(c.own)
	for i := 1; i < m.ranks; i++ {
		p := m.peer(i)
		n := binary.LittleEndian.Uint64(c.heads[p*headBytes:])
		if n > 1<<48 {
			m.fail(fmt.Errorf("parallel: rank %d wants to send %d bytes to rank %d: all ranks must make the same calls", p, n, m.rank))
			return
		}
		c.lengths[p] = int(n)
		c.all[p] = []byte{}
		m.gatherMore(c, p)
		for rest := c.own; len(rest) > 0; {
			k := min(len(rest), m.gatherPiece())
			m.send(c, p, rest[:k])
			rest = rest[k:]
		}
	}
	c.next = (*machine).end
}

func (m *machine) gatherPiece() int { return min(gatherPiece, m.pieces) }

// gatherMore begins to receive the next piece of a rank, if there is one.
func (m *machine) gatherMore(c *call, rank int) {
	b := c.all[rank]
	k := min(c.lengths[rank]-len(b), m.gatherPiece())
	if k == 0 {
		return
	}
	b = slices.Grow(b, k)
	c.all[rank] = b[:len(b)+k]
	m.receive(c, rank, b[len(b):][:k])
}
