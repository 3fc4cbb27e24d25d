// Package text turns text into token ids. Every model reads the same tokens, vocabulary
// and held-out text.
//
//	source, err := text.Input{Paths: []string{"war-and-peace.txt"}}.Read(os.Stdin)
//	c, err := text.Build(source, text.Options{Level: text.Word, MaxVocab: 10000})
//	c.Train, c.Valid, c.Test // ids below c.Vocab.Len()
//
// A token is a Unicode code point or a word between white space. The text is cut in
// order into 90 % for training, 5 % for validation and 5 % for the test. The held-out
// parts may be texts of their own, and the text is then all for training.
//
// The vocabulary comes from the training part alone. Other tokens of the held-out parts
// become <unk>, id 0. A limit on the vocabulary or a least count makes tokens of the
// training part <unk>, too. So a model learns where such tokens stand; package spell
// models how they are written.
//
// A text that is larger than memory becomes a corpus in files, with the same ids: see
// [Encoding.Write] and [OpenEncoded].
//
// At level [Sentence] a text is read as n-gram toolkits do: each line is a sentence, which
// ends in the word </s>. The mark <s> precedes it, understood.
package text
