package parallel

import (
	"fmt"
	"unsafe"

	"batchrnn/kernels"
)

// A machine is one rank: its calls under way, and the messages that each waits for. The
// transports below it, [Local] and [MPI], carry messages. One goroutine at a time uses it.
type machine struct {
	rank, ranks int
	link        link
	add         func(dst, a, b []float32)

	seq     int     // calls begun
	under   int     // calls under way
	spare   []*call // ended, for reuse
	buffers [][]float32
	err     error // the first one; it ends all calls

	pieces int // the most bytes of a message; a longer one goes in pieces
	block  int // the most floats of a sum; a longer one is several
	small  int // the most bytes that a rank receives in a sum of one stage
}

const (
	// A count of MPI is an int32.
	maxMessage = 1 << 30
	// Gather makes room for this many bytes at a time, as they arrive.
	gatherPiece = 64 << 20
	// A longer sum goes in several of such sections. MPICH's shared memory takes 1.5 times as
	// long for messages of 8 MB.
	sectionFloats = 1 << 17
	// Up to here, all ranks send all to all and add, which saves a stage.
	smallSum = 64 << 10
)

func newMachine(rank, ranks int, link link) machine {
	m := machine{rank: rank, ranks: ranks, link: link, add: add, pieces: maxMessage, small: smallSum, block: ranks * sectionFloats}
	// The kernels take a quarter of the time of add, with the same bits. An engine can't be
	// made if the environment forces an instruction set that is missing.
	if e, err := kernels.New("", 1); err == nil {
		m.add = e.Add
	}
	return m
}

// A link carries messages between ranks. Messages with the same tag between the same
// ranks arrive in the order of their posts.
type link interface {
	// post begins to send m.data to m.peer or to receive it from there. The data must stay
	// as it is until poll reports the message.
	post(m message) error

	// poll calls m.ended for each message that has ended since the last poll, with the bytes
	// that were sent. It says whether there was one.
	poll(m *machine) (bool, error)
}

// A message is sent or received by a call.
type message struct {
	call *call
	data []byte
	peer int
	tag  int
	recv bool
	upTo bool // of a receipt: it may be shorter than data
}

// An ended is a message that has ended, with the bytes that were sent.
type ended struct {
	message
	bytes int
}

// A call is a Sum, SumRows or Gather under way. It goes through stages. Each posts
// messages, and the next begins when all have ended.
//
// The length of the first message tells the kind of call: a sum has 0 modulo 4, a gather 1,
// a sum of rows 2. So ranks that make different calls see a length that was not due.
type call struct {
	next  func(*machine, *call) // what the end of a stage begins
	open  int                   // messages of the stage that are under way
	tag   int
	stage int // from 0 on
	ended bool

	x      []float32 // Sum
	buffer []float32 // what arrives

	rows rowsCall

	// Gather
	own     []byte
	heads   []byte   // lengths, headBytes each
	all     [][]byte // what has arrived, and in the end what Gather returns
	lengths []int    // of all, in the end
}

// begin starts a call, whose first stage is next. It returns nil if the machine has
// failed.
func (m *machine) begin(next func(*machine, *call)) *call {
	if m.under == maxCalls {
		m.fail(fmt.Errorf("parallel: %d calls are under way: Wait ends them", m.under))
	}
	if m.err != nil {
		return nil
	}
	var c *call
	if n := len(m.spare); n > 0 {
		c, m.spare = m.spare[n-1], m.spare[:n-1]
	} else {
		c = new(call)
	}
	c.tag = m.seq % maxCalls * stages
	c.next, c.open, c.stage, c.ended = next, 0, -1, false
	m.seq++
	m.under++
	return c
}

// Tags of messages tell calls under way apart, and stages. 32,767 is the smallest bound that
// MPI allows for a tag.
const (
	maxCalls = 8192
	stages   = 4 // of a call with messages, at most
)

// run goes on with c until it waits for messages or has ended.
func (m *machine) run(c *call) {
	for c.open == 0 && !c.ended && m.err == nil {
		c.stage++
		c.next(m, c)
	}
}

// end is the end of a call.
func (m *machine) end(c *call) {
	c.ended = true
	m.giveBack(c.buffer)
	c.x, c.buffer, c.own = nil, nil, nil
	c.rows.table, c.rows.rows = nil, nil
	m.under--
	m.spare = append(m.spare, c)
}

