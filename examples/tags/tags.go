package main

import "strings"

// The tags of characters. A space has none.
const (
	vowel = iota
	consonant
	digit
	other
	tags // the number of tags
)

const letters = "vcd." // the printed form of each tag

// tag returns the tag of character i of a line.
func tag(line string, i int) int32 {
	c := lower(line, i)
	switch {
	case c >= '0' && c <= '9':
		return digit
	case c < 'a' || c > 'z':
		return other
	case sounds(line, i):
		return vowel
	}
	return consonant
}

// sounds reports whether letter i of a line is a vowel in its context.
func sounds(line string, i int) bool {
	before, after := isVowel(lower(line, i-1)), isVowel(lower(line, i+1))
	switch lower(line, i) {
	case 'y': // my, Rays, system; but beyond
		return !after
	case 'w': // now, drawn; but towards, two, white
		return before && !after
	case 'u': // full; but quality
		return lower(line, i-1) != 'q'
	}
	return isVowel(lower(line, i))
}

// depends reports whether the tag of a character depends on its neighbours.
func depends(line string, i int) bool { return strings.IndexByte("ywu", lower(line, i)) >= 0 }

func isVowel(c byte) bool { return strings.IndexByte("aeiou", c) >= 0 }

// lower returns character i of a line in lower case, and a space beyond its ends.
func lower(line string, i int) byte {
	if i < 0 || i >= len(line) {
		return ' '
	}
	c := line[i]
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
