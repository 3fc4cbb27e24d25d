// Package study compares n-gram models and RNN language models on the same tokens. It
// measures size in memory, speed of training and scoring, and prediction of unseen
// text.
//
// The textbook claim under test is that an n-gram model's memory grows with its order
// and an RNN's only with its vocabulary. Both sides get the same training tokens,
// vocabulary and test split. Every test token counts once. All figures are printed, for
// either side. The n-gram models have the smoothing that predicts best. They are shown
// in every store, from a plain map to the smallest trie.
//
// [Study.Run] makes the models one after the other and returns a [Result]; package
// report prints it. The resident size of each model is measured in a fresh process that
// holds only that model. That process is the same executable, started again. So a
// program that calls Run must call residency.ServeChild first in main.
package study
