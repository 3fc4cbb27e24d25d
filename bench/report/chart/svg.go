package chart

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// fileWidth is the width of a plot in a file. That with several panels is wider.
func (p Plot) fileWidth() float64 {
	if len(p.Panels) > 1 {
		return 1000
	}
	return 760
}

// SVG writes the plot as a file that needs nothing else: title, caption and legend stand
// above the panels. It is in light colours.
func (p Plot) SVG(w io.Writer) error {
	sc := p.layout(p.fileWidth(), true)
	d := &drawing{color: func(c Color) string { return palette[c].light }}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" role="img" aria-labelledby="title" aria-describedby="caption" font-family="system-ui, 'Liberation Sans', Arial, Helvetica, sans-serif">`,
		sc.width, sc.height, sc.width, sc.height)
	fmt.Fprintf(d, "\n<title id=\"title\">%s</title>\n<desc id=\"caption\">%s</desc>\n", escaped(p.Title), escaped(p.Caption))
	fmt.Fprintf(d, "<rect width=\"%g\" height=\"%g\" fill=\"%s\"/>\n", sc.width, sc.height, d.color(Paper))
	d.scene(sc)
	d.WriteString("</svg>\n")
	_, err := io.WriteString(w, d.String())
	return err
}

// Inline returns the panels as an SVG element of a page: without legend, in the colours of
// [CSS] and the type of the page. id is unlike that of any other element.
func (p Plot) Inline(width float64, id string) string {
	sc := p.layout(width, false)
	d := &drawing{color: variable}
	fmt.Fprintf(d, `<svg viewBox="0 0 %g %g" role="img" aria-labelledby="%s-title" aria-describedby="%s-desc">`, sc.width, sc.height, id, id)
	fmt.Fprintf(d, "<title id=\"%s-title\">%s</title><desc id=\"%s-desc\">%s</desc>\n", id, escaped(p.Title), id, escaped(p.Caption))
	d.scene(sc)
	d.WriteString("</svg>")
	return d.String()
}

// A Key is an entry of a legend.
type Key struct {
	Name   string
	Swatch string // an SVG element that shows the style, in the colours of [CSS]
}

// Legend returns the entries of the legend.
func (p Plot) Legend() (keys []Key) {
	for _, s := range p.named() {
		var sc scene
		sc.swatch(point{0, 7}, s)
		d := &drawing{color: variable}
		fmt.Fprintf(d, `<svg class="swatch" width="%g" height="14" viewBox="0 0 %g 14" aria-hidden="true">`, swatch, swatch)
		d.scene(&sc)
		d.WriteString("</svg>")
		keys = append(keys, Key{s.Name, d.String()})
	}
	return keys
}

// variable names a colour of a page.
func variable(c Color) string { return "var(--" + palette[c].name + ")" }

func escaped(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder has no errors
	return b.String()
}

// A drawing is SVG in the making.
type drawing struct {
	strings.Builder
	color func(Color) string
}

// number formats a length: tenths of a pixel are enough.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

func (d *drawing) scene(sc *scene) {
	for _, l := range sc.lines {
		d.line(l)
	}
	for _, m := range sc.marks {
		d.mark(m)
	}
	for _, t := range sc.texts {
		d.text(t)
	}
}

func (d *drawing) line(l line) {
	fmt.Fprintf(d, `<path d="%s" fill="none" stroke="%s" stroke-width="%s"`, path(l.points, false), d.color(l.color), number(l.width))
	if lengths := l.dash.lengths(); lengths != nil {
		d.WriteString(` stroke-dasharray="`)
		for i, n := range lengths {
			if i > 0 {
				d.WriteByte(' ')
			}
			d.WriteString(number(n))
		}
		d.WriteByte('"')
	}
	d.WriteString("/>\n")
}

func (d *drawing) mark(m mark) {
	shape := m.marker.shape(m.at)
	fill, edge := d.color(m.color), "none"
	if shape.open {
		fill, edge = "none", d.color(m.color)
	}
	if shape.round {
		if shape.open {
			fill = d.color(Paper)
		}
		fmt.Fprintf(d, `<circle cx="%s" cy="%s" r="%s" fill="%s" stroke="%s" stroke-width="%s"/>`+"\n", number(m.at.x), number(m.at.y), number(shape.radius), fill, edge, number(markStroke))
		return
	}
	var paths strings.Builder
	for _, points := range shape.paths {
		paths.WriteString(path(points, !shape.open))
	}
	fmt.Fprintf(d, `<path d="%s" fill="%s" stroke="%s" stroke-width="%s"/>`+"\n", paths.String(), fill, edge, number(markStroke))
}

func (d *drawing) text(t text) {
	fmt.Fprintf(d, `<text x="%s" y="%s" font-size="%s" fill="%s"`, number(t.at.x), number(t.at.y), number(t.size), d.color(t.color))
	switch t.anchor {
	case middle:
		d.WriteString(` text-anchor="middle"`)
	case end:
		d.WriteString(` text-anchor="end"`)
	}
	if t.bold {
		d.WriteString(` font-weight="600"`)
	}
	d.WriteString(">" + escaped(t.s) + "</text>\n")
}

// path returns the commands of a path.
func path(points []point, closed bool) string {
	var b strings.Builder
	for i, p := range points {
		switch i {
		case 0:
			b.WriteByte('M')
		case 1:
			b.WriteByte('L')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(number(p.x) + " " + number(p.y))
	}
	if closed {
		b.WriteByte('Z')
	}
	return b.String()
}
