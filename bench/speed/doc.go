// Package speed measures how close the kernels and the network come to the machine's
// peak. [Kernels] measures every kernel of every instruction set. [Speed] measures passes
// through networks of the sizes that others publish. [Neighbours] measures passes on a
// machine that others use too.
//
// Shares of peak refer to a loop of independent multiply-adds on as many threads. It is
// timed in turns with the work itself, so a change of the machine's speed changes both.
// The best run of each counts: other work on the machine can only lower it. Medians stand
// beside it.
package speed
