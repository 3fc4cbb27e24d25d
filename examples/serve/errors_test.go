package main

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

func TestErrors(t *testing.T) {
	e, m := gru(t)
	c, _ := start(t, e, m, func(o *options) { o.maxBody, o.maxTokens, o.streams = 2000, 100, 10 })
	id := c.open(nil)
	texts, _ := json.Marshal(map[string]any{"texts": make([]string, 11)})
	for _, of := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/", "", 404, ""},
		{"GET", "/sessions", "", 405, ""},
		{"POST", "/sessions/" + id, "", 405, ""},
		{"POST", "/sessions", "{", 400, "body: unexpected EOF"},
		{"POST", "/sessions", "{} {}", 400, "more than one"},
		{"POST", "/sessions", "[]", 400, "body: json"},
		{"POST", "/sessions", `{"sed": 1}`, 400, `unknown field \"sed\"`},
		{"POST", "/sessions", `{"seed": -1}`, 400, "seed"},
		{"POST", "/sessions", `{"temperature": -1}`, 400, "temperature of -1"},
		{"POST", "/sessions", `{"temperature": 1e39}`, 400, "temperature"},
		{"POST", "/sessions", `{"top_k": -1}`, 400, "TopK is -1"},
		{"POST", "/sessions", `{"top_p": 1.5}`, 400, "TopP is 1.5"},
		{"POST", "/sessions", strings.Repeat(" ", 2001), 413, "too large"},
		{"DELETE", "/sessions/x", "", 404, "no such session"},
		{"GET", "/sessions/x/state", "", 404, "no such session"},
		{"PUT", "/sessions/x/state", "{}", 404, "no such session"},
		{"POST", "/sessions/x/generate", "{}", 404, "no such session"},
		{"POST", "/sessions/" + id + "/generate", `{"max_tokens": 101}`, 400, "max_tokens: 101, give 1 to 100"},
		{"POST", "/sessions/" + id + "/generate", `{"max_tokens": 0}`, 400, "max_tokens: 0"},
		{"POST", "/sessions/" + id + "/generate", `{"max_tokens": -1}`, 400, "max_tokens: -1"},
		{"POST", "/sessions/" + id + "/generate", `{"prompt": "` + strings.Repeat("a", 101) + `"}`, 400, "prompt: 101 tokens"},
		{"POST", "/sessions/" + id + "/generate", strings.Repeat(" ", 2001), 413, "too large"},
		{"POST", "/score", "", 400, "texts: 0 of them, give 1 to 10"},
		{"POST", "/score", string(texts), 400, "texts: 11 of them"},
		{"POST", "/score", `{"texts": ["` + strings.Repeat("a", 51) + `", "` + strings.Repeat("b", 50) + `"]}`, 400, "101 tokens, give at most 100"},
		{"PUT", "/sessions/" + id + "/state", "{}", 400, "restore it on a server with its model"},
	} {
		resp, answer := c.do(of.method, of.path, of.body)
		if resp.StatusCode != of.code || !strings.Contains(answer, of.want) {
			t.Errorf("%s %s %.40q: %d %s, want %d %q", of.method, of.path, of.body, resp.StatusCode, answer, of.code, of.want)
		}
		if of.want == "" {
			continue
		}
		var out map[string]string
		if err := json.Unmarshal([]byte(answer), &out); err != nil || out["error"] == "" || len(out) != 1 {
			t.Errorf("%s %s: %v: %q", of.method, of.path, err, answer)
		}
	}
	if got, _ := c.generate(id, request{Prompt: "a", MaxTokens: 5}); got == "" {
		t.Error("the session has suffered")
	}
}

