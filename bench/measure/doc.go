// Package measure tells how long work takes, how much memory this process holds, and on
// what machine.
//
// Times are wall-clock, sizes are bytes. Resident memory is read from the operating
// system. So it counts the whole process with the Go runtime; on Linux it leaves out the
// pages of the program's code. The size of one model is the growth between two readings,
// in a process that does nothing else in between:
//
//	measure.DisableHugePages() // or sizes come in steps of 2 MiB
//	debug.FreeOSMemory()
//	before, err := measure.Resident()
//	... make the model, touch all of it, drop everything else ...
//	debug.FreeOSMemory()
//	after, err := measure.Resident()
package measure
