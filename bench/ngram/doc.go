// Package ngram counts, stores and scores n-gram language models over token
// ids: the baseline that a recurrent network is measured against.
//
// A model of order N is trained on one contiguous stream of ids 0..V-1. Each
// order n is interpolated with the order below it by absolute discounting of
// the raw counts (Ney, Essen and Kneser 1994, "On structuring probabilistic
// dependences in stochastic language modelling"; Chen and Goodman 1999, "An
// empirical study of smoothing techniques for language modeling", section 2.4):
//
//	p_n(w|h) = max(c(hw) - D_n, 0)/c(h.) + γ(h)·p_{n-1}(w|h')
//	γ(h)     = D_n·N1+(h.)/c(h.)
//	p_0(w)   = 1/V
//
// h' is h without its oldest word, c(h.) the number of times h was followed by
// anything, N1+(h.) the number of different words that followed it. Where
// c(h.) is 0, p_n(w|h) = p_{n-1}(w|h'). D_n = n1/(n1 + 2·n2), from the number
// of n-grams seen once and twice. The probabilities of the V words sum to 1
// after every history, and none is 0.
//
// There are no sentence marks. At the start of a stream, in training and in
// scoring alike, the history is what there is of it.
//
// # Stores
//
// [Estimates] are the numbers that a smoothing gives, sorted; [NewModel] puts
// them into one of four stores. All of them but the quantised one give the same
// scores, to the last bit: log10 values as listed, in float32, summed in float64.
//
//   - [Map]: one Go map, keyed by the words of the n-gram.
//   - [Hash]: order 1 is a dense array over the vocabulary; every other order is
//     an open-addressed table in a flat slice whose exact key is (slot of the
//     n-gram's first n-1 words in the table below, last word). An entry weighs 16
//     bytes, 12 in the highest order; at 4 entries in 5 slots that is 20 and 15
//     bytes an n-gram.
//   - [Trie]: a sorted array for each order. Words take ceil(log2 V) bits,
//     back-offs the bits that number the different ones, log-probabilities those
//     in which they differ at all, and where continuations begin some 3 bits.
//   - [Quantised]: the same with values rounded to 256 for each order above 1.
//
// On 600,000 words of a novel at order 5 they take 52, 18, 6.2 and 3.3 bytes an
// n-gram, and score 1.8, 9.9, 3.6 and 4.5 million unseen words a second on one
// Zen 4 core. [Shape] gives the bytes before a model is made.
package ngram
