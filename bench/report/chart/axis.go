package chart

import (
	"fmt"
	"math"
	"strconv"
)

// A scale maps values of an axis to places on the paper.
type scale struct {
	lo, hi   float64 // values
	from, to float64 // places
	log      bool
}

// at returns the place of a value. Values beyond the axis are at its end.
func (s scale) at(v float64) float64 {
	lo, hi := s.lo, s.hi
	v = min(max(v, lo), hi)
	if s.log {
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	return s.from + (v-lo)/(hi-lo)*(s.to-s.from)
}

// bounds returns the ends of an axis for values from v[0] to v[1], with some room
// beside them. An axis without values gets some.
func (u Unit) bounds(v [2]float64) (lo, hi float64) {
	const most = 1e100 // beyond it an axis ends
	least := -most
	if u.log() {
		least = 1 / most
	}
	lo, hi = min(max(v[0], least), most), min(max(v[1], least), most)
	if v[0] > v[1] {
		lo, hi = 1, 1
	}
	switch u {
	case Whole:
		pad := max(0.55, 1e-6*math.Abs(hi))
		return lo - pad, hi + pad
	case Plain:
		pad := max(0.07*(hi-lo), 0.01*math.Abs(hi), 1e-9)
		if lo >= 0 {
			return max(lo-pad, 0), hi + pad
		}
		return lo - pad, hi + pad
	}
	// Enough for two ticks, on an axis of one size too.
	span := 12.0
	if u == Powers {
		span = 200
	}
	pad := max(math.Pow(hi/lo, 0.07), math.Sqrt(span*lo/hi), 1.2)
	return lo / pad, hi * pad
}

// A tick is a marked value of an axis.
type tick struct {
	at    float64
	label string
}

// ticks marks an axis from lo to hi with at most the given number of values.
func (u Unit) ticks(lo, hi float64, most int) []tick {
	most = max(most, 2)
	switch u {
	case Bytes:
		return powers(2, lo, hi, most, size)
	case Seconds:
		if list := split(lo, hi, duration); len(list) <= most {
			return list
		}
		return powers(10, lo, hi, most, duration)
	case Powers:
		return powers(10, lo, hi, most, func(v float64) string { return fmt.Sprintf("%.3g", v) })
	}
	return round(lo, hi, most, u == Whole)
}

// round marks multiples of 1, 2 or 5 times a power of ten.
func round(lo, hi float64, most int, whole bool) (list []tick) {
	exponent := math.Floor(math.Log10((hi - lo) / float64(most)))
	if whole {
		exponent = max(exponent, 0)
	}
	for {
		for _, times := range []float64{1, 2, 5} {
			step := times * math.Pow(10, exponent)
			first, last := math.Ceil(lo/step-1e-9), math.Floor(hi/step+1e-9)
			if int(last-first)+1 > most {
				continue
			}
			for i := first; i <= last; i++ {
				v := i*step + 0 // not -0
				label := strconv.FormatFloat(v, 'f', int(max(-exponent, 0)), 64)
				if exponent > 14 {
					label = fmt.Sprintf("%.3g", v)
				}
				list = append(list, tick{v, label})
			}
			return list
		}
		exponent++
	}
}

// powers marks powers of a base. Their exponents are multiples of one step.
func powers(base, lo, hi float64, most int, label func(float64) string) (list []tick) {
	first, last := math.Ceil(math.Log(lo)/math.Log(base)-1e-9), math.Floor(math.Log(hi)/math.Log(base)+1e-9)
	step := math.Ceil((last - first + 1) / float64(most))
	for e := math.Ceil(first/step) * step; e <= last; e += step {
		v := math.Pow(base, e)
		list = append(list, tick{v, label(v)})
	}
	return list
}

// split marks 1, 2 and 5 times each power of ten.
func split(lo, hi float64, label func(float64) string) (list []tick) {
	for e := math.Floor(math.Log10(lo)); e <= math.Log10(hi); e++ {
		for _, times := range []float64{1, 2, 5} {
			if v := times * math.Pow(10, e); v >= lo && v <= hi {
				list = append(list, tick{v, label(v)})
			}
		}
	}
	return list
}

// size formats a power of two as a size.
func size(v float64) string {
	unit := "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, next
	}
	return fmt.Sprintf("%g %s", v, unit)
}

// duration formats a time of few digits.
func duration(s float64) string {
	v, unit := s*1e9, "ns"
	for _, next := range []string{"µs", "ms", "s"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, next
	}
	return fmt.Sprintf("%.4g %s", v, unit)
}
