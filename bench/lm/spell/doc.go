// Package spell tells how words are written that a vocabulary doesn't have. It
// makes models of different vocabularies comparable, and writes out the <unk> that
// a model draws.
//
// # Why
//
// A language model over a vocabulary with <unk> predicts that some unknown word
// comes, not which. The smaller the vocabulary, the less it has to say: with one
// word beside <unk>, a perplexity of near 1 is easy. Such figures of two
// vocabularies can't be compared. What the field does about it:
//
//   - Toolkits such as SRILM and KenLM print a second perplexity without the
//     unknown words. It leaves out those that are hardest to predict, ever more of
//     them as the vocabulary shrinks.
//   - Ueberla (1994, "Analysing a simple language model: some general conclusions
//     for language models for speech recognition") shares p(<unk>) out evenly
//     among the unknown words of the text: the adjusted perplexity. How many they
//     are is learned from the very text that is scored, and another text has
//     others.
//   - An open vocabulary model spells them: a word costs what <unk> does and then
//     what its characters do, by a model of characters. Every word has a
//     probability, and all of them add up to 1, so that any two models of the same
//     text compare, whatever they take for a word of their own.
//
// This package does the third, with an n-gram model of characters:
//
//	p(w|h) = p(<unk>|h) · s(w) / (1 - Σ s(v))   for w outside the vocabulary
//
// s is the product of p(c|those before it in the word) over the characters and the
// end of w. The sum is over all v that w can't be: the words of the vocabulary, and
// the empty one. A model of characters never met one before spends p(<unknown
// character>), shared out evenly among all of Unicode's that it doesn't know.
//
// Where the tokens are characters, s is the same for each that the vocabulary
// doesn't have.
//
// A text that says <unk> itself has been cut down before. Where it does, that is a
// word outside the vocabulary, spelled as it stands.
package spell
