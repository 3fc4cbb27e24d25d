// Package rnnlm trains an [rnn.Model] as a language model on the tokens of a corpus,
// and scores it on unseen text. A training has a budget of time or of tokens.
//
// [Train] cuts the training tokens into parallel streams. It runs truncated
// backpropagation through time along them and carries the state from one piece to the
// next. [Options] has an adaptive softmax for large vocabularies, dropout, and rules
// for the learning rate and the end. A killed training resumes from its checkpoint and
// gives the same bits. [Scorer] counts every token of a split exactly once.
package rnnlm
