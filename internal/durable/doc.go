// Package durable writes and reads the files of models and results. Files are written
// completely or not at all. Files of sections have a checksum in each section.
package durable
