package chart

import (
	"cmp"
	"math"
	"slices"
)

// A placer finds places for the labels of a panel.
type placer struct {
	area   rect
	boxes  []rect     // of markers and of labels that are placed: no label overlaps them
	points []point    // of markers: a label is nearest to its own
	lines  [][2]point // that go through no label
}

// leader is the distance from a marker from which on a thin line leads to its label.
const leader = 9.0

// What is worse than the next spot of a list.
const (
	otherNearer = 6.0  // another marker is nearer to the label than its own
	crossed     = 12.0 // for each line that the leader crosses
)

// A spot is a candidate for the box of a label. Earlier ones are better.
type spot struct {
	rect
	cost float64
	from point // the marker that the label is of
	led  bool  // far enough from it to need a leader
}

// near returns the place in the box that a leader ends at.
func (s spot) near() point {
	return point{min(max(s.from.x, s.x0), s.x1), min(max(s.from.y, s.y0), s.y1)}
}

// place returns the best of spots that is free, and takes it. ok is false if none is.
func (f *placer) place(spots []spot) (best spot, ok bool) {
	least := 0.0
	for _, s := range spots {
		cost := s.cost
		if ok && cost >= least || !s.inside(f.area) || f.taken(s.rect) || s.led && f.blocked(s) {
			continue
		}
		for _, l := range f.lines {
			if s.led && l[0] != s.from && l[1] != s.from && meet(s.from, s.near(), l[0], l[1]) {
				cost += crossed
			}
		}
		if !s.led {
			own := s.distance(s.from)
			for _, other := range f.points {
				if s.distance(other) < own-0.5 {
					cost += otherNearer
				}
			}
		}
		if !ok || cost < least {
			best, least, ok = s, cost, true
		}
	}
	if ok {
		f.boxes = append(f.boxes, best.grown(1))
		if best.led {
			f.lines = append(f.lines, [2]point{best.from, best.near()})
		}
	}
	return best, ok
}

// taken reports whether a marker, another label or a line is in the way.
func (f *placer) taken(r rect) bool {
	for _, b := range f.boxes {
		if r.overlaps(b) {
			return true
		}
	}
	r = r.grown(1)
	for _, l := range f.lines {
		if r.crosses(l[0], l[1]) {
			return true
		}
	}
	return false
}

// blocked reports whether the leader of a label would go through another label, or
// through a marker other than its own.
func (f *placer) blocked(s spot) bool {
	for _, b := range f.boxes {
		if b.distance(s.from) > 0 && b.crosses(s.from, s.near()) {
			return true
		}
	}
	return false
}

// meet reports whether two segments cross.
func meet(a, b, c, d point) bool {
	side := func(p, q, r point) bool { return (q.x-p.x)*(r.y-p.y) > (q.y-p.y)*(r.x-p.x) }
	return side(a, b, c) != side(a, b, d) && side(c, d, a) != side(c, d, b)
}

// around returns spots in rings around a point for a label of the given size. Those on
// the side that is not asked for come last.
func around(at point, w, h float64, below bool) (spots []spot) {
	const otherSide = 9
	up := -1.0
	if below {
		up = 1
	}
	// Lines rise to the right more often than they fall: so the right comes first below,
	// the left above.
	for ring, gap := range []float64{2, 7, 14, 22, 32, 44, 58, 74} {
		for i := range 16 {
			turn := float64((i + 1) / 2)
			if i%2 == 1 {
				turn = -turn
			}
			sin, cos := math.Sincos(turn * math.Pi / 8)
			d := point{up * sin, up * cos}
			clamped := func(v float64) float64 { return min(max(1.42*v, -1), 1) }
			x, y := at.x+d.x*(radius+gap)+clamped(d.x)*w/2, at.y+d.y*(radius+gap)+clamped(d.y)*h/2
			box := rect{x - w/2, y - h/2, x + w/2, y + h/2}
			cost := 4*float64(ring) + 0.25*float64(i)
			if up*d.y < -0.1 {
				cost += otherSide
			}
			spots = append(spots, spot{box, cost, at, box.distance(at) > radius+leader})
		}
	}
	return spots
}

// A levelLabel is the label of a level line, in the margin.
type levelLabel struct {
	at     float64 // the height of its line
	lines  []string
	height float64
	color  Color
	top    float64
}

// levelSpace is the distance of lines in a label, in sizes.
const levelSpace = 1.15

// stack sets labels beside their lines. Where those are too close, the labels form a
// stack with its middle at theirs. It leaves out the last ones where there are too many.
func stack(labels []levelLabel, top, bottom float64) []levelLabel {
	const gap = 3
	slices.SortStableFunc(labels, func(a, b levelLabel) int { return cmp.Compare(a.at, b.at) })
	type block struct {
		labels           []levelLabel
		top, height, sum float64 // sum of what the top would be for each label
	}
	var blocks []block
	total := 0.0
	for i, l := range labels {
		if total += l.height + gap; total > bottom-top {
			break
		}
		b := block{labels[i : i+1], l.at - l.height/2, l.height + gap, l.at - l.height/2}
		b.top = min(max(b.top, top), bottom-b.height)
		for n := len(blocks) - 1; n >= 0 && blocks[n].top+blocks[n].height > b.top; n-- {
			above := blocks[n]
			blocks = blocks[:n]
			b.sum += above.sum - float64(len(b.labels))*above.height
			b.labels = labels[i+1-len(b.labels)-len(above.labels) : i+1]
			b.height += above.height
			b.top = min(max(b.sum/float64(len(b.labels)), top), bottom-b.height)
		}
		blocks = append(blocks, b)
	}
	var placed []levelLabel
	for _, b := range blocks {
		for _, l := range b.labels {
			l.top = b.top
			b.top += l.height + gap
			placed = append(placed, l)
		}
	}
	return placed
}
