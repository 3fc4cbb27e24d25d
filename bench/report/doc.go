// Package report writes a [study.LevelResult] for people and for programs: a text
// table, JSON, CSV, and a plot of bytes against n-gram order as PNG or SVG; and a
// [study.Result] as a page. The plot of a [gradients.Result] has its style.
//
// Every writer takes an [io.Writer]. [durable.WriteFile] gives it one that becomes a
// file only once all of it is written, and [CheckFile] tells before a long run
// whether that will work.
package report
