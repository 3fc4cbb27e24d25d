package main

import (
	"embed"
	"io/fs"
	"strings"
)

// texts holds the same sentences in each language, one a line. Another file adds a
// language.
//
//go:embed texts/*.txt
var texts embed.FS

// longest is the number of bytes of a line that are read.
const longest = 64

// A line is a text in lower case, in one language.
type line struct {
	text     string
	language int32
}

// read returns the names of the languages, lines for training and lines for the test.
// The test has every fourth sentence. It is the same in all languages, so no topic and
// no name reveals the language.
func read() (languages []string, train, test []line, err error) {
	files, err := fs.Glob(texts, "texts/*.txt")
	if err != nil {
		return nil, nil, nil, err
	}
	for i, file := range files {
		languages = append(languages, strings.TrimSuffix(strings.TrimPrefix(file, "texts/"), ".txt"))
		data, err := texts.ReadFile(file)
		if err != nil {
			return nil, nil, nil, err
		}
		for n, text := range strings.Split(strings.TrimSpace(string(data)), "\n") {
			l := line{strings.ToLower(text), int32(i)}
			if n%4 == 3 {
				test = append(test, l)
			} else {
				train = append(train, l)
			}
		}
	}
	return languages, train, test, nil
}
