// Package gradients shows how gradients vanish and explode over long sequences, and
// which remedies help. It trains networks on the adding problem and on the copy task,
// each with and without clipping: with tanh, with ReLU that starts from the identity,
// with a skip connection through time, and with a start whose gradients explode.
//
// For each it gives how well the network has learnt. It also gives the norm of dJ/dh_t
// for a loss at the last step alone, against the distance from that step.
//
// The same seed and number of updates give the same figures, except times.
package gradients
