//go:build race

package bench

// raceDetector is true where memory has a shadow that grows with it.
const raceDetector = true
