// Package gradients shows how gradients vanish and explode over long sequences, and
// which remedies help. It trains networks on the adding problem and on the copy task.
// Those of vanilla cells have tanh, ReLU that starts from the identity, a skip
// connection through time, or a start whose gradients explode, each with and without
// clipping. The others have the gates of LSTM or GRU, with and without chrono
// initialisation.
//
// For each network it measures how well the task was learnt. It also measures the norm
// of dJ/dh_t for a loss at the last step alone, against the distance from that step.
//
// The same seed and number of updates give the same figures, except times.
package gradients
