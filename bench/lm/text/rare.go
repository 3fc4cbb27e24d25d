package text

// mostRare bounds [Corpus.Rare]: a speller of all rare words of a text that does not fit
// memory would not fit it either. With 10,000 words of 1 GB, spelling the <unk> of the test
// part costs 1.2 % more than with four times as many, and learning takes a third of the
// memory (0.4 GB).
const mostRare = 1 << 19

// pick returns the first tokens, at most so many, of those numbers that are wanted.
func (c *census) pick(numbers []int32, wanted []bool, most int) (tokens []string) {
	for _, n := range numbers {
		if wanted[n] {
			if len(tokens) == most {
				break
			}
			tokens = append(tokens, c.tokens[n])
		}
	}
	return tokens
}

// rare says which numbers are of [Corpus.Rare]. counts is by number, of the training
// part. ids are those of the numbers. end is the mark of a sentence's end, no word.
func rare(counts []int, ids []int32, end int32) []bool {
	wanted := make([]bool, len(counts))
	least, found := 0, false
	for n, count := range counts {
		if count == 0 || int32(n) == end && ids[n] != Unk {
			continue
		}
		wanted[n] = ids[n] == Unk || count == 1
		found = found || wanted[n]
		if least == 0 || count < least {
			least = count
		}
	}
	if found {
		return wanted
	}
	for n, count := range counts {
		wanted[n] = count == least && count > 0 && int32(n) != end
	}
	return wanted
}
