package main

import "runtime"

// onC runs f on the one thread that calls the C libraries. OpenMP keeps workers, and
// their number, for each calling thread.
func onC(f func()) {
	done := make(chan struct{})
	cCalls <- func() { f(); close(done) }
	<-done
}

var cCalls = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for f := range cCalls {
			f()
		}
	}()
}
