// Package memory returns how many bytes this process holds and how many are free.
//
// Resident memory is read from the operating system, so it counts the whole process and
// the Go runtime. On Linux it leaves out the pages of the program's code. The size of a
// data structure is the growth between two readings in a process that does nothing else
// in between:
//
//	memory.DisableHugePages() // or sizes come in steps of 2 MiB
//	debug.FreeOSMemory()
//	before, err := memory.Resident()
//	... make it, touch all of it, drop everything else ...
//	debug.FreeOSMemory()
//	after, err := memory.Resident()
package memory
