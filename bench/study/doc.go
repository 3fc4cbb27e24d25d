// Package study puts n-gram models and RNN language models side by side on the
// same tokens: what each weighs in memory, how fast it trains and scores, and
// how well it predicts text that it has not seen.
//
// The textbook claim under test is that an n-gram model's memory grows with its
// order and an RNN's only with its vocabulary. Both sides are given the same
// training tokens, the same vocabulary and the same test split, every test
// token counts once, and the figures are printed whichever side they favour. The
// n-gram models have the smoothing that predicts best, and are shown in every
// store, from the map that one would write first to the smallest trie.
//
// [Study.Run] makes the models one after the other and returns a [Result]; package
// report prints it. The resident size of each model is measured in a process of its
// own: a program that calls Run calls residency.ServeChild first thing.
package study
