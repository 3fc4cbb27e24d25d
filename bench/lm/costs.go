package lm

import (
	"batchrnn/bench/lm/text"
)

// Costs are what the tokens of a text cost under a model. Its JSON form is part of that
// of [Score] and [Evaluation].
type Costs struct {
	Tokens    int     `json:"tokens"`
	Unk       int     `json:"unk"` // tokens that are not in the vocabulary
	UnkRate   float64 `json:"unk_rate"`
	Sentences int     `json:"sentences,omitempty"` // of a model of sentences: the tokens that are </s>
	// TextBytes is the length of the text in UTF-8. A word counts with the blank or line
	// end after it.
	TextBytes int `json:"text_bytes"`

	Nats         float64    `json:"nats"` // of all tokens
	Bits         float64    `json:"bits"` // of all tokens
	BitsPerToken float64    `json:"bits_per_token"`
	Perplexity   Perplexity `json:"perplexity"` // 0 if there is no token; null beyond float64

	// KnownBits and Known are those of the tokens that are not <unk>. They leave out the
	// tokens that are hardest to predict. KenLM prints Known as "excluding OOVs". Both
	// are 0 if there is no such token.
	KnownBits float64    `json:"known_bits_per_token"`
	Known     Perplexity `json:"known_perplexity"`

	// AdjustedBits and Adjusted are those of all tokens, with every <unk> spelled. They
	// are 0 if AdjustedUnknown: the model's file has no speller.
	AdjustedBits    float64    `json:"adjusted_bits_per_token"`
	Adjusted        Perplexity `json:"adjusted_perplexity"`
	AdjustedUnknown bool       `json:"adjusted_unknown"`
	// BitsPerByte are the bits of all tokens, with every <unk> spelled, by TextBytes. It
	// compares models of any tokens. It is 0 without a byte, or if an <unk> has no
	// spelling.
	BitsPerByte float64 `json:"bits_per_byte"`

	known, spelling float64 // nats: of tokens that are not <unk>, of spelling the others
}

// tally adds the tokens of a text by their losses in nats. unknown are those that are <unk>,
// as written.
func tally[L float32 | float64](c *Costs, m *Model, ids []int32, losses []L, unknown []string) {
	c.Tokens += len(ids)
	c.Unk += len(unknown)
	c.TextBytes += m.Vocab.Bytes(m.level, ids, unknown)
	for i, id := range ids {
		c.Nats += float64(losses[i])
		if id != text.Unk {
			c.known += float64(losses[i])
		}
		if m.ends(id) {
			c.Sentences++
		}
	}
	c.AdjustedUnknown = m.Speller == nil
	if m.Speller != nil {
		c.spelling += m.Speller.Total(unknown)
	}
	c.settle()
}

// join adds the costs of another text under the same model.
func (c *Costs) join(other Costs) {
	c.Tokens += other.Tokens
	c.Unk += other.Unk
	c.Sentences += other.Sentences
	c.TextBytes += other.TextBytes
	c.Nats += other.Nats
	c.known += other.known
	c.spelling += other.spelling
	c.AdjustedUnknown = other.AdjustedUnknown
	c.settle()
}

// settle sets the means.
func (c *Costs) settle() {
	if c.Tokens == 0 {
		return
	}
	c.UnkRate = float64(c.Unk) / float64(c.Tokens)
	c.Bits, c.BitsPerToken = Bits(c.Nats, 1), Bits(c.Nats, c.Tokens)
	c.Perplexity = PerplexityOf(c.BitsPerToken)
	if known := c.Tokens - c.Unk; known > 0 {
		c.KnownBits = Bits(c.known, known)
		c.Known = PerplexityOf(c.KnownBits)
	}
	if !c.AdjustedUnknown {
		c.AdjustedBits = Bits(c.Nats+c.spelling, c.Tokens)
		c.Adjusted = PerplexityOf(c.AdjustedBits)
	}
	c.BitsPerByte = 0 // earlier tokens may have had some
	if c.TextBytes > 0 && (!c.AdjustedUnknown || c.Unk == 0) {
		c.BitsPerByte = Bits(c.Nats+c.spelling, c.TextBytes)
	}
}
