// Package memory says how many bytes this process holds and how many are free.
//
// Resident memory is read from the operating system and so counts the whole
// process, the Go runtime included, on Linux without the pages of the program's
// code. What one thing weighs is the growth between two readings in a process that
// does nothing else in between:
//
//	memory.DisableHugePages() // or sizes come in steps of 2 MiB
//	debug.FreeOSMemory()
//	before, err := memory.Resident()
//	... make it, touch all of it, drop everything else ...
//	debug.FreeOSMemory()
//	after, err := memory.Resident()
package memory