// fail ends all calls. What is under way stays referenced: the transport may still write
// there.
func (m *machine) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

// send begins to send data to a rank.
func (m *machine) send(c *call, peer int, data []byte) {
	m.post(message{call: c, data: data, peer: peer})
}

// receive begins to receive data from a rank.
func (m *machine) receive(c *call, peer int, data []byte) {
	m.post(message{call: c, data: data, peer: peer, recv: true})
}

// sendWhole and receiveUpTo are the same for a message of one piece. What is received may
// be shorter than data.
func (m *machine) sendWhole(c *call, peer int, data []byte) {
	m.postPiece(message{call: c, data: data, peer: peer})
}

func (m *machine) receiveUpTo(c *call, peer int, data []byte) {
	m.postPiece(message{call: c, data: data, peer: peer, recv: true, upTo: true})
}

// post posts a message in pieces, an empty one in one.
func (m *machine) post(msg message) {
	for data := msg.data; ; {
		msg.data = data[:min(len(data), m.pieces)]
		m.postPiece(msg)
		if data = data[len(msg.data):]; len(data) == 0 {
			return
		}
	}
}

func (m *machine) postPiece(msg message) {
	if m.err != nil {
		return
	}
	msg.tag = msg.call.tag + msg.call.stage
	if err := m.link.post(msg); err != nil {
		m.fail(err)
		return
	}
	msg.call.open++
}

// peer returns the i-th other rank, from 1 to ranks-1. Each rank begins with another one.
func (m *machine) peer(i int) int { return (m.rank + i) % m.ranks }

// ended goes on with the call of a message that has ended.
func (m *machine) ended(msg message, bytes int) {
	if m.err != nil {
		return
	}
	if msg.recv && (bytes > len(msg.data) || bytes < len(msg.data) && !msg.upTo) {
		m.fail(m.mismatch(msg, bytes))
		return
	}
	c := msg.call
	c.open--
	switch {
	case msg.upTo:
		c.rows.sums[msg.peer] = c.rows.sums[msg.peer][:bytes/4]
	case msg.recv && c.all != nil:
		m.gatherMore(c, msg.peer)
	}
	m.run(c)
}

// closeBytes is the length of the message that tells of a Close: 3 modulo 4.
const closeBytes = 3

func (m *machine) mismatch(msg message, bytes int) error {
	if bytes == closeBytes {
		return fmt.Errorf("parallel: rank %d has closed during a call of rank %d", msg.peer, m.rank)
	}
	return fmt.Errorf("parallel: rank %d sent %d bytes to rank %d, which waits for %d: all ranks must make the same calls", msg.peer, bytes, m.rank, len(msg.data))
}

// take returns a buffer of n floats. Buffers are never given up, because the calls of one
// step of a training are those of the next one.
func (m *machine) take(n int) []float32 {
	best := -1
	for i, b := range m.buffers {
		if cap(b) >= n && (best < 0 || cap(b) < cap(m.buffers[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]float32, n)
	}
	b := m.buffers[best]
	last := len(m.buffers) - 1
	m.buffers[best], m.buffers = m.buffers[last], m.buffers[:last]
	return b[:n]
}

func (m *machine) giveBack(b []float32) {
	if cap(b) > 0 {
		m.buffers = append(m.buffers, b)
	}
}

// copyFloats is copy in runs, between which the runtime can stop the goroutine.
func copyFloats(dst, src []float32) {
	const run = 1 << 14
	for lo := 0; lo < len(dst); lo += run {
		hi := min(lo+run, len(dst))
		copy(dst[lo:hi], src[lo:hi])
	}
}

// bytesOf returns the memory of x.
func bytesOf[T float32 | int32](x []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// int32sOf returns the memory of x.
func int32sOf(x []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// barrier begins a call that ends when all ranks have begun it.
func (m *machine) barrier() {
	if c := m.begin(barrierStage); c != nil {
		m.run(c)
	}
}

func barrierStage(m *machine, c *call) {
	c.heads = grown(c.heads, m.ranks*closeBytes)
	for i := 1; i < m.ranks; i++ {
		p := m.peer(i)
		m.receive(c, p, c.heads[p*closeBytes:][:closeBytes])
		m.send(c, p, c.heads[m.rank*closeBytes:][:closeBytes])
	}
	c.next = (*machine).end
}
