// Package asm holds the raw kernels behind package kernels, one [Set] for each
// instruction set. No kernel checks a shape: a wrong length corrupts memory.
// Import batchrnn/kernels instead, which checks and then calls these.
//
// # Names
//
// Kernels that have a register tile are named op, instruction set, tile:
// sgemmAVX512_12x32 computes 12 rows by 32 columns. All others are named op and
// instruction set: tanhAVX2, tanhGeneric. Assembly for float64 has the prefix d:
// dgemmAVX512_12x16, ddotAVX2. Portable kernels have the element's type as a parameter.
//
// Files that end in _generic.go are portable Go and always compiled. Files that
// end in _amd64.s, the declarations and the tables of tiles beside them are generated.
// The generator is the module in asm/_gen; never edit its output by hand.
//
// # What every kernel keeps
//
//   - It reads and writes only the elements that it was given. Lanes past the
//     end are masked off.
//   - Every element of a matrix product is one chain of fused multiply-adds,
//     k ascending, that begins at its start value. The chain does not depend on
//     the tile, so tiles of any height and width give the same bits.
//   - A product of int8 is an exact sum of integers. It meets its scales and its start
//     value in one multiply-add.
//   - A reduction over elements runs in [Lanes] partial sums, of float64 in
//     [DoubleLanes]: element i goes into lane i mod Lanes. [Kernels.Dot] describes the
//     tree that joins the lanes.
//   - An element-wise function is one sequence of correctly rounded operations.
//
// So AVX2 and AVX-512, with VNNI or without, agree bit for bit, NaN payloads excepted. The
// generic Set rounds multiplication and addition separately and may differ in the last
// bits.
package asm
