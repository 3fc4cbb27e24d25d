package main

import "strings"

// The tags of characters. A space has none.
const (
	vowel = iota
	consonant
	digit
	other
	tags // how many there are
)

const letters = "vcd." // of the tags, in print

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

// sounds says whether letter i of a line is a vowel where it stands.
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

// depends says whether the tag of a character depends on those beside it.
func depends(line string, i int) bool { return strings.IndexByte("ywu", lower(line, i)) >= 0 }

func isVowel(c byte) bool { return strings.IndexByte("aeiou", c) >= 0 }

// lower returns character i of a line, a capital as a small letter; a space outside.
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
