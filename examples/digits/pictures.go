package main

import (
	"math/rand/v2"
	"strings"
)

const (
	side   = 8
	pixels = side * side
)

var names = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}

// shapes are the digits side by side, five pixels wide and seven high.
var shapes = strings.Fields(`
	.###. ..#.. .###. ####. ...#. ##### .###. ##### .###. .###.
	#...# .##.. #...# ....# ..##. #.... #.... ....# #...# #...#
	#...# ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
	#...# ..#.. ..##. .###. #..#. ....# ####. ..#.. .###. .####
	#...# ..#.. .#... ....# ##### ....# #...# ..#.. #...# ....#
	#...# ..#.. #.... ....# ...#. #...# #...# .#... #...# ....#
	.###. .###. ##### ####. ...#. .###. .###. .#... .###. .###.`)

// draw draws a digit into picture, [64]. It has one of eight positions, a random grey,
// noise everywhere, and some lost pixels.
func draw(rng *rand.Rand, picture []float32, digit int) {
	right, down := rng.IntN(4), rng.IntN(2)
	ink := 0.6 + 0.4*rng.Float64()
	for y := range side {
		for x := range side {
			grey := 0.15 * rng.NormFloat64()
			if at(digit, x-right, y-down) && rng.Float64() > 0.06 {
				grey += ink
			}
			picture[y*side+x] = float32(grey)
		}
	}
}

// at reports whether a digit has ink at x, y.
func at(digit, x, y int) bool {
	return x >= 0 && x < 5 && y >= 0 && y < 7 && shapes[y*len(names)+digit][x] == '#'
}

// show formats a picture as lines of text.
func show(picture []float32) string {
	var b strings.Builder
	for i, grey := range picture {
		b.WriteByte(" .:+#"[min(4, max(0, int(grey*5)))])
		if i%side == side-1 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
