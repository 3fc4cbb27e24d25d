//go:build !race

package rnn

const raceDetector = false
