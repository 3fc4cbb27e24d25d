package chart

import "math"

// markStroke is the width of the strokes of open markers.
const markStroke = 1.8

// A shape is the outline of a marker: a circle, or paths. Open ones are stroked, others
// filled.
type shape struct {
	round  bool
	radius float64 // of a circle
	paths  [][]point
	open   bool
}

// shape returns the outline of a marker in its place.
func (m Marker) shape(at point) shape {
	polygon := func(corners int, r, turn float64) []point {
		points := make([]point, corners)
		for i := range points {
			sin, cos := math.Sincos(turn + 2*math.Pi*float64(i)/float64(corners))
			points[i] = point{at.x + r*sin, at.y - r*cos}
		}
		return points
	}
	strokes := func(n int, turn float64) (paths [][]point) {
		all := polygon(2*n, radius, turn)
		for i := range n {
			paths = append(paths, []point{all[i], all[i+n]})
		}
		return paths
	}
	switch m {
	case Disc:
		return shape{round: true, radius: radius - 0.5}
	case Ring:
		return shape{round: true, radius: radius - 0.7, open: true}
	case Square:
		return shape{paths: [][]point{polygon(4, radius*1.2, math.Pi/4)}}
	case Triangle:
		return shape{paths: [][]point{polygon(3, radius*1.2, 0)}}
	case Down:
		return shape{paths: [][]point{polygon(3, radius*1.2, math.Pi)}}
	case Diamond:
		return shape{paths: [][]point{polygon(4, radius*1.15, 0)}}
	case Cross:
		return shape{paths: strokes(2, math.Pi/4), open: true}
	case Plus:
		return shape{paths: strokes(2, 0), open: true}
	}
	return shape{paths: strokes(3, 0), open: true} // Star
}
