package text

// pick returns the tokens of those numbers for which want is true.
func (c *census) pick(numbers []int32, want func(n int32) bool) (tokens []string) {
	for _, n := range numbers {
		if want(n) {
			tokens = append(tokens, c.tokens[n])
		}
	}
	return tokens
}

// rare returns [Corpus.Rare] of the training part; counts is by number. mark is true for
// the marks of sentences, which are no words.
func (c *census) rare(train []int32, counts []int, unknown, mark func(n int32) bool) []string {
	tokens := c.pick(train, func(n int32) bool { return unknown(n) || counts[n] == 1 && !mark(n) })
	if len(tokens) > 0 {
		return tokens
	}
	least := len(train)
	for _, n := range train {
		if !mark(n) {
			least = min(least, counts[n])
		}
	}
	return c.pick(train, func(n int32) bool { return counts[n] == least && !mark(n) })
}
