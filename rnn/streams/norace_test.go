//go:build !race

package streams_test

const raceDetector = false
