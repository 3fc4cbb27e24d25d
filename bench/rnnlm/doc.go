// Package rnnlm trains an [rnn.Model] as a language model on the tokens of a
// corpus, within a time budget, and scores it on text that it has not seen.
//
// [Train] cuts the training tokens into parallel streams and runs truncated
// backpropagation through time along them, the state carried from one piece to
// the next. [Options] has an adaptive softmax for large vocabularies, dropout and
// other ways to end well. [Scorer] counts every token of a split exactly once.
package rnnlm
