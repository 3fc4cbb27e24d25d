package main

import (
	"fmt"
	"strings"
	"time"
)

// sourceCharacters are the characters of dates to read, targetCharacters those of
// answers. The id of a character is its index.
const (
	sourceCharacters = " abcdefghijklmnopqrstuvwxyz0123456789,./-"
	targetCharacters = "0123456789-"
	end              = int32(len(targetCharacters)) // ends a target
)

const (
	sourceSteps = 36                     // the longest way to write a date
	targetSteps = len(time.DateOnly) + 1 // with the end
)

// A pair is a date as written and its answer.
type pair struct {
	source []int32
	target string
}

// sourceIDs returns a text's characters as ids, in lower case. It returns an error if
// the text can't be read.
func sourceIDs(text string) ([]int32, error) {
	if text == "" {
		return nil, fmt.Errorf("no date: write one such as %q", sample)
	}
	var ids []int32
	for _, c := range strings.ToLower(text) {
		id := strings.IndexRune(sourceCharacters, c)
		if id < 0 {
			return nil, fmt.Errorf("%q has a %q, which no date here is written in: there are %q", text, c, sourceCharacters)
		}
		ids = append(ids, int32(id))
	}
	if len(ids) > sourceSteps {
		return nil, fmt.Errorf("%q has %d characters, more than the %d that a date here is written in", text, len(ids), sourceSteps)
	}
	return ids, nil
}

// targetText returns the characters of ids as text.
func targetText(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteByte(targetCharacters[id])
	}
	return b.String()
}

// A batch is a set of pairs in the network's layout.
type batch struct {
	source  []int32 // [sourceSteps,B]
	lengths []int32 // [B]
	target  []int32 // [targetSteps,B]
}

func newBatch(n int) *batch {
	return &batch{make([]int32, sourceSteps*n), make([]int32, n), make([]int32, targetSteps*n)}
}

// set writes pair i, in place of an earlier one.
func (b *batch) set(i int, p pair) {
	n := len(b.lengths)
	b.lengths[i] = int32(len(p.source))
	for t, id := range p.source {
		b.source[t*n+i] = id
	}
	for t, c := range p.target {
		b.target[t*n+i] = int32(strings.IndexRune(targetCharacters, c))
	}
	b.target[(targetSteps-1)*n+i] = end
}
