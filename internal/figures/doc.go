// Package figures writes numbers for people: sizes, counts, rates, times and
// tables of them.
package figures
