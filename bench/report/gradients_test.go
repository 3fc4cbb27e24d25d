package report

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"testing"

	"batchrnn/bench/gradients"
)

// TestGradientPlot draws what runs end with: a whole one, one that was stopped,
// norms that vanish to nothing, explode, or are not there.
func TestGradientPlot(t *testing.T) {
	curve := func(factor float64) (norms []gradients.Norm) {
		n := 1.0
		for d := range 61 {
			norms = append(norms, gradients.Norm{Distance: d, Norm: n})
			n *= factor
		}
		return norms
	}
	var whole gradients.Result
	for _, task := range []string{gradients.Adding, gradients.Copy} {
		for i, factor := range []float64{0, 0.5, 1, 1, 7, 1e6} {
			whole.Models = append(whole.Models, gradients.Model{Task: task, Length: 60, Network: fmt.Sprint("network ", i),
				AtStart: curve(factor), Trained: curve(factor), Clip: float64(i % 2)})
		}
	}
	whole.Models[3].Trained = nil // it diverged
	onlyCopy, vanished := whole, whole
	onlyCopy.Models = whole.Models[8:]
	vanished.Models = []gradients.Model{{Task: gradients.Adding, Length: 2, Network: "none"}}
	for name, test := range map[string]struct {
		result gradients.Result
		texts  []string
	}{
		"whole": {whole, []string{"adding problem, T = 60, at the start", "copy task, T = 60, at the start", "adding problem, T = 60, trained", "copy task, T = 60, trained",
			"network 0", "network 5", "trained with clipping", "trained without clipping", "1e-10", "1e+10"}},
		"copy":          {onlyCopy, []string{"copy task, T = 60, at the start", "network 2"}},
		"without norms": {vanished, []string{"adding problem, T = 2, trained", "none"}},
	} {
		var svg, pixels bytes.Buffer
		if err := errors.Join(GradientPlot(&svg, test.result, "svg"), GradientPlot(&pixels, test.result, "png")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := png.Decode(&pixels); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkSVG(t, name, svg.String(), test.texts)
	}
	if err := GradientPlot(new(bytes.Buffer), gradients.Result{}, "svg"); !errors.Is(err, ErrNothingToPlot) {
		t.Errorf("a plot of nothing: %v", err)
	}
}
