package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

func newEngine(t testing.TB) *kernels.Engine {
	t.Helper()
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// newModel returns a model that has learned nothing, so its texts have all tokens, which
// are characters of one to four bytes, or words of them.
func newModel(t testing.TB, e *kernels.Engine, level text.Level, config rnn.Config, seed uint64) *lm.Model {
	t.Helper()
	source := text.New("a fable", []byte(strings.Repeat("The quick \"brown\" fox\njumps over the lazy dög, 5 € & 𝄞.\n", 50)))
	c, err := text.Build(source, text.Options{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	config.Layers, config.Input, config.Output = max(1, config.Layers), c.Vocab.Len(), c.Vocab.Len()
	if config.Hidden == 0 {
		config.Hidden = 16
	}
	n, err := rnn.New(e, config, seed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n.Slab { // larger weights: what was read shows in what is drawn
		n.Slab[i] *= 3
	}
	n.Update()
	return lm.NewRNN(n, c, lm.Config{})
}

func gru(t testing.TB) (*kernels.Engine, *lm.Model) {
	e := newEngine(t)
	return e, newModel(t, e, text.Char, rnn.Config{Cell: rnn.GRU}, 1)
}

func testOptions() options {
	return options{threads: 1, streams: 100, maxTokens: 1 << 20, maxBody: 1 << 20, idle: time.Hour, drain: time.Minute, write: time.Minute}
}

func newTestServer(t testing.TB, e *kernels.Engine, m *lm.Model, change func(*options)) *server {
	t.Helper()
	o := testOptions()
	if change != nil {
		change(&o)
	}
	s, err := newServer(e, m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.drain(0); s.close() })
	return s
}

// A client talks to a server, and ends the test where an answer is not as it must be.
type client struct {
	testing.TB
	base string
	http *http.Client
}

func start(t testing.TB, e *kernels.Engine, m *lm.Model, change func(*options)) (client, *server) {
	t.Helper()
	s := newTestServer(t, e, m, change)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return client{t, web.URL, web.Client()}, s
}

// do sends a request, whose body is a string or is written as JSON.
func (c client) do(method, path string, body any) (*http.Response, string) {
	c.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		raw, _ = json.Marshal(b)
	}
	r, err := http.NewRequest(method, c.base+path, bytes.NewReader(raw))
	if err != nil {
		c.Fatal(err)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return resp, string(answer)
}

// want sends a request that must be answered with a code, and decodes the answer to v.
func (c client) want(code int, method, path string, body, v any) {
	c.Helper()
	resp, answer := c.do(method, path, body)
	if resp.StatusCode != code {
		c.Fatalf("%s %s: %d %s, want %d", method, path, resp.StatusCode, answer, code)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(answer), v); err != nil {
		c.Fatalf("%s %s: %v: %q", method, path, err, answer)
	}
}

func (c client) open(body any) (id string) {
	c.Helper()
	var out struct{ ID string }
	c.want(http.StatusCreated, "POST", "/sessions", body, &out)
	return out.ID
}

type request struct {
	Prompt    string `json:"prompt"`
	MaxTokens int    `json:"max_tokens"`
	Stop      string `json:"stop,omitempty"`
}

// begin asks for a text, of which the caller takes the events.
func (c client) begin(id string, in request) (*http.Response, *eventReader) {
	c.Helper()
	body, _ := json.Marshal(in)
	resp, err := c.http.Post(c.base+"/sessions/"+id+"/generate", "application/json", bytes.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		c.Fatalf("%s, %q", resp.Status, resp.Header.Get("Content-Type"))
	}
	return resp, &eventReader{r: bufio.NewReader(resp.Body)}
}

func (c client) generate(id string, in request) (string, summary) {
	c.Helper()
	resp, events := c.begin(id, in)
	defer resp.Body.Close()
	drawn, sum, err := events.all()
	if err != nil {
		c.Fatal(err)
	}
	return drawn, sum
}

// An eventReader reads server-sent events as generate writes them, and nothing else.
type eventReader struct {
	r      *bufio.Reader
	tokens int
}

// next returns a piece of text, or the summary.
func (e *eventReader) next() (piece string, sum *summary, err error) {
	var line [3]string
	for i := range line {
		if line[i], err = e.r.ReadString('\n'); err != nil {
			return "", nil, err
		}
	}
	data, ok := strings.CutPrefix(line[1], "data: ")
	if !ok || line[2] != "\n" || !utf8.ValidString(data) {
		return "", nil, fmt.Errorf("no event: %q", line)
	}
	d := json.NewDecoder(strings.NewReader(data))
	d.DisallowUnknownFields()
	switch line[0] {
	case "event: token\n":
		var token struct{ Text string }
		e.tokens++
		err = d.Decode(&token)
		return token.Text, nil, err
	case "event: done\n":
		sum = &summary{}
		if err := d.Decode(sum); err != nil {
			return "", nil, err
		}
		if sum.Tokens != e.tokens {
			err = fmt.Errorf("the summary says %d tokens, there were %d", sum.Tokens, e.tokens)
		}
		return "", sum, err
	}
	return "", nil, fmt.Errorf("an event %q", line[0])
}

// all returns the text of all events, which must end with a summary.
func (e *eventReader) all() (drawn string, sum summary, err error) {
	for {
		piece, last, err := e.next()
		if err != nil {
			return drawn, sum, err
		}
		if last != nil {
			if _, err := e.r.ReadByte(); err != io.EOF {
				return drawn, *last, fmt.Errorf("%v after the summary", err)
			}
			return drawn, *last, nil
		}
		drawn += piece
	}
}

// alone returns the text that rnnbench sample draws.
func alone(t testing.TB, m *lm.Model, seed uint64, prompt string, length int) string {
	t.Helper()
	out, err := lm.Draw(m, lm.SampleOptions{Length: length, Temperature: 0.8, Seed: seed, Prompt: prompt}, func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out.Text
}

func write(t testing.TB, m *lm.Model) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "m.lm")
	rewrite(t, path, m)
	return path
}

func rewrite(t testing.TB, path string, m *lm.Model) {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another goroutine does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still not: " + what)
		}
	}
}
