// Package gradients shows how gradients vanish and explode over long sequences, and
// which remedies help. It trains networks on the adding problem and on the copy task,
// each with and without clipping. The networks have tanh, ReLU that starts from the
// identity, a skip connection through time, or a start whose gradients explode.
//
// For each network it measures how well the task was learnt. It also measures the norm
// of dJ/dh_t for a loss at the last step alone, against the distance from that step.
//
// The same seed and number of updates give the same figures, except times.
package gradients
