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
	stall := func(t0, waited int64, team int) {
		p.punish(t0*ms, waited*ms, team)
		p.procs, p.recount = 4, 1<<62
	}
	at(0, 4)
	stall(10, 4, 4) // one less, for as long as the team waited
	at(11, 3)
	at(13, 3)
	at(14, 4)       // a try
	stall(15, 4, 4) // that fails: twice as long
	at(22, 3)
	at(23, 4)
	stall(24, 4, 4) // and again
	at(39, 3)
	at(40, 4)
	at(55, 4)
	at(56, 4) // it has lasted
	if p.trying || p.limit != 4 {
		t.Errorf("%+v after a try that has lasted", p)
	}
	at(100, 4)
	stall(200, 4, 4) // so the next stall is a first one
	at(203, 3)
	at(204, 4)

	// A team that the region kept small tells nothing about a larger one.
	p.init(4)
	p.trying, p.backoff = false, 0
	stall(300, 1, 2)
	at(300, 1)
	at(301, 2)
	at(302, 3)
	at(303, 4)

	// However often it fails, it is tried about once a second.
	p.init(2)
	p.trying, p.backoff = false, 0
	now, tries := int64(0), 0
	for now < 10_000 {
		if p.allowed(now*ms) == 2 {
			stall(now, 5, 2)
			tries++
		}
		now++
	}
	if tries < 12 || tries > 20 {
		t.Errorf("%d tries in ten seconds", tries)
	}
}
