// Package measure tells how long work takes, and on what machine. Times are wall-clock.
package measure
