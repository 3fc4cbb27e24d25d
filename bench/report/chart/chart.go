// Package chart draws plots of lines and points as SVG and as PNG. Both come from one
// description, a [Plot], and from one layout of it.
//
// Sizes are CSS pixels. The layout decides where ticks and labels stand: labels overlap
// neither each other nor markers, and no line goes through them.
package chart

import (
	"math"
	"strings"
)

// A Plot is one or more panels. They share the axes and the legend.
type Plot struct {
	Title   string
	Caption string // says what is to be seen
	X, Y    Axis
	Panels  []Panel
}

// An Axis covers all points of a plot.
type Axis struct {
	Label string
	Unit  Unit
}

// A Unit says how an axis is scaled and marked.
type Unit int

// Units of axes.
const (
	Plain   Unit = iota // round numbers
	Whole               // whole numbers
	Bytes               // powers of two as sizes, logarithmic
	Seconds             // times with their units, logarithmic
	Powers              // powers of ten, logarithmic
)

func (u Unit) log() bool { return u >= Bytes }

// A Panel is one pair of axes with its series. Title may be "".
type Panel struct {
	Title  string
	Series []Series
}

// A Series is a line through points. One without points stands in the legend alone.
type Series struct {
	// Name stands in the legend, unless it is "". Series of one name share an entry.
	Name   string
	Style  Style
	Points []Point // finite, and positive on a logarithmic axis
	Below  bool    // labels stand below their points where there is room
	Level  bool    // a level line at the height of the one point, across the panel
	Sparse bool    // many points: only some have a marker
}

// A Point is a point of a series. Label may be "". That of a level line may have several
// lines. Labels of points that find no room are left out.
type Point struct {
	X, Y  float64
	Label string
	Short string // in place of Label on a phone, unless it is ""
}

// A Style tells a series from others without its colour too.
type Style struct {
	Color  Color
	Dash   Dash
	Marker Marker
}

// A Dash is a pattern of lines.
type Dash int

// The patterns.
const (
	Solid Dash = iota
	Dashed
	Dotted
	DashDot
	LongDash
	dashes
)

// lengths returns the lengths of strokes and gaps, nil for a solid line.
func (d Dash) lengths() []float64 {
	return [...][]float64{nil, {7, 3}, {2, 3}, {7, 3, 2, 3}, {12, 5}}[d%dashes]
}

// A Marker is the shape of points.
type Marker int

// The shapes.
const (
	None Marker = iota
	Disc
	Ring
	Square
	Triangle
	Diamond
	Down // a triangle on its tip
	Cross
	Plus
	Star
	markers
)

// A Color is one of the page's.
type Color int

// The colours of the page. [Hue] has those of series.
const (
	Ink Color = iota
	Soft
	Grid
	Paper
	firstHue
)

// Hue returns the colour of the nth series. Black is none of them.
func Hue(n int) Color { return firstHue + Color(n%(len(palette)-int(firstHue))) }

// palette holds the colours in light and in dark mode. Colour-blind readers can tell the
// first six hues apart (Okabe and Ito 2008).
var palette = []struct{ name, light, dark string }{
	{"ink", "#262626", "#e6e4df"},
	{"soft", "#5c5c5c", "#a3a19c"},
	{"grid", "#e4e4e4", "#34373c"},
	{"paper", "#ffffff", "#16181b"},
	{"line0", "#d55e00", "#ff8a3d"}, // vermilion
	{"line1", "#0072b2", "#58b4ef"}, // blue
	{"line2", "#009e73", "#2fcf9f"}, // green
	{"line3", "#cc79a7", "#e5a0c6"}, // purple
	{"line4", "#e69f00", "#f2bd4a"}, // orange
	{"line5", "#56b4e9", "#9ad6f5"}, // sky blue
	{"line6", "#8c6d31", "#c9a86a"}, // brown
	{"line7", "#8a8a8a", "#8f9296"}, // grey
}

// CSS returns the style sheet of [Plot.Inline] and of [Key.Swatch]: the colours as
// variables, which follow the reader's preference for light or dark.
func CSS() string {
	var light, dark strings.Builder
	for _, c := range palette {
		light.WriteString("--" + c.name + ":" + c.light + ";")
		dark.WriteString("--" + c.name + ":" + c.dark + ";")
	}
	return ":root{" + light.String() + "}\n@media (prefers-color-scheme:dark){:root{" + dark.String() + "}}"
}

// named returns the series that the legend shows, each name once.
func (p Plot) named() (series []Series) {
	seen := map[string]bool{"": true}
	for _, panel := range p.Panels {
		for _, s := range panel.Series {
			if !seen[s.Name] {
				seen[s.Name] = true
				series = append(series, s)
			}
		}
	}
	return series
}

// extent returns the least and the greatest value of the points in each direction. A
// level line has no place on the axis X.
func (p Plot) extent() (x, y [2]float64) {
	x, y = [2]float64{math.Inf(1), math.Inf(-1)}, [2]float64{math.Inf(1), math.Inf(-1)}
	for _, panel := range p.Panels {
		for _, s := range panel.Series {
			for _, at := range s.Points {
				if !s.Level {
					x = [2]float64{min(x[0], at.X), max(x[1], at.X)}
				}
				y = [2]float64{min(y[0], at.Y), max(y[1], at.Y)}
			}
		}
	}
	return x, y
}
