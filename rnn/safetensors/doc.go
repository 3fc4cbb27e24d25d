// Package safetensors reads and writes files of named tensors in the format of
// https://github.com/huggingface/safetensors:
//
//	n       uint64, little-endian
//	header  [n]byte        JSON: {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...}
//	data    the tensors, row-major and little-endian, one after the other
//
// The header may have an entry "__metadata__", an object of strings or null. It may end
// in spaces.
//
// Reading is strict: every value is checked against the file's real size before use.
// Each of these is an error, with a message of one line:
//
//   - a header that is longer than the file or than 1 MiB;
//   - a name or key that appears twice;
//   - offsets that reach beyond the data, overlap or leave gaps;
//   - shapes that don't fit their offsets.
//
// NaN and infinities are accepted.
package safetensors
