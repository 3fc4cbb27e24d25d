// Package ref is the oracle that the kernels are tested against: naive loops
// that accumulate in float64. It is written to be read beside a formula, not to
// be fast, and imports nothing of this project.
//
// Inputs are float32 or float64, results float64. So a test can tell how far a kernel
// is from the truth, not from a rounded truth.
package ref

// Float is the type of an input.
type Float interface{ ~float32 | ~float64 }
