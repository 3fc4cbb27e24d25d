// Package spell models the spelling of words outside a vocabulary. It makes models of
// different vocabularies comparable, and spells the <unk> that a model draws.
//
// # Why
//
// A language model over a vocabulary with <unk> predicts that some unknown word comes,
// not which one. A smaller vocabulary leaves less to predict: with one word beside
// <unk>, a perplexity near 1 is easy. So figures of two vocabularies can't be compared.
// The field has three answers:
//
//   - Toolkits such as SRILM and KenLM print a second perplexity without the unknown
//     words. It leaves out the words that are hardest to predict. The smaller the
//     vocabulary, the more words it leaves out.
//   - Ueberla (1994, "Analysing a simple language model: some general conclusions for
//     language models for speech recognition") divides p(<unk>) equally among the
//     unknown words of the text: the adjusted perplexity. Their number comes from the
//     scored text, so another text has another number.
//   - An open vocabulary model spells them. A word costs what <unk> costs, and then what
//     its characters cost, by a model of characters. Every word has a probability, and
//     all of them add up to 1. So any two models of the same text compare, for any two
//     vocabularies.
//
// This package gives the third answer, with an n-gram model of characters:
//
//	p(w|h) = p(<unk>|h) · s(w) / (1 - Σ s(v))   for w outside the vocabulary
//
// s(w) is the product of p(c|characters before c in the word) over the characters and
// the end of w. The sum is over all v that w can't be: the words of the vocabulary, and
// the empty word. All characters of Unicode that the model doesn't know share
// p(<unknown character>) equally.
//
// Where the tokens are characters, s is the same for each character outside the
// vocabulary.
//
// A text may hold the word <unk> itself, if rare words were replaced before. It then
// counts as a word outside the vocabulary and is spelled as it stands.
package spell
