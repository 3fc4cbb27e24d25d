package main

import "time"

// A Rule turns the probabilities of frames into segments of speech. It is that of
// Silero's get_speech_timestamps, without a maximum length.
//
// Speech begins with a frame of at least Threshold. Silence begins with a frame below
// Release, and ends with one of at least Threshold. Speech ends where silence began, if
// a frame below Release comes MinSilence or more later. Segments of MinSpeech or less
// are dropped. The others grow by Pad at both ends, but not beyond the middle of a gap.
type Rule struct {
	Threshold, Release         float32
	MinSpeech, MinSilence, Pad time.Duration
}

// A Segment is speech from sample Start to before sample End.
type Segment struct{ Start, End int64 }

// A segmenter finds segments as the frames come. It hands over a segment as soon as no
// later frame can move its end.
type segmenter struct {
	Rule
	frame, minSpeech, minSilence, pad int64 // samples
	found                             func(Segment)

	at       int64 // where the next frame begins
	speaking bool
	open     Segment // while speaking; End is where silence began, or 0
	waiting  bool
	last     Segment // while waiting: padded at its start alone
}

func newSegmenter(r Rule, rate, frame int, found func(Segment)) *segmenter {
	samples := func(d time.Duration) int64 { return d.Milliseconds() * int64(rate) / 1000 }
	return &segmenter{Rule: r, frame: int64(frame), found: found,
		minSpeech: samples(r.MinSpeech), minSilence: samples(r.MinSilence), pad: samples(r.Pad)}
}

// next takes the probability of the next frame.
func (s *segmenter) next(p float32) {
	at := s.at
	s.at += s.frame
	switch {
	case p >= s.Threshold:
		if !s.speaking {
			s.speaking, s.open.Start = true, at
		}
		s.open.End = 0
	case p < s.Release && s.speaking:
		if s.open.End == 0 {
			s.open.End = at
		}
		if at-s.open.End >= s.minSilence {
			s.close()
		}
	}
	if s.speaking { // which may be dropped yet: then what follows is later
		at = s.open.Start
	}
	if s.waiting && at-s.last.End >= 2*s.pad {
		s.hand(s.pad)
	}
}

// close ends the open segment.
func (s *segmenter) close() {
	s.speaking = false
	if s.open.End-s.open.Start <= s.minSpeech {
		return
	}
	pad := s.pad
	if s.waiting {
		pad = min(pad, (s.open.Start-s.last.End)/2)
		s.hand(pad)
	}
	s.last = Segment{max(0, s.open.Start-pad), s.open.End}
	s.waiting = true
}

// hand hands over the segment that waits, with its end padded.
func (s *segmenter) hand(pad int64) {
	s.waiting = false
	s.found(Segment{s.last.Start, s.last.End + pad})
}

// end ends audio of total samples.
func (s *segmenter) end(total int64) {
	if s.speaking {
		s.open.End = total
		s.close()
	}
	if s.waiting {
		s.hand(min(s.pad, total-s.last.End))
	}
}
