package chart

import (
	"image/color"
	"io"
	"math"
	"strconv"
	"sync"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// density is the number of dots in a PNG for each pixel of the layout.
const density = 2

// PNG writes what [Plot.SVG] does, as pixels.
func (p Plot) PNG(w io.Writer) error {
	sc := p.layout(p.fileWidth(), true)
	// A point of vg is a pixel here: 72 dots an inch are one dot a point.
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(vg.Length(sc.width), vg.Length(sc.height)), vgimg.UseDPI(72*density))}
	r := raster{canvas.Canvas, sc.height}
	for _, l := range sc.lines {
		r.line(l)
	}
	for _, m := range sc.marks {
		r.mark(m)
	}
	for _, t := range sc.texts {
		r.text(t)
	}
	_, err := canvas.WriteTo(w)
	return err
}

// A raster is a picture in the making. Its y points up.
type raster struct {
	*vgimg.Canvas
	height float64
}

func (r raster) at(p point) vg.Point {
	return vg.Point{X: vg.Length(p.x), Y: vg.Length(r.height - p.y)}
}

func (r raster) path(points []point, closed bool) (path vg.Path) {
	for i, p := range points {
		if i == 0 {
			path.Move(r.at(p))
		} else {
			path.Line(r.at(p))
		}
	}
	if closed {
		path.Close()
	}
	return path
}

func (r raster) line(l line) {
	r.SetColor(light(l.color))
	r.SetLineWidth(vg.Length(l.width))
	var lengths []vg.Length
	for _, n := range l.dash.lengths() {
		lengths = append(lengths, vg.Length(n))
	}
	r.SetLineDash(lengths, 0)
	r.Stroke(r.path(l.points, false))
}

func (r raster) mark(m mark) {
	shape := m.marker.shape(m.at)
	r.SetLineWidth(markStroke)
	r.SetLineDash(nil, 0)
	paths := make([]vg.Path, len(shape.paths))
	for i, points := range shape.paths {
		paths[i] = r.path(points, !shape.open)
	}
	if shape.round {
		var circle vg.Path
		circle.Move(r.at(point{m.at.x + shape.radius, m.at.y}))
		circle.Arc(r.at(m.at), vg.Length(shape.radius), 0, 2*math.Pi)
		circle.Close()
		if shape.open {
			r.SetColor(light(Paper))
			r.Fill(circle)
		}
		paths = []vg.Path{circle}
	}
	r.SetColor(light(m.color))
	for _, path := range paths {
		if shape.open {
			r.Stroke(path)
		} else {
			r.Fill(path)
		}
	}
}

func (r raster) text(t text) {
	name := "LiberationSans-Regular"
	if t.bold {
		name = "LiberationSans-Bold"
	}
	face := faces()[name]
	face.Font.Size = vg.Length(t.size)
	t.at.x -= float64(t.anchor) * float64(face.Width(t.s))
	r.SetColor(light(t.color))
	r.FillString(face, r.at(t.at), t.s)
}

// faces returns the typefaces of pictures by name.
var faces = sync.OnceValue(func() map[string]font.Face {
	byName := map[string]font.Face{}
	for _, face := range liberation.Collection() {
		byName[face.Font.Name()] = face
	}
	return byName
})

// light returns a colour in light mode.
func light(c Color) color.Color {
	rgb, _ := strconv.ParseUint(palette[c].light[1:], 16, 32)
	return color.RGBA{R: uint8(rgb >> 16), G: uint8(rgb >> 8), B: uint8(rgb), A: 0xff}
}
