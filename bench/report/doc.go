// Package report writes a [bench.Result] for people and for programs: a text table,
// JSON, CSV, and a plot of bytes against n-gram order as PNG or SVG. It also plots a
// [gradients.Result], in the same style.
//
// Every writer takes an [io.Writer]. [disk.WriteFile] provides one that becomes a file
// only when all of it is written. [CheckFile] tells before a long run whether that will
// work.
package report
