// Package rnnlm trains an [rnn.Model] as a language model on the tokens of a
// corpus, within a budget of time or tokens, and scores it on text that it has not
// seen.
//
// [Train] cuts the training tokens into parallel streams and runs truncated
// backpropagation through time along them, the state carried from one piece to
// the next. [Options] has an adaptive softmax for large vocabularies, dropout and
// other ways to end well, and a checkpoint that a training goes on from after it
// was killed, with the same bits. [Scorer] counts every token of a split exactly once.
package rnnlm
