// Package speed says how close the kernels and the network come to what the
// machine can do: [Kernels] measures every kernel of every instruction set,
// [Speed] passes through networks of the sizes that others publish,
// [Neighbours] passes on a machine that others use too.
//
// Shares of peak refer to a loop of independent multiply-adds on as many
// threads, timed in turns with the work itself: where the machine changes its
// speed, it changes both. Of both the best run counts, for others on the machine
// can only lower it; medians stand beside it.
package speed
