package study

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/internal/figures"
)

// Summarize describes the models of r in one sentence, for either side. It compares the
// n-gram models of [LevelResult.OneStore] and the RNNs in float32. A clause sets the
// smaller forms of the best of both beside each other. Bits are compared as the table
// prints them, to three decimals, so that the sentence never contradicts the table.
func Summarize(r LevelResult) string {
	var ngrams, rnns, unscored []Model
	for _, m := range r.OneStore() {
		switch {
		case m.Store == Int8Store:
		case m.Unscored:
			unscored = append(unscored, m)
		case m.Kind == KindRNN:
			rnns = append(rnns, m)
		default:
			ngrams = append(ngrams, m)
		}
	}
	var clauses []string
	if len(ngrams) > 0 {
		clauses = append(clauses, growthClause(ngrams))
	}
	if len(rnns) > 0 {
		clauses = append(clauses, rnnClause(r, ngrams, rnns))
		clauses = append(clauses, otherCells(r, rnns)...)
		clauses = append(clauses, smallForms(r, ngrams, rnns)...)
	} else if len(ngrams) > 0 {
		best := lowestBits(ngrams)
		clauses = append(clauses, fmt.Sprintf("%s predicts best of them, at %s", order(best.Order), bitsPer(r.Corpus, best)))
		if len(unscored) == 0 {
			clauses = append(clauses, "no RNN was measured")
		}
	}
	for _, m := range unscored {
		clauses = append(clauses, fmt.Sprintf("the %s of width %d takes %s, and how well it predicts was not measured",
			lm.CellName(m.Cell), m.Hidden, figures.Bytes(m.BytesPredicted)))
	}
	if len(clauses) == 0 {
		return "No model was measured."
	}
	sentence := strings.Join(clauses, "; ")
	return strings.ToUpper(sentence[:1]) + sentence[1:] + "."
}

// growthClause describes the n-gram models' size as a function of the order.
func growthClause(ngrams []Model) string {
	first, last := ngrams[0], ngrams[len(ngrams)-1]
	if len(ngrams) == 1 {
		return fmt.Sprintf("the n-gram model of %s takes %s in a %s",
			order(first.Order), figures.Bytes(first.BytesPredicted), storeNoun(first.Store))
	}
	from, to := first.BytesPredicted, last.BytesPredicted
	clause := fmt.Sprintf("from order %d to %d the n-gram model in a %s goes from %s to %s",
		first.Order, last.Order, storeNoun(first.Store), figures.Bytes(from), figures.Bytes(to))
	if from > 0 && to > from {
		clause += fmt.Sprintf(" (%s times)", figures.Ratio(float64(to)/float64(from)))
	}
	return clause
}

// rnnClause compares the RNN with the lowest bits with the n-gram models.
func rnnClause(r LevelResult, ngrams, rnns []Model) string {
	rnn := lowestBits(rnns)
	var b strings.Builder
	fmt.Fprintf(&b, "the %s of width %d takes %s whatever the length of its context, and at %s",
		lm.CellName(rnn.Cell), rnn.Hidden, figures.Bytes(rnn.BytesPredicted), bitsPer(r.Corpus, rnn))
	if rnn.Interrupted {
		b.WriteString(", its training cut short,")
	}
	if len(ngrams) == 0 {
		b.WriteString(" it stands alone: no n-gram model was measured")
		return b.String()
	}

	var reached []int
	for _, m := range ngrams {
		if milliBits(rnn) <= milliBits(m) {
			reached = append(reached, m.Order)
		}
	}
	best := lowestBits(ngrams)
	relation := ratioOf(best, rnn)
	switch {
	case milliBits(rnn) < milliBits(best):
		fmt.Fprintf(&b, " it predicts better than every order measured; the best of them, %s at %.3f, takes %s%s",
			order(best.Order), best.BitsPerToken, figures.Bytes(best.BytesPredicted), relation)
	case len(reached) == len(ngrams):
		fmt.Fprintf(&b, " it predicts as well as the best order, %s, which takes %s%s",
			order(best.Order), figures.Bytes(best.BytesPredicted), relation)
	case len(reached) == 0:
		fmt.Fprintf(&b, " it predicts worse than every order measured; the best of them, %s at %.3f, takes %s%s",
			order(best.Order), best.BitsPerToken, figures.Bytes(best.BytesPredicted), relation)
	default:
		fmt.Fprintf(&b, " it matches or beats %s but not the best, %s, which predicts at %.3f and takes %s%s",
			orders(reached), order(best.Order), best.BitsPerToken, figures.Bytes(best.BytesPredicted), relation)
	}
	b.WriteString(speedClause(rnn, best, r.Models))
	return b.String()
}

