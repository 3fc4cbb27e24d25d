package main

import (
	"bufio"
	"fmt"
	"strconv"
	"time"
)

// A stream is one file as it is read.
type stream struct {
	name     string // in what is printed; "" if it is the only one
	probs    bool   // each frame is printed
	audio    reader
	segments *segmenter
	samples  int64
	end      error // io.EOF, or what is wrong with the file
	ended    bool  // the last segment is known
}

// detect runs the streams to their ends. It returns the times of the model for the
// frames that all streams have, or for the latest 35 minutes of them.
func detect(w *lines, d *Detector, streams []*stream) (times []time.Duration, err error) {
	times = make([]time.Duration, 0, 1<<16)
	p, frames := make([]float32, len(streams)), make([]float32, len(streams)*d.Frame())
	for n := 0; ; n++ {
		live := 0
		for i, s := range streams {
			frame := frames[i*d.Frame():][:d.Frame()]
			got := 0
			if s.end == nil {
				got, s.end = s.audio.read(frame)
				s.samples += int64(got)
			}
			clear(frame[got:]) // the last frame of a stream ends in silence
			if got > 0 {
				live++
			} else if !s.ended {
				s.ended = true
				s.segments.end(s.samples)
			}
		}
		if live == 0 {
			return times, w.Flush()
		}
		begin := time.Now()
		d.NextAll(p, frames)
		took := time.Since(begin)
		if live == len(streams) {
			if len(times) < cap(times) {
				times = append(times, took)
			} else {
				times[n%len(times)] = took
			}
		}
		for i, s := range streams {
			if s.ended {
				continue
			}
			if p[i] != p[i] {
				return nil, fmt.Errorf("the model's probability is NaN after %.3f s", float64(s.segments.at)/w.rate)
			}
			if s.probs {
				w.frame(s.segments.at, p[i], s.name)
			}
			s.segments.next(p[i])
		}
		if err := w.Flush(); err != nil { // a live stream is not waited for
			return nil, err
		}
	}
}

// lines writes what is found. It allocates nothing.
type lines struct {
	*bufio.Writer
	rate float64 // samples a second
	line []byte
}

func (w *lines) segment(g Segment, name string) {
	w.write("speech", g.Start, float64(g.End)/w.rate, 3, name)
}

func (w *lines) frame(at int64, p float32, name string) {
	w.write("frame", at, float64(p), 6, name)
}

func (w *lines) write(what string, at int64, value float64, digits int, name string) {
	b := append(w.line[:0], what...)
	b = strconv.AppendFloat(append(b, '\t'), float64(at)/w.rate, 'f', 3, 64)
	b = strconv.AppendFloat(append(b, '\t'), value, 'f', digits, 64)
	if name != "" {
		b = append(append(b, '\t'), name...)
	}
	w.line = append(b, '\n')
	w.Write(w.line) // errors stay until Flush
}
