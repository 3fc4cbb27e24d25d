package main

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// The dates cover a hundred years, so that two digits name a year.
const (
	firstYear = 1950
	lastYear  = 2049
)

// days returns the days of all these years. Every sixth, such as 3 May 1998, is held
// out; the others are for training.
func days() (learnt, heldOut []time.Time) {
	day := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := 0; day.Year() <= lastYear; i++ {
		if i%6 == 2 {
			heldOut = append(heldOut, day)
		} else {
			learnt = append(learnt, day)
		}
		day = day.AddDate(0, 0, 1)
	}
	return learnt, heldOut
}

// styles are the ways in which people write a date. None is ambiguous: numbers with
// slashes occur only if one of them can't be a month.
var styles = []func(d time.Time, r *rand.Rand) string{
	func(d time.Time, _ *rand.Rand) string { // the third of may 1998
		return "the " + ordinals[d.Day()-1] + " of " + d.Format("January 2006")
	},
	func(d time.Time, r *rand.Rand) string { // 3 may 1998, sun, 3 may 1998
		return weekday(d, r) + d.Format("2 January 2006")
	},
	func(d time.Time, r *rand.Rand) string { // 3 may 98
		return weekday(d, r) + d.Format("2 Jan 06")
	},
	func(d time.Time, r *rand.Rand) string { // may 3rd, 1998
		return weekday(d, r) + d.Format("January ") + ordinal(d.Day()) + d.Format(", 2006")
	},
	func(d time.Time, r *rand.Rand) string { // may 3, 1998
		return weekday(d, r) + d.Format("Jan 2, 2006")
	},
	func(d time.Time, _ *rand.Rand) string { // 3rd of may, 1998
		return ordinal(d.Day()) + " of " + d.Format("January, 2006")
	},
	func(d time.Time, _ *rand.Rand) string { return d.Format("2.1.2006") },
	func(d time.Time, r *rand.Rand) string { // 25/5/98, 5/25/98, or else 3/may/98
		switch {
		case d.Day() <= 12:
			return d.Format("2/Jan/06")
		case r.IntN(2) == 0:
			return d.Format("2/1/06")
		}
		return d.Format("1/2/06")
	},
}

// write returns a date in one of the styles, in lower case.
func write(d time.Time, r *rand.Rand) string {
	return strings.ToLower(styles[r.IntN(len(styles))](d, r))
}

// weekday returns the date's day of the week or "".
func weekday(d time.Time, r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return d.Format("Mon, ")
	case 1:
		return d.Format("Monday, ")
	}
	return ""
}

// ordinal formats a day of the month, as in 3rd.
func ordinal(day int) string {
	switch {
	case day%10 == 1 && day != 11:
		return strconv.Itoa(day) + "st"
	case day%10 == 2 && day != 12:
		return strconv.Itoa(day) + "nd"
	case day%10 == 3 && day != 13:
		return strconv.Itoa(day) + "rd"
	}
	return strconv.Itoa(day) + "th"
}

// ordinals are the days of the month in words.
var ordinals = func() []string {
	words := strings.Fields("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth " +
		"thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth")
	for _, w := range words[:9] {
		words = append(words, "twenty-"+w)
	}
	return append(words, "thirtieth", "thirty-first")
}()

// draw returns n of the dates, each in a random style.
func draw(dates []time.Time, n int, r *rand.Rand) []pair {
	pairs := make([]pair, n)
	for i := range pairs {
		d := dates[r.IntN(len(dates))]
		ids, err := sourceIDs(write(d, r))
		if err != nil {
			panic(err) // a bug: every style can be read
		}
		pairs[i] = pair{ids, d.Format(time.DateOnly)}
	}
	return pairs
}
