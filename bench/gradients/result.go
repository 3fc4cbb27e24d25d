package gradients

import "batchrnn/bench/measure"

// Format is the version of [Result]'s JSON form.
const Format = 1

// A Result is one run of [Study]. Its JSON form is stable: fields may be added, not
// renamed.
type Result struct {
	Format   int             `json:"format"`  // Format
	Machine  measure.Machine `json:"machine"` // each thread trains a model of its own
	Command  string          `json:"command"`
	Seed     uint64          `json:"seed"`
	Lengths  []int           `json:"lengths"`
	Updates  int             `json:"updates"`  // at most, of each model
	Remember int             `json:"remember"` // symbols of the copy task
	Hidden   int             `json:"hidden"`
	Batch    int             `json:"batch"`
	Models   []Model         `json:"models"` // by task, length and network
	// Summary describes Models in sentences.
	Summary     []string `json:"summary"`
	Interrupted bool     `json:"interrupted"` // before all models were trained
}

// A Model is one network trained on one task. Models that differ in Clip alone have the
// same start and read the same sequences.
type Model struct {
	Task         string  `json:"task"`   // Adding or Copy
	Length       int     `json:"length"` // T
	Network      string  `json:"network"`
	Cell         string  `json:"cell"`       // the name of its rnn.CellKind
	Activation   string  `json:"activation"` // of a vanilla cell
	Start        string  `json:"start"`      // of Wh, or of the biases of gates
	TimeSkip     float64 `json:"time_skip"`  // α, 0 without skip connections
	Clip         float64 `json:"clip"`       // the norm that gradients are clipped to, 0 for none
	LearningRate float64 `json:"learning_rate"`

	Updates int  `json:"updates"`
	Solved  bool `json:"solved"` // its training ended after solvedAfter batches without a wrong answer
	// Diverged is true if a loss became NaN or infinite, or a gradient too large for a
	// step, see rnn.Model.Step. That ended the training. There is no Loss or Accuracy
	// then.
	Diverged bool    `json:"diverged"`
	Seconds  float64 `json:"seconds"`

	Loss     float64 `json:"loss"`     // on test sequences: mean squared error, or nats a symbol
	Accuracy float64 `json:"accuracy"` // share of right answers on them
	Baseline float64 `json:"baseline"` // the loss of the best answer that ignores the input
	Chance   float64 `json:"chance"`   // its accuracy

	Clipped     int     `json:"clipped"`      // updates
	LargestNorm float64 `json:"largest_norm"` // of a gradient over all parameters, without infinite ones

	AtStart []Norm `json:"at_start"`
	Trained []Norm `json:"trained"` // empty if the training diverged
}

// A Norm is the norm of a gradient with respect to the state at the given distance
// before the last step. The loss is that of the last step alone. The norm is relative to
// that at distance 0. Norms outside the range of a float32 are left out.
type Norm struct {
	Distance int     `json:"distance"`
	Norm     float64 `json:"norm"`
}

// At returns the norm at a distance. ok is false if there is none.
func At(norms []Norm, distance int) (norm float64, ok bool) {
	for _, n := range norms {
		if n.Distance == distance {
			return n.Norm, true
		}
	}
	return 0, false
}

// Name returns the network's name, and whether its gradients were clipped.
func (m Model) Name() string {
	if m.Clip > 0 {
		return m.Network + ", clipped"
	}
	return m.Network
}

// Of returns the models of a task and a length, in the order of the networks.
func (r Result) Of(task string, length int) []Model {
	var models []Model
	for _, m := range r.Models {
		if m.Task == task && m.Length == length {
			models = append(models, m)
		}
	}
	return models
}
