//go:build !race

package kernels

// raceDetector is true where each access to memory costs ten times as much.
const raceDetector = false
