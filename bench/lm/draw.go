package lm

import (
	"strings"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
	"batchrnn/rnn"
)

// SampleOptions say what text to draw.
type SampleOptions struct {
	Length      int // tokens
	Temperature float64
	TopK        *int     // draw from the k likeliest tokens, see rnn.Sampling; nil for all
	TopP        *float64 // draw from the likeliest that make up this share; nil for all
	Seed        uint64
	Prompt      string
	Spell       bool // draw <unk> too, and write a word for it
}

const (
	maxSample      = 10_000_000
	maxTemperature = 100
)

// Validate returns an [option.Error] for the first invalid option.
func (o SampleOptions) Validate() error {
	switch {
	case o.Length < 1 || o.Length > maxSample:
		return option.Misuse("Length", "%d tokens can't be drawn: give 1 to %d", o.Length, maxSample)
	case !(o.Temperature >= 0 && o.Temperature <= maxTemperature): // NaN too
		return option.Misuse("Temperature", "%v is no temperature: give 0 for the likeliest token, 1 for the model's own distribution, at most %d", o.Temperature, maxTemperature)
	case o.TopK != nil && *o.TopK < 1:
		return option.Misuse("TopK", "%d tokens leave none to draw: give 1 or more, or leave it out for all", *o.TopK)
	case o.TopP != nil && !(*o.TopP > 0 && *o.TopP <= 1):
		return option.Misuse("TopP", "%v is no share of the probability: give more than 0 and at most 1, such as 0.9", *o.TopP)
	}
	return nil
}

// A Sample is a text that was drawn.
type Sample struct {
	Format      int     `json:"format"` // jsonFormat
	Model       Config  `json:"model"`
	Seed        uint64  `json:"seed"`
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"` // 0 for all
	TopP        float64 `json:"top_p"` // 1 for all
	Prompt      string  `json:"prompt"`
	UnknownTo   int     `json:"prompt_unk"` // tokens of the prompt that are not in the vocabulary
	Tokens      int     `json:"tokens"`
	Spelled     int     `json:"spelled"` // tokens of Length that are <unk>, each written as a drawn word
	Text        string  `json:"text"`    // without the prompt
}

// Draw draws a text. It calls on with each piece as soon as it is drawn, the prompt
// first. An error of on ends it, with the sample so far.
func Draw(m *Model, o SampleOptions, on func(piece []byte) error) (Sample, error) {
	out := Sample{Format: jsonFormat, Model: m.Config, Seed: o.Seed, Temperature: o.Temperature, TopK: value(o.TopK, 0), TopP: value(o.TopP, 1), Prompt: o.Prompt}
	if err := o.Validate(); err != nil {
		return out, err
	}
	s, err := m.NewSampler(rnn.Sampling{Temperature: o.Temperature, TopK: out.TopK, TopP: out.TopP, Seed: o.Seed})
	if err != nil {
		return out, err
	}
	if o.Spell {
		if m.Speller == nil || !m.Speller.HasWords() {
			return out, option.Misuse("Spell", "the model has no spelling of words, as training on words gives it: leave it out")
		}
		s.Spell()
	}
	if err := m.level.CheckMarks([]byte(o.Prompt), 1); err != nil {
		return out, option.Misuse("Prompt", "%w", err)
	}
	prompt := m.Vocab.Encode(nil, m.Level(), []byte(o.Prompt))
	if n := len(prompt); n > 0 && m.ends(prompt[n-1]) && !strings.HasSuffix(o.Prompt, "\n") {
		prompt = prompt[:n-1] // its last sentence goes on
	}
	out.UnknownTo = countUnk(prompt)
	for _, id := range prompt {
		s.Feed(id)
	}
	if err := on([]byte(o.Prompt)); err != nil {
		return out, err
	}
	written := []byte(o.Prompt)
	for out.Tokens < o.Length && err == nil {
		id, drawErr := s.Next()
		if drawErr != nil {
			return out, drawErr
		}
		at := len(written)
		written = s.AppendText(written, id)
		if o.Spell && id == text.Unk {
			out.Spelled++
		}
		out.Tokens++
		err = on(written[at:])
	}
	out.Text = string(written[len(o.Prompt):])
	return out, err
}
