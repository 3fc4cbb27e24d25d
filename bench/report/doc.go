// Package report writes results for people and for programs. A [study.LevelResult]
// becomes a text table, JSON, CSV, and a plot of bytes against n-gram order as PNG or
// SVG; a [study.Result] becomes a page. The plot of a [gradients.Result] has its style.
//
// Every writer takes an [io.Writer]. [durable.WriteFile] provides one that becomes a
// file only when all of it is written. [CheckFile] tells before a long run whether that
// will work.
package report
