//go:build race

package residency

// raceDetector is true where memory has a shadow that grows with it.
const raceDetector = true
