//go:build race

package parallel

// raceDetector is true where sync.Pool allocates at random.
const raceDetector = true
