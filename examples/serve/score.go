package main

import (
	"math"
	"net/http"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/rnn/streams"
)

// maxTexts is the maximum number of texts that a request may score.
const maxTexts = 256

// A score is the log-probability of a text, which begins as a session does.
type score struct {
	Tokens       int          `json:"tokens"`
	Unk          int          `json:"unk"`      // tokens that are not in the vocabulary
	LogProb      float64      `json:"log_prob"` // nats, of all tokens
	BitsPerToken float64      `json:"bits_per_token"`
	Each         []tokenScore `json:"per_token,omitempty"`
}

type tokenScore struct {
	Token   string  `json:"token"`
	LogProb float32 `json:"log_prob"` // nats
}

// score scores texts, all in one batch.
func (s *server) score(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Texts    []string `json:"texts"`
		PerToken bool     `json:"per_token"`
	}
	if err := s.decode(w, r, &in); err != nil {
		return err
	}
	if most := min(maxTexts, s.options.streams); len(in.Texts) < 1 || len(in.Texts) > most {
		return badRequest("texts: %d of them, give 1 to %d", len(in.Texts), most)
	}
	m := s.model.Load()
	texts, total := make([][]int32, len(in.Texts)), 0
	for i, t := range in.Texts {
		if m.Level() == text.Sentence {
			if err := m.Level().CheckMarks([]byte(t), 1); err != nil {
				return badRequest("text %d: %v", i+1, err)
			}
			t += "\n" // an empty sentence is one too
		}
		ids := m.Vocab.Encode(nil, m.Level(), []byte(t))
		for _, id := range ids[:max(0, len(ids)-1)] {
			if ends(m, id) {
				return badRequest("text %d: has a line end, give each sentence as a text of its own", i+1)
			}
		}
		texts[i] = ids
		total += len(ids)
	}
	if total > s.maxTokens {
		return badRequest("texts: %d tokens, give at most %d", total, s.maxTokens)
	}
	ctx, done, err := s.begin(r.Context())
	if err != nil {
		return err
	}
	defer done()

	jobs := make([]streams.Job, 0, len(texts))
	defer func() {
		for _, j := range jobs {
			j.Stream.Close()
		}
	}()
	for _, ids := range texts {
		if len(ids) == 0 {
			continue
		}
		stream, err := s.batcher.Open()
		if err != nil {
			return err
		}
		before := append([]int32{m.Vocab.Start(m.Level())}, ids[:len(ids)-1]...)
		jobs = append(jobs, streams.Job{Stream: stream, Call: streams.Call{IDs: before, Targets: ids, LogProbs: make([]float32, len(ids))}})
	}
	if err := s.batcher.Step(ctx, jobs); err != nil {
		return err
	}
	scores, at := make([]score, len(texts)), 0
	for i, ids := range texts {
		if len(ids) == 0 {
			continue
		}
		if scores[i], err = scoreOf(m, ids, jobs[at].LogProbs, in.PerToken); err != nil {
			return err
		}
		at++
	}
	s.metrics.scored.Add(uint64(total))
	return s.answer(w, http.StatusOK, map[string]any{"scores": scores})
}

func scoreOf(m *lm.Model, ids []int32, logProbs []float32, each bool) (score, error) {
	out := score{Tokens: len(ids), Unk: unknown(ids)}
	for i, p := range logProbs {
		out.LogProb += float64(p)
		if each {
			out.Each = append(out.Each, tokenScore{m.Vocab.Token(ids[i]), p})
		}
	}
	if math.IsNaN(out.LogProb) || math.IsInf(out.LogProb, 0) {
		return score{}, errNotFinite
	}
	out.BitsPerToken = lm.Bits(-out.LogProb, len(ids))
	return out, nil
}
