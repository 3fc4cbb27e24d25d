package gradients

import (
	"fmt"
	"slices"
	"strings"
)

// The least accuracy that the summary calls learnt, and the least gain over chance that
// it calls learnt in part.
const (
	learnt = 0.9
	partly = 0.1
)

// The norms, relative to distance 0, that the summary calls vanished and exploded.
const (
	vanished = 1e-3
	exploded = 1e3
)

// TaskName returns the name of a task for people.
func TaskName(task string) string {
	if task == Copy {
		return "copy task"
	}
	return "adding problem"
}

// summary describes the models in sentences. It has no sentence for tasks without
// models.
func summary(r Result) []string {
	sentences := []string{}
	for _, task := range []string{Adding, Copy} {
		for _, length := range r.Lengths {
			if models := r.Of(task, length); len(models) > 0 {
				sentences = append(sentences, outcome(task, length, models))
			}
		}
	}
	if models := r.Of(Adding, slices.Max(r.Lengths)); len(models) > 0 {
		sentences = append(sentences, startOf(models))
	}
	if s := clipping(r); s != "" {
		sentences = append(sentences, s)
	}
	return sentences
}

// outcome says which networks learnt a task.
func outcome(task string, length int, models []Model) string {
	var well, some, none, diverged []string
	ways, both := map[string]int{}, map[string]bool{}
	for _, m := range models {
		ways[m.Network]++
		both[m.Network] = ways[m.Network] > 1
		group := &none
		switch {
		case m.Diverged:
			group = &diverged
		case m.Accuracy >= learnt:
			group = &well
		case m.Accuracy >= m.Chance+partly:
			group = &some
		}
		*group = append(*group, m.Name())
	}
	var parts []string
	for _, g := range []struct {
		what  string
		names []string
	}{
		{fmt.Sprintf("learnt (%.0f %% right or more) by", 100*learnt), well},
		{"in part by", some},
		{fmt.Sprintf("not (less than %.0f points above chance) by", 100*partly), none},
		{"diverged:", diverged},
	} {
		if len(g.names) > 0 {
			parts = append(parts, g.what+" "+merged(g.names, both))
		}
	}
	return fmt.Sprintf("The %s at T = %d: %s.", TaskName(task), length, strings.Join(parts, "; "))
}

// merged joins names. A network that is listed with and without clipping is named once.
// both are the networks that were trained in both ways.
func merged(names []string, both map[string]bool) string {
	const clipped = ", clipped"
	var all []string
	for _, n := range names {
		plain, is := strings.CutSuffix(n, clipped)
		switch {
		case is && slices.Contains(names, plain):
		case is && !both[plain]:
			all = append(all, "“"+plain+"”")
		case is:
			all = append(all, "“"+plain+"” if clipped")
		case slices.Contains(names, n+clipped):
			all = append(all, "“"+n+"”")
		default:
			all = append(all, "“"+n+"” if not clipped")
		}
	}
	return strings.Join(all, ", ")
}

// startOf describes the gradients of untrained networks.
func startOf(models []Model) string {
	var parts []string
	for i, m := range models {
		if i > 0 && models[i-1].Network == m.Network || len(m.AtStart) == 0 {
			continue // a clipped network has the same start
		}
		// The furthest mark, or the last distance.
		n := m.AtStart[len(m.AtStart)-1]
		is := "stays"
		switch {
		case n.Norm < vanished:
			is = "vanishes"
		case n.Norm > exploded:
			is = "explodes"
		}
		parts = append(parts, fmt.Sprintf("of “%s” %s (%.2g times at distance %d)", m.Network, is, n.Norm, n.Distance))
	}
	return "Before training the gradient " + strings.Join(parts, ", ") + "."
}

// clipping says where clipping made a difference.
func clipping(r Result) string {
	type pair struct{ plain, clipped *Model }
	var better, worse []string
	pairs := map[string]*pair{}
	for i := range r.Models {
		m := &r.Models[i]
		key := fmt.Sprint(m.Task, m.Length, m.Network)
		if pairs[key] == nil {
			pairs[key] = &pair{}
		}
		p := pairs[key]
		if m.Clip > 0 {
			p.clipped = m
		} else {
			p.plain = m
		}
		if p.plain == nil || p.clipped == nil {
			continue
		}
		text := fmt.Sprintf("%s, T = %d, “%s” (%s to %s)", TaskName(m.Task), m.Length, m.Network, right(*p.plain), right(*p.clipped))
		switch d := p.clipped.Accuracy - p.plain.Accuracy; {
		case d > partly:
			better = append(better, text)
		case d < -partly:
			worse = append(worse, text)
		}
	}
	var parts []string
	if len(better) > 0 {
		parts = append(parts, "helps in the "+strings.Join(better, "; "))
	}
	if len(worse) > 0 {
		parts = append(parts, "is worse than none in the "+strings.Join(worse, "; "))
	}
	if len(parts) == 0 {
		return ""
	}
	return "Clipping, at the learning rates shown, " + strings.Join(parts, "; it ") + "."
}

// right formats the share of right answers.
func right(m Model) string {
	if m.Diverged {
		return "diverged"
	}
	return fmt.Sprintf("%.0f %% right", 100*m.Accuracy)
}
