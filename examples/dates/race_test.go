//go:build race

package main

// raceDetector is true where training takes minutes.
const raceDetector = true
