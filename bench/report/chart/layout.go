package chart

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// Sizes of type, and of what stands beside lines.
const (
	textSize  = 13.0
	labelSize = 12.0 // on a phone one less
	titleSize = 17.0
	lineSpace = 1.45 // from one line of text to the next, in sizes
	radius    = 4.5  // of a marker
	reach     = 5.5  // of the corners of a marker
	stroke    = 2.0  // of a line
	swatch    = 34.0 // width of a line in the legend
	phone     = 500  // narrower paper is that of a phone
	edge      = 6.0  // right of the panels
	levelGap  = 14.0 // between a level line and its label
	sparse    = 70.0 // between the markers of a sparse series
)

// A point is a place on the paper. y points down.
type point struct{ x, y float64 }

// A rect is a box on the paper.
type rect struct{ x0, y0, x1, y1 float64 }

func (r rect) overlaps(o rect) bool {
	return r.x0 < o.x1 && o.x0 < r.x1 && r.y0 < o.y1 && o.y0 < r.y1
}

func (r rect) inside(o rect) bool {
	return r.x0 >= o.x0 && r.x1 <= o.x1 && r.y0 >= o.y0 && r.y1 <= o.y1
}

// grown returns r with a margin around it.
func (r rect) grown(by float64) rect { return rect{r.x0 - by, r.y0 - by, r.x1 + by, r.y1 + by} }

// distance returns how far a point is from r, 0 inside it.
func (r rect) distance(p point) float64 {
	return math.Hypot(max(r.x0-p.x, 0, p.x-r.x1), max(r.y0-p.y, 0, p.y-r.y1))
}

// crosses reports whether the segment from a to b has a part in r (Liang and Barsky).
func (r rect) crosses(a, b point) bool {
	enter, leave := 0.0, 1.0
	for _, side := range [][2]float64{{a.x - b.x, a.x - r.x0}, {b.x - a.x, r.x1 - a.x}, {a.y - b.y, a.y - r.y0}, {b.y - a.y, r.y1 - a.y}} {
		switch p, q := side[0], side[1]; {
		case p == 0 && q < 0:
			return false
		case p < 0:
			enter = max(enter, q/p)
		case p > 0:
			leave = min(leave, q/p)
		}
	}
	return enter < leave
}

// A scene is a plot with its shapes in their places: lines below, then markers, then
// text.
type scene struct {
	width, height float64
	labelSize     float64
	lines         []line
	marks         []mark
	texts         []text
}

type line struct {
	points []point
	color  Color
	width  float64
	dash   Dash
}

type mark struct {
	at     point
	marker Marker
	color  Color
}

// A text stands on its baseline.
type text struct {
	at     point
	s      string
	size   float64
	color  Color
	bold   bool
	anchor anchor
	label  bool // of a point or of a level line
}

// An anchor is the share of a text's width that is left of its place.
type anchor float64

const (
	start  anchor = 0
	middle anchor = 0.5
	end    anchor = 1
)

func (t text) box() rect {
	w := textWidth(t.s, t.size)
	x := t.at.x - float64(t.anchor)*w
	return rect{x, t.at.y - 0.78*t.size, x + w, t.at.y + 0.24*t.size}
}

// textWidth estimates the width of a text in a wide sans-serif face, so that it has room
// in any.
func textWidth(s string, size float64) float64 {
	em := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijl.,:;'|! ", r):
			em += 0.34
		case strings.ContainsRune("frt()[]-/\"", r):
			em += 0.42
		case strings.ContainsRune("mwMW%@", r):
			em += 0.98
		case r > 0x2e80: // characters of East Asia
			em++
		case unicode.IsUpper(r):
			em += 0.71
		default:
			em += 0.63
		}
	}
	return em * size
}