func TestErrorsOfSentences(t *testing.T) {
	e := newEngine(t)
	c, _ := start(t, e, newModel(t, e, text.Sentence, rnn.Config{Cell: rnn.GRU}, 1), nil)
	id := c.open(nil)
	for path, body := range map[string]any{
		"/score":                        map[string]any{"texts": []string{"fox", "fox\nfox"}},
		"/sessions/" + id + "/generate": request{Prompt: "fox </s>", MaxTokens: 1},
	} {
		var out struct{ Error string }
		c.want(http.StatusBadRequest, "POST", path, body, &out)
		if !strings.Contains(out.Error, "line") {
			t.Errorf("%s: %q", path, out.Error)
		}
	}
	c.want(http.StatusBadRequest, "POST", "/score", map[string]any{"texts": []string{"<s> fox"}}, nil)
}

// A model whose scores are not finite gives errors, and no JSON that isn't any.
func TestNotFinite(t *testing.T) {
	e, m := gru(t)
	slab := m.Network().Slab
	slab[len(slab)-1] = float32(math.NaN())
	m.Network().Update()
	c, _ := start(t, e, m, nil)
	var out struct{ Error string }
	c.want(http.StatusInternalServerError, "POST", "/score", map[string]any{"texts": []string{"fox"}}, &out)
	if !strings.Contains(out.Error, "not finite") {
		t.Errorf("%q", out.Error)
	}
	if got, sum := c.generate(c.open(nil), request{MaxTokens: 5}); got != "" || sum.Reason != "error" || !strings.Contains(sum.Error, "not finite") {
		t.Errorf("%q, %+v", got, sum)
	}
}

func TestFull(t *testing.T) {
	e, m := gru(t)
	c, _ := start(t, e, m, func(o *options) { o.streams = 3 })
	id := c.open(nil)
	c.open(nil)
	full := func(path string, body any) {
		t.Helper()
		resp, answer := c.do("POST", path, body)
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(answer, "in use") {
			t.Errorf("%d %q %s", resp.StatusCode, resp.Header.Get("Retry-After"), answer)
		}
	}
	two := map[string]any{"texts": []string{"a", "b"}}
	full("/score", two)
	third := c.open(nil)
	full("/sessions", nil)
	c.want(http.StatusNoContent, "DELETE", "/sessions/"+third, nil, nil)
	c.want(http.StatusNotFound, "DELETE", "/sessions/"+third, nil, nil)
	c.want(http.StatusNoContent, "DELETE", "/sessions/"+id, nil, nil)
	c.want(http.StatusOK, "POST", "/score", two, nil)
}

// A session ends when it is idle, and only then.
func TestIdle(t *testing.T) {
	e, m := gru(t)
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.idle = time.Minute
		s, err := newServer(e, m, o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		of := sampling{Temperature: 1}
		used, err := s.open(of)
		if err != nil {
			t.Fatal(err)
		}
		idle, err := s.open(of)
		if err != nil {
			t.Fatal(err)
		}
		busy, err := s.open(of)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.claim(busy.id); err != nil {
			t.Fatal(err)
		}
		s.expire(used) // a timer that fires as a request ends
		for range 4 {
			time.Sleep(40 * time.Second)
			x, err := s.claim(used.id)
			if err != nil {
				t.Fatal(err)
			}
			s.release(x)
		}
		if _, err := s.claim(idle.id); err != errNoSession {
			t.Errorf("an idle session: %v", err)
		}
		s.release(busy)
		time.Sleep(59 * time.Second)
		if _, err := s.claim(busy.id); err != nil {
			t.Fatalf("a session after a long request: %v", err)
		}
		s.release(busy)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if n := len(s.sessions); n != 0 || s.batcher.Stats().Streams != 0 {
			t.Errorf("%d sessions and %d streams stay", n, s.batcher.Stats().Streams)
		}
	})
}

func TestFlags(t *testing.T) {
	for want, change := range map[string]func(*options){
		"-streams 0":    func(o *options) { o.streams = 0 },
		"-max-tokens 0": func(o *options) { o.maxTokens = 0 },
		"-max-body 0":   func(o *options) { o.maxBody = 0 },
		"-idle":         func(o *options) { o.idle = 0 },
		"-write":        func(o *options) { o.write = -1 },
		"-drain -1":     func(o *options) { o.drain = -1 },
	} {
		o := testOptions()
		change(&o)
		if err := listen(t.Context(), o, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
