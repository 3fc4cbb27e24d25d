// Package onnx runs recurrent networks in ONNX files, and writes networks of package rnn
// as such files.
package onnx
