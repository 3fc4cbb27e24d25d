// Package report writes a [bench.Result] for people and for programs: a text
// table, JSON, CSV, and a plot of bytes against n-gram order as PNG or SVG. The
// plot of a [gradients.Result] has its style.
//
// Every writer takes an [io.Writer]. [durable.WriteFile] gives it one that becomes a
// file only once all of it is written, and [CheckFile] tells before a long run
// whether that will work.
package report