// wrapped breaks s at blanks into lines of at most the given width.
func wrapped(s string, size, width float64) (lines []string) {
	for _, word := range strings.Fields(s) {
		if n := len(lines); n > 0 && textWidth(lines[n-1]+" "+word, size) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// layout puts the plot on paper of the given width. whole adds title, caption and
// legend, which a page has outside.
func (p Plot) layout(width float64, whole bool) *scene {
	sc := &scene{width: width, labelSize: labelSize}
	margin, y := 0.0, 0.0
	if whole {
		margin = 18
		y = sc.heading(p, margin)
	}
	columns := min(len(p.Panels), 2)
	if width < phone {
		columns = 1
		sc.labelSize--
	}
	const gap = 28
	room := (width - 2*margin - gap*float64(columns-1)) / float64(columns)
	height := 0.62 * room
	if columns == 1 {
		height = min(max(0.42*room, 300), 380)
	}

	x, v := p.extent()
	xScale, yScale := scale{log: p.X.Unit.log()}, scale{log: p.Y.Unit.log()}
	xScale.lo, xScale.hi = p.X.Unit.bounds(x)
	yScale.lo, yScale.hi = p.Y.Unit.bounds(v)
	yTicks := p.Y.Unit.ticks(yScale.lo, yScale.hi, int(height/34))
	left := 0.0 // room for the labels of the axis Y
	for _, t := range yTicks {
		left = max(left, textWidth(t.label, textSize)+9)
	}
	right := edge // room for the labels of level lines
	for _, panel := range p.Panels {
		for _, s := range panel.Series {
			for _, l := range s.levelLabel(sc.labelSize, room) {
				right = max(right, levelGap+textWidth(l, sc.labelSize))
			}
		}
	}
	plotted := room - left - right
	xTicks := p.X.ticks(xScale.lo, xScale.hi, plotted)

	bottom := y
	for i, panel := range p.Panels {
		if i%columns == 0 {
			y = bottom
			if i > 0 {
				y += 18
			}
		}
		at := margin + float64(i%columns)*(room+gap)
		top := y
		if panel.Title != "" {
			top += textSize * lineSpace
			sc.texts = append(sc.texts, text{at: point{at, top - 4}, s: panel.Title, size: textSize, color: Ink, bold: true})
		}
		top += textSize * lineSpace
		sc.texts = append(sc.texts, text{at: point{at, top - 5}, s: p.Y.Label, size: textSize, color: Soft})
		top += 8
		area := rect{at + left, top, at + left + plotted, top + height}
		xScale.from, xScale.to, yScale.from, yScale.to = area.x0, area.x1, area.y1, area.y0
		sc.axes(area, xScale, yScale, xTicks, yTicks)
		sc.texts = append(sc.texts, text{at: point{area.x1, area.y1 + 2*textSize*lineSpace + 2}, s: p.X.Label, size: textSize, color: Soft, anchor: end})
		sc.series(area, xScale, yScale, panel.Series, room)
		bottom = max(bottom, area.y1+2*textSize*lineSpace+8)
	}
	sc.height = math.Ceil(bottom + margin/2)
	return sc
}

// ticks marks as many values as have room in a width. It leaves out those whose labels
// would not fit at the right.
func (a Axis) ticks(lo, hi, width float64) []tick {
	s := scale{lo, hi, 0, width, a.Unit.log()}
	half := func(t tick) float64 { return textWidth(t.label, textSize) / 2 }
	for most := 12; ; most-- {
		list := slices.DeleteFunc(a.Unit.ticks(lo, hi, most), func(t tick) bool { return s.at(t.at)+half(t) > width+edge })
		free := true
		for i := 1; i < len(list); i++ {
			free = free && s.at(list[i].at)-s.at(list[i-1].at) >= half(list[i])+half(list[i-1])+8
		}
		if free || most <= 2 {
			return list
		}
	}
}

// heading writes title, caption and legend of a whole plot. It returns where the panels
// begin.
func (sc *scene) heading(p Plot, margin float64) (y float64) {
	y = margin + titleSize
	sc.texts = append(sc.texts, text{at: point{margin, y}, s: p.Title, size: titleSize, color: Ink, bold: true})
	y += 8
	for _, s := range wrapped(p.Caption, textSize, sc.width-2*margin) {
		y += textSize * lineSpace
		sc.texts = append(sc.texts, text{at: point{margin, y}, s: s, size: textSize, color: Soft})
	}
	y += 6
	x, next := margin, true
	for _, s := range p.named() {
		lines := wrapped(s.Name, textSize, sc.width-2*margin-swatch-7)
		entry := swatch + 7.0
		for _, l := range lines {
			entry = max(entry, swatch+7+textWidth(l, textSize))
		}
		if next || x+entry > sc.width-margin {
			x, y = margin, y+textSize*1.55
		}
		next = len(lines) > 1
		sc.swatch(point{x, y - 4.5}, s)
		for i, l := range lines {
			if i > 0 {
				y += textSize * lineSpace
			}
			sc.texts = append(sc.texts, text{at: point{x + swatch + 7, y}, s: l, size: textSize, color: Ink})
		}
		x += entry + 20
	}
	return y + 14
}

// swatch draws the style of a series in a legend. A single point has no line.
func (sc *scene) swatch(at point, s Series) {
	if len(s.Points) != 1 || s.Level {
		sc.lines = append(sc.lines, line{[]point{at, {at.x + swatch, at.y}}, s.Style.Color, stroke, s.Style.Dash})
	}
	if s.Style.Marker != None {
		sc.marks = append(sc.marks, mark{point{at.x + swatch/2, at.y}, s.Style.Marker, s.Style.Color})
	}
}

// axes draws the grid and the labels of ticks.
func (sc *scene) axes(area rect, x, y scale, xTicks, yTicks []tick) {
	rule := func(a, b point, c Color) {
		sc.lines = append(sc.lines, line{[]point{a, b}, c, 1, Solid})
	}
	for _, t := range yTicks {
		at := y.at(t.at)
		rule(point{area.x0, at}, point{area.x1, at}, Grid)
		sc.texts = append(sc.texts, text{at: point{area.x0 - 8, at + 0.35*textSize}, s: t.label, size: textSize, color: Soft, anchor: end})
	}
	for _, t := range xTicks {
		at := x.at(t.at)
		rule(point{at, area.y0}, point{at, area.y1}, Grid)
		sc.texts = append(sc.texts, text{at: point{at, area.y1 + textSize + 4}, s: t.label, size: textSize, color: Soft, anchor: middle})
	}
	rule(point{area.x0, area.y1}, point{area.x1, area.y1}, Soft)
}

// series draws the lines and markers of a panel, then puts the labels where there is
// room. room is the width of area and its margins.
func (sc *scene) series(area rect, x, y scale, all []Series, room float64) {
	free := placer{area: area.grown(-1)}
	places := make([][]point, len(all))
	for i, s := range all {
		if len(s.Points) == 0 {
			continue
		}
		var marked []point
		if s.Level {
			at := y.at(s.Points[0].Y)
			places[i] = []point{{area.x0, at}, {area.x1, at}}
			marked = []point{{area.x0 + radius, at}, {area.x1 - radius, at}}
		} else {
			for _, v := range s.Points {
				places[i] = append(places[i], point{x.at(v.X), y.at(v.Y)})
			}
			marked = places[i]
			if s.Sparse {
				marked = thinned(places[i], float64(i%5)/5)
			}
		}
		sc.lines = append(sc.lines, line{places[i], s.Style.Color, stroke, s.Style.Dash})
		for j := 1; j < len(places[i]); j++ {
			free.lines = append(free.lines, [2]point{places[i][j-1], places[i][j]})
		}
		if s.Style.Marker == None {
			continue
		}
		for _, at := range marked {
			sc.marks = append(sc.marks, mark{at, s.Style.Marker, s.Style.Color})
			free.points = append(free.points, at)
			free.boxes = append(free.boxes, rect{at.x, at.y, at.x, at.y}.grown(reach))
		}
	}
	// The last series lies above the others, and its labels have the first choice.
	for i, s := range slices.Backward(all) {
		for j, at := range s.Points {
			label := at.Label
			if sc.width < phone && at.Short != "" {
				label = at.Short
			}
			if s.Level || label == "" {
				continue
			}
			found, ok := free.place(around(places[i][j], textWidth(label, sc.labelSize), 1.02*sc.labelSize, s.Below))
			if !ok {
				continue
			}
			if found.led {
				sc.lines = append(sc.lines, line{[]point{found.from, found.near()}, s.Style.Color, 1, Solid})
			}
			sc.texts = append(sc.texts, text{at: point{(found.x0 + found.x1) / 2, found.y0 + 0.78*sc.labelSize}, s: label, size: sc.labelSize, color: Ink, anchor: middle, label: true})
		}
	}
	var levels []levelLabel
	for i, s := range all {
		if lines := s.levelLabel(sc.labelSize, room); len(lines) > 0 {
			levels = append(levels, levelLabel{at: places[i][0].y, lines: lines, height: sc.labelSize * levelSpace * float64(len(lines)), color: s.Style.Color})
		}
	}
	for _, l := range stack(levels, area.y0-8, area.y1) {
		sc.lines = append(sc.lines, line{[]point{{area.x1, l.at}, {area.x1 + levelGap - 3, l.top + l.height/2}}, l.color, 1, Solid})
		for i, s := range l.lines {
			sc.texts = append(sc.texts, text{at: point{area.x1 + levelGap, l.top + sc.labelSize*(0.87+levelSpace*float64(i))}, s: s, size: sc.labelSize, color: Ink, label: true})
		}
	}
}

// levelLabel returns the lines of the label of a level line. They are broken at blanks
// where they would take more than a third of a panel.
func (s Series) levelLabel(size, room float64) (lines []string) {
	if !s.Level || len(s.Points) == 0 {
		return nil
	}
	for l := range strings.SplitSeq(s.Points[0].Label, "\n") {
		lines = append(lines, wrapped(l, size, room/3)...)
	}
	return lines
}

// thinned returns places along a line that are some way apart. phase in [0,1) keeps the
// markers of different series apart.
func thinned(line []point, phase float64) (marked []point) {
	next := sparse * (0.15 + 0.85*phase)
	walked := 0.0
	for i, at := range line {
		if i > 0 {
			walked += math.Hypot(at.x-line[i-1].x, at.y-line[i-1].y)
		}
		if walked >= next {
			marked = append(marked, at)
			next = walked + sparse
		}
	}
	if len(marked) == 0 && len(line) > 0 {
		marked = line[len(line)-1:]
	}
	return marked
}
