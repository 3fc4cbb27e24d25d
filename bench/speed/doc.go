// Package speed measures how close the kernels and the network come to the machine's
// peak. [Kernels] measures every kernel of every instruction set. [Speed] measures
// passes through networks of published sizes. [Neighbours] measures passes on a machine
// with other work on it.
//
// Shares of peak refer to a loop of independent multiply-adds on as many threads. The
// loop and the work take turns, so a change of the machine's speed affects both. The
// best run of each counts: other work on the machine can only lower it. Medians are
// reported too.
package speed
