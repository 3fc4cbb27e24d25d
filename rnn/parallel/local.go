package parallel

import (
	"fmt"
	"sync"
)

// Local returns the reducers of n ranks in one process, each for a goroutine of its own.
// A rank that closes, or makes another call than the others, ends the calls of all with an
// error.
func Local(n int) []Reducer {
	if n < 1 {
		panic(fmt.Sprintf("parallel: Local: %d ranks, there must be one", n))
	}
	h := &hub{waiting: make([][]message, n*n), ranks: make([]*local, n)}
	reducers := make([]Reducer, n)
	for i := range n {
		l := &local{hub: h, wake: make(chan struct{}, 1)}
		l.machine = newMachine(i, n, l)
		h.ranks[i], reducers[i] = l, l
	}
	return reducers
}

// A hub is what the ranks of Local share.
type hub struct {
	ranks []*local

	mu      sync.Mutex
	waiting [][]message // posts from i to j that lack their counterpart: [i·ranks+j]
	err     error
}

// A local is a rank of Local, and its link.
type local struct {
	machine
	hub *hub

	news   []ended       // under hub.mu
	taken  []ended       // of news, by poll
	closed bool          // under hub.mu
	wake   chan struct{} // says that news or hub.err has changed
}

func (l *local) Rank() int  { return l.rank }
func (l *local) Ranks() int { return l.ranks }

func (l *local) Sum(x []float32) { l.sum(x) }

func (l *local) SumRows(table []float32, width int, rows []int32) { l.sumRows(table, width, rows) }

func (l *local) Wait() error {
	for l.under > 0 && l.err == nil {
		l.progress()
	}
	return l.check()
}

func (l *local) Gather(own []byte) ([][]byte, error) {
	c := l.gather(own)
	for c != nil && !c.ended && l.err == nil {
		l.progress()
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	all := c.all
	c.all = nil
	return all, nil
}

func (l *local) Close() error {
	h := l.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for p := range l.ranks {
		if len(h.waiting[p*l.ranks+l.rank]) > 0 || len(h.waiting[l.rank*l.ranks+p]) > 0 {
			h.fail(fmt.Errorf("parallel: rank %d has closed during a call of rank %d", l.rank, p))
		}
	}
	if l.err == nil {
		l.err = fmt.Errorf("parallel: rank %d is closed", l.rank)
		return nil
	}
	return l.err
}

// progress waits for messages and goes on with their calls.
func (l *local) progress() {
	if any, err := l.poll(&l.machine); err != nil {
		l.fail(err)
	} else if !any {
		<-l.wake
	}
}

// check returns the error of the rank, which is then that of all.
func (l *local) check() error {
	if l.err != nil {
		l.hub.mu.Lock()
		l.hub.fail(l.err)
		l.hub.mu.Unlock()
	}
	return l.err
}

// fail ends the calls of all ranks. It is called under h.mu.
func (h *hub) fail(err error) {
	if h.err != nil {
		return
	}
	h.err = err
	for _, l := range h.ranks {
		l.signal()
	}
}

func (l *local) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *local) post(m message) error {
	h, n := l.hub, l.ranks
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	peer := h.ranks[m.peer]
	if peer.closed {
		h.fail(fmt.Errorf("parallel: rank %d has closed, rank %d goes on", m.peer, l.rank))
		return h.err
	}
	pair := l.rank*n + m.peer
	if m.recv {
		pair = m.peer*n + l.rank
	}
	for i, w := range h.waiting[pair] {
		if w.recv == m.recv || w.tag != m.tag {
			continue
		}
		h.waiting[pair] = append(h.waiting[pair][:i], h.waiting[pair][i+1:]...)
		dst, src := m.data, w.data
		if w.recv {
			dst, src = w.data, m.data
		}
		copy(dst, src)
		l.news = append(l.news, ended{m, len(src)})
		peer.news = append(peer.news, ended{w, len(src)})
		peer.signal()
		return nil
	}
	h.waiting[pair] = append(h.waiting[pair], m)
	return nil
}

func (l *local) poll(m *machine) (bool, error) {
	l.hub.mu.Lock()
	l.taken, l.news = l.news, l.taken[:0]
	err := l.hub.err
	l.hub.mu.Unlock()
	if err != nil {
		return false, err
	}
	for _, e := range l.taken {
		m.ended(e.message, e.bytes)
	}
	return len(l.taken) > 0, nil
}
