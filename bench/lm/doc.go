// Package lm is a language model in one file. The file has an n-gram model or a
// recurrent network, its vocabulary, and the level at which it reads text. [Training]
// makes one. [Evaluate] and [ScoreLines] score text by it, [RescoreLists] scores lists of
// hypotheses, and [Draw] draws text from it.
//
//	m, err := lm.Open("war.lm", engine)
//	s := m.NewStream()
//	nats, err := s.Score(ids) // of a line, by itself
//	text, err := m.NewSampler(rnn.Sampling{Temperature: 0.8, Seed: seed}) // draws one token after the other
//
// # The start of a text
//
// Both kinds are trained on one stream without sentence marks, so a line has no start
// mark. At character level a text starts as if a line end stood before it. At word
// level an n-gram model starts with an empty history. An RNN needs an input there and
// starts with <unk>.
//
// At level [text.Sentence] each line is a sentence by itself. It starts after <s>, an RNN
// with a state of zeros, and </s> is its last token. So scores don't depend on the lines
// before, as in KenLM.
package lm
