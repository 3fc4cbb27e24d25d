// Package report writes results for people and for programs. A [study.LevelResult]
// becomes a text table, JSON, CSV, and a plot of bytes against n-gram order as PNG or
// SVG. A [study.Result] becomes an HTML page. A [gradients.Result] becomes a plot in
// the same style.
//
// Every writer takes an [io.Writer]. [durable.WriteFile] provides one whose file
// appears only when it is complete. [CheckFile] tells before a long run whether the
// file can be written.
package report
