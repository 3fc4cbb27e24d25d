package onnx

import "testing"

// TestConvOfParts: a convolution reads parts of another one's result, whose channels come
// last in memory. Each is compared with the same graph whose nodes read copies.
func TestConvOfParts(t *testing.T) {
	e := testEngine(t)
	for _, part := range []struct{ axis, start, end, step int64 }{
		{0, 0, 4, 2}, {0, 1, 4, 1}, {0, 1, 4, 3}, {1, 0, 2, 1}, {1, 1, 3, 1}, {1, 0, 3, 2}, {1, 2, 3, 1}, {2, 0, 3, 1}, {2, 1, 6, 1}, {2, 0, 6, 2}, {2, 5, 6, 1},
	} {
		for _, taps := range []int{1, 2} {
			for _, stride := range []int64{1, 2, 3} {
				run := func(apart bool) (*Tensor, error) {
					g := newGraphMaker(1, 13)
					g.apart = apart
					x := g.one("Conv", []string{g.input(g.finite(4, 2, 6)), g.constant(g.finite(3, 2, 1))}) // [4,3,6]
					v := g.one("Slice", []string{x, g.constant(vector(part.start)), g.constant(vector(part.end)), g.constant(vector(part.axis)), g.constant(vector(part.step))})
					channels := 3
					if part.axis == 1 {
						channels = int((part.end-part.start-1)/part.step + 1)
					}
					y := g.one("Conv", []string{v, g.constant(g.finite(4, channels, taps))}, intsAttribute("strides", stride), intsAttribute("pads", 0, int64(taps-1)))
					g.output(Float, y)
					out, err := g.ours(e)
					return out[y], err
				}
				want, err := run(true)
				if err != nil {
					t.Fatal(err)
				}
				got, err := run(false)
				if err != nil {
					t.Fatal(err)
				}
				if err := near(got, want, 1e-6); err != nil {
					t.Errorf("part %v, %d taps, stride %d: %v", part, taps, stride, err)
				}
			}
		}
	}
}

// TestShortInputs: filters whose first or last taps see zeros alone.
func TestShortInputs(t *testing.T) {
	e := testEngine(t)
	const taps, channels = 5, 3
	for _, groups := range []int{1, channels} {
		for length := 1; length <= 3; length++ {
			for _, pads := range [][2]int{{4, 0}, {0, 4}, {2, 2}, {8, 1}, {3, 9}} {
				for dilation := 1; dilation <= 2; dilation++ {
					steps := pads[0] + length + pads[1] - dilation*(taps-1)
					if steps < 1 {
						continue
					}
					g := newGraphMaker(uint64(length), 13)
					each := channels / groups
					x, w := g.finite(1, channels, length), g.finite(channels, each, taps)
					y := g.one("Conv", []string{g.input(x), g.constant(w)}, intAttribute("group", int64(groups)),
						intsAttribute("pads", int64(pads[0]), int64(pads[1])), intsAttribute("dilations", int64(dilation)))
					g.output(Float, y)
					out, err := g.ours(e)
					if err != nil {
						t.Fatal(err)
					}
					want := &Tensor{Shape: []int{1, channels, steps}, Floats: make([]float32, channels*steps)}
					for o := range channels {
						for s := range steps {
							for c := range each {
								for k := range taps {
									if at := s - pads[0] + k*dilation; at >= 0 && at < length {
										want.Floats[o*steps+s] += w.Floats[(o*each+c)*taps+k] * x.Floats[(o/each*each+c)*length+at]
									}
								}
							}
						}
					}
					if err := near(out[y], want, 1e-5); err != nil {
						t.Errorf("%d groups, %d steps, pads %v, dilation %d: %v", groups, length, pads, dilation, err)
					}
				}
			}
		}
	}
}
