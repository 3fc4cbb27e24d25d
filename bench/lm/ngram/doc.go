// Package ngram estimates, stores and scores n-gram language models over token ids.
// They are the baseline that a recurrent network is measured against.
//
// [Estimate] counts a text and smooths the counts. The result, [Estimates], is sorted
// and has one form for every kind of smoothing. [WriteARPA] writes it for other
// programs, and [ReadARPA] reads their files. [NewModel] puts it into one of four
// stores. The [Model] scores text through a [Scorer]. [Model.WriteTo] and [Read] keep
// it in a file of its own. [EstimateBytes] and [Shape] compute in advance the memory
// that this takes. [EstimateOnDisk] makes the same model of a text larger than memory.
//
// # Smoothing
//
// A model of order N comes from one text of ids 0..V-1. Each order n is interpolated
// with the order below it (Chen and Goodman 1999, "An empirical study of smoothing
// techniques for language modeling"):
//
//	p_n(w|h) = (a(hw) - D_n(a(hw)))/a(h.) + γ(h)·p_{n-1}(w|h')
//	γ(h)     = Σ_w D_n(a(hw)) / a(h.)
//	p_0(w)   = 1/V
//
// h' is h without its oldest word. a(h.) is the sum of a(hw) over all words w. Where
// that is 0, p_n(w|h) = p_{n-1}(w|h'). D_n(0) is 0. The two kinds of [Smoothing] differ
// in the counts a and in the discounts D:
//
//   - [Absolute]: a(hw) is c(hw), how often the n-gram occurs. One discount is
//     taken from every count, D_n = n1/(n1 + 2·n2), where n1 and n2 are the numbers
//     of n-grams that occur once and twice (Ney, Essen and Kneser 1994, "On
//     structuring probabilistic dependences in stochastic language modelling").
//   - [KneserNey]: below order N, a(hw) is the number of different words that
//     precede the n-gram. Counts of 1, of 2, and of 3 or more have discounts of
//     their own, D_n(i) = i - (i+1)·y·n_{i+1}/n_i with y = n1/(n1 + 2·n2). n_i is
//     the number of n-grams with a = i.
//
// A discount must be above 0 and at most its count. An order whose counts give no such
// discounts has fixed ones, and [Discounts] says so. The probabilities of all words sum
// to 1 after every history, and all are above 0.
//
// # Sentences
//
// Without [Marks] a text is one stream. At its start the history is shorter, in
// training and in scoring alike. For Kneser-Ney, the start of the text counts as one
// more word that precedes an n-gram.
//
// With Marks a text is sentences. The history of each begins with Start, which isn't
// predicted: p_0(w) is 1/(V-1). N-grams that begin with Start have no word before them,
// and keep a = c. KenLM's lmplz does the same, and the figures agree with those of
// lmplz --discount_fallback.
//
// # Stores
//
// All stores but the quantised one give the same scores, to the last bit. They sum the
// listed log10 values, float32, in float64.
//
//   - [Map]: one Go map, keyed by the words of the n-gram.
//   - [Hash]: order 1 is a dense array over the vocabulary. Every other order is an
//     open-addressed table in a flat slice. Its exact key is the slot of the n-gram's
//     first n-1 words in the table below, and the last word. An entry takes 16
//     bytes, 12 in the highest order. At 4 entries in 5 slots that is 20 and 15 bytes
//     an n-gram.
//   - [Trie]: a sorted array for each order. A word takes ceil(log2 V) bits. A
//     back-off takes the bits that number the distinct back-offs. A log-probability
//     takes the bits in which any two differ. The place where continuations begin
//     takes about 3 bits.
//   - [Quantised]: a trie with values rounded to 256 for each order above 1.
//
// On 600,000 words of a novel at order 5 they take 52, 18, 6.2 and 3.3 bytes an n-gram.
// Their speed is in bench/RESULTS.md, Choices.
package ngram
