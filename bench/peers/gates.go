package main

import (
	"slices"
	"strings"
)

// gates lists the gates of each cell in PyTorch's order, which is ours too. Columns of
// weights and biases stand in blocks of H, one for each gate:
//
//	lstm   i input, f forget, g candidate, o output
//	gru    r reset, z update, n candidate
var gates = map[string]string{"lstm": "ifgo", "gru": "rzn"}

// The orders of other libraries, with our letters.
var (
	onnxGates   = map[string]string{"lstm": "iofg", "gru": "zrn"}
	onednnGates = map[string]string{"lstm": "ifgo", "gru": "zrn"}
)

// regated returns x, whose rows are blocks of h columns for each gate of from, with the
// blocks in the order of to. A vanilla cell has a single block and no letters.
func regated(x []float32, h int, from, to string) []float32 {
	y := make([]float32, 0, len(x))
	if from == to {
		return append(y, x...)
	}
	for row := x; len(row) > 0; row = row[h*len(from):] {
		for i := range to {
			g := strings.IndexByte(from, to[i])
			y = append(y, row[g*h:][:h]...)
		}
	}
	return y
}

// onednnBias returns the biases for oneDNN. Its GRU has four: one each for the sums of
// update and reset, then the candidate's two.
func onednnBias(w Workload, d *Data) []float32 {
	b := regated(d.Bh, w.H, gates[w.Cell], onednnGates[w.Cell])
	if w.Cell == "gru" {
		r := regated(d.Br, w.H, gates[w.Cell], onednnGates[w.Cell])
		for i := range 2 * w.H {
			b[i] += r[i]
		}
		b = append(b, r[2*w.H:]...)
	}
	return b
}

// addOneDNNBias adds the gradients of the biases, from one of what onednnBias returns.
// Biases that are summed have the same gradient.
func (r Results) addOneDNNBias(w Workload, db []float32) {
	ours := func(x []float32) []float64 { return widen(regated(x, w.H, onednnGates[w.Cell], gates[w.Cell])) }
	if w.Cell == "gru" {
		r["dbr"] = ours(slices.Concat(db[:2*w.H], db[3*w.H:]))
		db = db[:3*w.H]
	}
	r["dbh"] = ours(db)
}
