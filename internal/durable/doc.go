// Package durable is how models and results get to disk and back: files that are
// written as a whole or not at all, and files of sections, each with a checksum.
package durable
