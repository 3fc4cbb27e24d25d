// Command peers runs the same work on this project and on the best CPU libraries, in
// turns within one family of processes. It writes the times in benchmark format and as
// a Markdown table. README.md states the conditions.
//
// The steps of a run:
//
//	workloads.go  what is run: kinds, shapes, operations counted
//	data.go       weights and inputs of a workload, from a seed
//	algebra.go    routines of BLAS, factorizations, and the bounds beside them
//	int8.go       passes with int8 weights, and float32 beside them
//	gates.go      gates and biases in the order of each library
//	models.go     public ONNX models, and how they are called
//	onnx.go       ONNX models of a workload
//	impl.go       an implementation: what it can run, how it is timed
//	  ours.go streams.go gonum.go gonnx.go blas.go onednn.go sleef.go torch.go ort.go
//	run.go        check each result against ours, then time all in turn
//	benchfmt.go markdown.go  the output
//
// The C libraries are opened at run time (dl.c). So the program builds without them and
// can name a missing one. PyTorch is a child process (child.go) that waits in a read while
// others are timed.
package main
