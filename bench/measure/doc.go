// Package measure measures how long work takes, and describes the machine. Times are
// wall-clock.
package measure
