// Package disk writes and reads the files of models and results. A file is written as a
// whole or not at all. Files of sections have a checksum on each section.
package disk
