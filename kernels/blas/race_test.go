//go:build race

package blas

// raceDetector is true where each access to memory costs ten times as much.
const raceDetector = true
