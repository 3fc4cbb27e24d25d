// Package figures formats numbers for people: sizes, counts, rates, times, and tables
// of them.
package figures
