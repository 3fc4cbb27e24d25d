// Package measure says how long work takes and on what machine: the figures that a
// comparison needs and that nobody should have to take on trust. Times are
// wall-clock.
package measure
