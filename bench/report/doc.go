// Package report writes a [bench.Result] for people and for programs: a text
// table, JSON, CSV, and a plot of bytes against n-gram order as PNG or SVG.
//
// Every writer takes an [io.Writer]. [WriteFile] gives it one that becomes a
// file only once all of it is written, and [CheckWritable] tells before a long
// run whether that will work.
package report
