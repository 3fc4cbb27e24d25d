//go:build !race

package residency

const raceDetector = false
