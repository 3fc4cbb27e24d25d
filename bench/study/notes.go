package study

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/internal/figures"
)

// wellMeasured is the size from which a model's resident bytes can be compared with the
// predicted ones. Every model has a similar overhead: 20 to 50 KiB of the runtime's own
// structures, and partial pages. For example, tries of the default text of order 4 to 6
// have 218, 555 and 1,118 KiB. Their slices lie on pages of 224, 560 and 1,128 KiB. The
// process grows by 244 KiB, 580 KiB and 1.1 MiB, or by 32 KiB more.
const wellMeasured = 1 << 20

// notes returns the facts that a reader needs to judge the figures of r.
func notes(r LevelResult) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }

	if r.Corpus.Synthetic {
		add("The text is generated: the figures say nothing about English.")
	}
	if r.Corpus.LeftOut > 0 {
		add("%s.", lm.LeftOut(r.Corpus.LeftOut, r.Corpus.FirstLeftOut))
	}

	var spread float64
	streams := 0 // of the RNNs
	adaptive, small, rnns, ngrams, quantised := false, false, false, false, false
	var cells, embed []string // cells of the RNNs, and of those with embeddings
	var dropout float64
	halve := false
	var fixed []int // orders of the models with fixed discounts
	for _, m := range r.Models {
		spread = max(spread, m.ScoreSpread)
		if m.Kind == KindRNN {
			if name := lm.CellName(m.Cell); !slices.Contains(cells, name) {
				cells = append(cells, name)
				if m.Embedding > 0 {
					embed = append(embed, name)
				}
			}
			rnns, streams = true, max(streams, m.ScoreStreams)
			dropout, halve = max(dropout, m.Dropout), halve || m.Halve
			quantised = quantised || m.Store == Int8Store
			adaptive = adaptive || m.Softmax == rnnlm.AdaptiveSoftmax
		} else {
			ngrams = true
			if m.FixedDiscounts && !slices.Contains(fixed, m.Order) {
				fixed = append(fixed, m.Order)
			}
		}
		if m.ResidentUnknown {
			continue
		}
		off := float64(m.BytesResident-m.BytesPredicted) / float64(m.BytesPredicted)
		switch {
		case m.BytesPredicted < wellMeasured:
			small = small || math.Abs(off) > 0.05
		case math.Abs(off) > 0.05:
			add("%s: the resident bytes are %+.0f %% off the predicted ones.", m.FullName(), 100*off)
		}
	}
	if ngrams {
		add("The n-gram models read the text as one stream, without marks of sentences, and list every n-gram of the training split.")
	}
	if r.Corpus.UnkRate > 0 {
		add("A token that the vocabulary doesn't have counts as <unk>, whichever it is, and that flatters small vocabularies. "+
			"Adjusted figures charge each for its spelling too, %.1f bits here, by a model of characters that is the same for every row: they compare with those of any other vocabulary.", r.Corpus.UnkBits)
	}
	if len(fixed) > 0 {
		add("Where the counts of n-grams of one length give no discounts, these have fixed ones: so in the models of %s.", orders(fixed))
	}
	if small {
		add("Resident is by how much a process of its own grows when it holds the model. " +
			"Below 1 MiB what the runtime itself takes to hold anything, some 20 to 50 KiB, and the ends of pages, some 10 KiB, weigh in: " +
			"there the predicted bytes are the better figure.")
	}
	if rnns {
		add("The bytes of an RNN are those of a process that only scores: each weight once, packed as products read it.")
	}
	if quantised {
		add("A row of int8 is the network of the row before it, with weights of int8 in place of float32: it was not trained by itself.")
	}
	if len(cells) > 1 {
		add("Networks of %s cells stand beside each other. Beside each %s the others have the largest width that takes no more bytes.", joined(cells), cells[0])
	}
	if len(embed) > 0 {
		add("Networks of %s cells read embeddings half as wide as their state. Without these their input weights, several for each unit and %s, would take most of the bytes.", joined(embed), r.Corpus.TokenName())
	}
	if dropout > 0 {
		seen := "states"
		if len(embed) > 0 {
			seen = "states, nor the first layer of the embeddings"
		}
		add("In training, the output layer of the RNNs doesn't see %.3g of their %s (dropout).", dropout, seen)
	}
	if halve {
		add("The learning rate of the RNNs is halved after each validation that finds nothing better.")
	}
	if adaptive {
		add("The RNNs have an adaptive softmax: the rarer %ss are predicted in clusters, from fewer features of the state.", r.Corpus.TokenName())
	}
	if streams > 0 && (streams > 1 || r.Machine.Threads > 1) {
		add("Scoring: an n-gram model reads the test split as one stream on one thread, an RNN as %s at once on %s.",
			figures.Plural(streams, "stream"), figures.Plural(r.Machine.Threads, "thread"))
	}
	if spread > 0 {
		add("Tokens per second in scoring are medians; the slowest and the fastest run lay at most %.0f %% of the median apart.", math.Ceil(100*spread))
	}
	return notes
}

// joined joins names by commas and, before the last, "and".
func joined(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