// otherCells returns a clause for each cell that the RNN with the lowest bits does not
// have, about the RNN with the lowest bits of that cell.
func otherCells(r LevelResult, rnns []Model) (clauses []string) {
	named := []string{lm.CellName(lowestBits(rnns).Cell)}
	for _, m := range rnns {
		name := lm.CellName(m.Cell)
		if slices.Contains(named, name) {
			continue
		}
		named = append(named, name)
		best := lowestBits(slices.DeleteFunc(slices.Clone(rnns), func(m Model) bool { return lm.CellName(m.Cell) != name }))
		clauses = append(clauses, fmt.Sprintf("the best %s, of width %d, takes %s and needs %s",
			name, best.Hidden, figures.Bytes(best.BytesPredicted), bitsPer(r.Corpus, best)))
	}
	return clauses
}

// smallForms returns a clause about the RNN with the lowest bits in int8, if it was
// measured. Beside it stands the best n-gram model in the quantised trie.
func smallForms(r LevelResult, ngrams, rnns []Model) []string {
	best := lowestBits(rnns)
	i := slices.IndexFunc(r.Models, func(m Model) bool {
		return m.Store == Int8Store && m.Cell == best.Cell && m.Hidden == best.Hidden
	})
	if i < 0 {
		return nil
	}
	clause := fmt.Sprintf("with weights of int8 the %s of width %d takes %s and needs %s",
		lm.CellName(best.Cell), best.Hidden, figures.Bytes(r.Models[i].BytesPredicted), bitsPer(r.Corpus, r.Models[i]))
	if len(ngrams) == 0 {
		return []string{clause}
	}
	against := lowestBits(ngrams)
	if i := slices.IndexFunc(r.Models, func(m Model) bool { return m.Store == ngram.Quantised.String() && m.Order == against.Order }); i >= 0 {
		clause += fmt.Sprintf(", the n-gram model of %s in a %s %s and %.3f",
			order(against.Order), storeNoun(r.Models[i].Store), figures.Bytes(r.Models[i].BytesPredicted), r.Models[i].BitsPerToken)
	}
	return []string{clause}
}

// speedClause compares the speeds of scoring the test split. The n-gram model is in its
// fastest lossless store.
func speedClause(rnn, ngramModel Model, models []Model) string {
	quickest := ngramModel
	for _, m := range models {
		if m.Kind == KindNgram && m.Order == ngramModel.Order && m.Store != ngram.Quantised.String() &&
			m.ScoreTokensPerSecond > quickest.ScoreTokensPerSecond {
			quickest = m
		}
	}
	a, b := rnn.ScoreTokensPerSecond, quickest.ScoreTokensPerSecond
	if !(a > 0 && b > 0) {
		return ""
	}
	in := ""
	if quickest.Store != ngramModel.Store {
		in = " in a " + storeNoun(quickest.Store)
	}
	network := "the " + lm.CellName(rnn.Cell)
	faster, slower, times := network, "that n-gram model"+in, a/b
	if times < 1 {
		faster, slower, times = slower, faster, b/a
	}
	if times < 1.05 {
		return "; " + network + " and that n-gram model" + in + " score at about the same speed"
	}
	return fmt.Sprintf("; %s scores text %s times as fast as %s", faster, figures.Ratio(times), slower)
}

// lowestBits returns the model with the lowest bits, the first of equals. len(models) >
// 0.
func lowestBits(models []Model) Model {
	best := models[0]
	for _, m := range models[1:] {
		if milliBits(m) < milliBits(best) {
			best = m
		}
	}
	return best
}

// milliBits returns the model's bits per token as the table shows them, times 1000.
func milliBits(m Model) float64 { return math.Round(m.BitsPerToken * 1000) }

func bitsPer(c lm.Corpus, m Model) string {
	return fmt.Sprintf("%.3f bits per %s", m.BitsPerToken, c.TokenName())
}

func order(n int) string { return fmt.Sprintf("order %d", n) }

// ratioOf describes the ratio of an n-gram model's size to the RNN's.
func ratioOf(ngramModel, network Model) string {
	size, rnn, name := ngramModel.BytesPredicted, network.BytesPredicted, lm.CellName(network.Cell)
	if size <= 0 || rnn <= 0 {
		return ""
	}
	if size >= rnn {
		return fmt.Sprintf(", %s times the %s's size", figures.Ratio(float64(size)/float64(rnn)), name)
	}
	if times := float64(rnn) / float64(size); times >= 100 {
		return fmt.Sprintf(", 1/%s of the %s's size", figures.Ratio(times), name)
	}
	return fmt.Sprintf(", %s %% of the %s's size", figures.Ratio(100*float64(size)/float64(rnn)), name)
}

// orders lists ascending orders, runs of three or more as a range: "orders 1 to
// 4 and 7". len(list) > 0.
func orders(list []int) string {
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if j-i >= 2 {
			parts = append(parts, fmt.Sprintf("%d to %d", list[i], list[j]))
			i = j + 1
		} else {
			parts = append(parts, strconv.Itoa(list[i]))
			i++
		}
	}
	if len(parts) == 1 {
		noun := "order "
		if len(list) > 1 {
			noun = "orders "
		}
		return noun + parts[0]
	}
	last := len(parts) - 1
	return "orders " + strings.Join(parts[:last], ", ") + " and " + parts[last]
}
