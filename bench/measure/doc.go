// Package measure says how long work takes, how much memory this process
// holds, and on what machine: the figures that a comparison needs and that
// nobody should have to take on trust.
//
// Times are wall-clock, sizes are bytes. Resident memory is read from the
// operating system and so counts the whole process, the Go runtime included, on
// Linux without the pages of the program's code. What one model weighs is the
// growth between two readings in a process that does nothing else in between:
//
//	measure.DisableHugePages() // or sizes come in steps of 2 MiB
//	debug.FreeOSMemory()
//	before, err := measure.Resident()
//	... make the model, touch all of it, drop everything else ...
//	debug.FreeOSMemory()
//	after, err := measure.Resident()
package measure
