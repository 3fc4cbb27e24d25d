package kernels

import "testing"

// TestPolicy walks the policy through its states by a clock of its own.
func TestPolicy(t *testing.T) {
	const ms = int64(1e6)
	var p policy
	p.init(4)
	p.procs, p.recount = 4, 1<<62
	at := func(t0, want int64) {
		t.Helper()
		if got := p.allowed(t0 * ms); got != int(want) {
			t.Errorf("at %d ms: %d workers, want %d (%+v)", t0, got, want, p)
		}
	}
	stall := func(t0, waited int64, team int, lower bool) {
		t.Helper()
		if p.stall(t0*ms, waited*ms, team) != lower {
			t.Errorf("at %d ms: a wait of %d ms lowers the limit: %v (%+v)", t0, waited, !lower, p)
		}
		p.procs, p.recount = 4, 1<<62
	}
	at(0, 4)
	stall(100, 4, 4, false) // rare
	stall(110, 4, 4, true)  // one less, for as long as the team waited
	at(111, 3)
	at(113, 3)
	at(114, 4)             // a try
	stall(120, 4, 4, true) // that fails: eight times as long
	at(151, 3)
	at(152, 4)
	stall(154, 4, 4, true) // and again
	at(409, 3)
	at(410, 4)
	stall(450, 4, 4, false)
	at(665, 4)
	at(666, 4) // it has lasted
	if p.trying || p.limit != 4 || p.backoff != 0 {
		t.Errorf("%+v after a try that has lasted", p)
	}
	stall(700, 40, 4, true) // so the next is a first one
	at(739, 3)
	at(740, 4)
	at(840, 4)

	// A team that the region kept small tells nothing about a larger one.
	stall(1000, 50, 2, true)
	at(1049, 1)
	at(1050, 2)
	at(1150, 3)
	at(1250, 4)

	// The time of a caller alone doesn't make a wait rare.
	p = policy{}
	p.init(4)
	p.begin(0)
	p.end(10 * ms)
	p.begin(990 * ms)
	stall(1000, 4, 4, true)
	p.begin(1000 * ms)
	p.end(1100 * ms)
	p.begin(1190 * ms)
	stall(1200, 4, 4, false)

	// Waits that follow at once are one; those that follow later are not.
	p = policy{}
	p.init(4)
	stall(100, 2, 4, false)
	p.end(100*ms + ms/2)
	if p.stall(101*ms, 2*ms, 4) {
		t.Errorf("a wait that comes of another lowers the limit (%+v)", p)
	}
	p.end(104 * ms)
	stall(105, 2, 4, true)

	// However often it fails, it is tried about once a second.
	p = policy{}
	p.init(2)
	tries := 0
	for now := range int64(10_000) {
		p.procs, p.recount = 2, 1<<62
		if p.allowed(now*ms) == 2 && p.stall(now*ms, 5*ms, 2) {
			tries++
		}
	}
	if tries < 10 || tries > 16 {
		t.Errorf("%d tries in ten seconds", tries)
	}
}
