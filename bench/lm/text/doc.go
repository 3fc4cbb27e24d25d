// Package text turns text into token ids that every model reads
// alike: the same tokens, the same vocabulary, the same held-out text.
//
//	source, err := text.Read("war-and-peace.txt", os.Stdin)
//	c, err := text.Build(source, text.Options{Level: text.Word, MaxVocab: 10000})
//	c.Train, c.Valid, c.Test // ids below c.Vocab.Len()
//
// A token is a Unicode code point or a word between white space. The text is
// cut in order into 90 % for training, 5 % for validation and 5 % for the
// test. The vocabulary comes from the training part alone; whatever else the
// held-out parts hold becomes <unk>, id 0. A limit on the vocabulary or a least
// count makes tokens of the training part <unk>, too, and a model learns where such
// tokens stand; package spell tells how they are written.
//
// [NewSentences] reads a text the way that n-gram toolkits do instead: each line
// is a sentence, which ends in the word </s>.
package text
