package main

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// A sentence is
//
//	[time] the [adjective] noun [near the [adjective] noun] verb (a | its) object [time]
//
// with one time, at either end. Its verb agrees with its subject and its time; "his"
// agrees with its subject.
type sentence struct {
	words []int32
	blank int // the place of the missing word: a verb, "his", an object or a time
}

// longest is the length of a sentence with all optional parts.
const longest = 11

var (
	adjectives = strings.Fields("young old tall kind clever happy")
	nouns      = [][3]string{
		{"girl", "girls", "her"}, {"boy", "boys", "his"},
		{"woman", "women", "her"}, {"man", "men", "his"},
		{"queen", "queens", "her"}, {"king", "kings", "his"},
		{"aunt", "aunts", "her"}, {"uncle", "uncles", "his"},
	}
	verbs = [][4]string{ // singular, plural, past, object
		{"sings", "sing", "sang", "song"}, {"writes", "write", "wrote", "letter"},
		{"bakes", "bake", "baked", "cake"}, {"draws", "draw", "drew", "picture"},
		{"rides", "ride", "rode", "horse"}, {"throws", "throw", "threw", "ball"},
		{"wears", "wear", "wore", "hat"}, {"milks", "milk", "milked", "cow"},
	}
	times = [2]string{"now", "yesterday"}
)

// words is the vocabulary; a word's id is its place.
var words = func() []string {
	list := append([]string{"the", "a", "near", "their"}, adjectives...)
	list = append(list, times[:]...)
	for _, n := range nouns {
		list = append(list, n[:]...)
	}
	for _, v := range verbs {
		list = append(list, v[:]...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}()

// draw returns n sentences. A quarter of all pairs of subject and verb occur in the
// test alone.
func draw(rng *rand.Rand, n int, test bool) []sentence {
	list := make([]sentence, 0, n)
	for len(list) < n {
		subject, verb := rng.IntN(len(nouns)), rng.IntN(len(verbs))
		if ((subject+verb)%4 == 0) == test {
			list = append(list, drawOf(rng, subject, verb))
		}
	}
	return list
}

// drawOf returns a random sentence of the given subject and verb.
func drawOf(rng *rand.Rand, subject, verb int) sentence {
	number, past, atEnd := rng.IntN(2), rng.IntN(2), rng.IntN(2) == 1
	form, owner := number, nouns[subject][2]
	if past == 1 {
		form = 2
	}
	if number == 1 {
		owner = "their"
	}
	var text []string
	if !atEnd {
		text = append(text, times[past])
	}
	text = noun(rng, text, subject, number)
	if rng.IntN(2) == 0 {
		text = append(text, "near")
		text = noun(rng, text, rng.IntN(len(nouns)), rng.IntN(2))
	}
	blanks := []int{len(text), len(text) + 2}
	text = append(text, verbs[verb][form])
	if rng.IntN(2) == 0 {
		text = append(text, "a")
	} else {
		blanks = append(blanks, len(text))
		text = append(text, owner)
	}
	text = append(text, verbs[verb][3])
	if atEnd {
		text = append(text, times[past])
		blanks = append(blanks, len(text)-1)
	} else {
		blanks = append(blanks, 0)
	}
	s := sentence{blank: blanks[rng.IntN(len(blanks))]}
	for _, w := range text {
		id, _ := slices.BinarySearch(words, w)
		s.words = append(s.words, int32(id))
	}
	return s
}

// noun appends "the", sometimes an adjective, and a noun.
func noun(rng *rand.Rand, text []string, which, number int) []string {
	text = append(text, "the")
	if rng.IntN(2) == 0 {
		text = append(text, adjectives[rng.IntN(len(adjectives))])
	}
	return append(text, nouns[which][number])
}

// String returns the sentence with its blank.
func (s sentence) String() string {
	var text []string
	for _, id := range s.words {
		text = append(text, words[id])
	}
	text[s.blank] = "___"
	return strings.Join(text, " ")
}
