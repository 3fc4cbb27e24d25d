// Package gradients shows what becomes of gradients over long sequences, and what
// is done about it: networks with tanh, with ReLU that starts from the identity,
// with a skip connection through time, and with a start whose gradients explode,
// each with and without clipping, are trained on the adding problem and on the
// copy task. For each there is how well it has learnt, and the norm of dJ/dh_t, for
// a loss at the last step alone, against the distance from that step.
//
// Figures are the same for the same seed and number of updates, but for times.
package gradients
