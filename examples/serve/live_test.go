package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
	"batchrnn/rnn/streams"
)

// endless is more tokens than any test waits for.
const endless = 1 << 20

// A session that goes on on another server has the text that it would have had.
func TestSaveAndRestore(t *testing.T) {
	e := newEngine(t)
	for name, of := range configs {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, e, of.level, of.config, 1)
			a, _ := start(t, e, m, nil)
			b, _ := start(t, e, m, nil)
			want := alone(t, m, 9, "The quick", 60)
			id := a.open(`{"seed": 9}`)
			got, _ := a.generate(id, request{Prompt: "The quick", MaxTokens: 31})
			_, saved := a.do("GET", "/sessions/"+id+"/state", nil)

			other := b.open(`{"seed": 1, "temperature": 3}`)
			b.generate(other, request{Prompt: "lazy", MaxTokens: 3})
			b.want(http.StatusNoContent, "PUT", "/sessions/"+other+"/state", saved, nil)
			_, again := b.do("GET", "/sessions/"+other+"/state", nil)
			if again != saved {
				t.Errorf("the state is now %s, was %s", again, saved)
			}
			more, _ := b.generate(other, request{MaxTokens: 29})
			if got+more != want {
				t.Errorf("%q and then %q, want %q", got, more, want)
			}
			// Reading a state changes nothing.
			if rest, _ := a.generate(id, request{MaxTokens: 29}); rest != more {
				t.Errorf("the first server goes on with %q, want %q", rest, more)
			}
		})
	}
}

// A state that isn't one of this model changes nothing.
func TestRestoreRefuses(t *testing.T) {
	e := newEngine(t)
	lstm := rnn.Config{Cell: rnn.LSTM}
	m := newModel(t, e, text.Char, lstm, 1)
	c, _ := start(t, e, m, nil)
	id := c.open(`{"seed": 2}`)
	want := alone(t, m, 2, "", 40)
	got, _ := c.generate(id, request{MaxTokens: 10})
	var saved map[string]any
	c.want(http.StatusOK, "GET", "/sessions/"+id+"/state", nil, &saved)

	for name, other := range map[string]*client{
		"width": {}, "cell": {}, "layers": {}, "vocabulary": {},
	} {
		config, level := lstm, text.Char
		switch name {
		case "width":
			config.Hidden = 17
		case "cell":
			config.Cell = rnn.GRU
		case "layers":
			config.Layers = 2
		case "vocabulary":
			level = text.Word
		}
		*other, _ = start(t, e, newModel(t, e, level, config, 1), nil)
		var out struct{ Error string }
		other.want(http.StatusBadRequest, "PUT", "/sessions/"+other.open(nil)+"/state", saved, &out)
		if !strings.Contains(out.Error, "restore it on a server with its model") {
			t.Errorf("another %s: %s", name, out.Error)
		}
	}
	inf := "AACAfw==" // base64 of +Inf
	h := saved["h"].(string)
	for _, change := range []struct {
		field string
		value any
		want  string
	}{
		{"h", "", "h: 0 bytes, want 64"},
		{"h", h + h, "body"},
		{"c", "AAAA", "c: 3 bytes, want 64"},
		{"c", strings.Repeat("AAAA", 20) + inf, "value 15 is +Inf"},
		{"position", "AAAA", "position"},
		{"last", -1, "last: -1 is no token"},
		{"last", m.Vocab.Len(), "is no token"},
		{"read", -1, "read: -1"},
		{"read", int64(1<<53 + 1), "read: 9007199254740993"},
		{"temperature", -1, "temperature"},
		{"top_p", 2, "TopP"},
		{"extra", 1, "extra"},
	} {
		bad := map[string]any{}
		for k, v := range saved {
			bad[k] = v
		}
		bad[change.field] = change.value
		var out struct{ Error string }
		c.want(http.StatusBadRequest, "PUT", "/sessions/"+id+"/state", bad, &out)
		if !strings.Contains(out.Error, change.want) {
			t.Errorf("%s %v: %q, want %q", change.field, change.value, out.Error, change.want)
		}
	}
	if more, _ := c.generate(id, request{MaxTokens: 30}); got+more != want {
		t.Errorf("%q and then %q, want %q", got, more, want)
	}
}

// busy says whether a request of a session is under way. One that begins meanwhile may be
// refused.
func (s *server) busy(id string) bool {
	x, err := s.claim(id)
	if err != nil {
		return true
	}
	s.release(x)
	return false
}

// If a client goes away, its text ends after a whole step, and goes on from there.
func TestClientGone(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, nil)
	id := c.open(`{"seed": 4}`)
	resp, events := c.begin(id, request{MaxTokens: endless})
	for range 3 {
		if _, _, err := events.next(); err != nil {
			t.Fatal(err)
		}
	}
	resp.Body.Close()
	eventually(t, "the text ends", func() bool { return !s.busy(id) })
	var saved state
	c.want(http.StatusOK, "GET", "/sessions/"+id+"/state", nil, &saved)
	if saved.Read < 3 || saved.Read >= endless {
		t.Fatalf("%d tokens were read, want 3 or more", saved.Read)
	}
	want := []rune(alone(t, m, 4, "", saved.Read+20))
	if got, _ := c.generate(id, request{MaxTokens: 20}); got != string(want[saved.Read:]) {
		t.Errorf("then %q, want %q", got, string(want[saved.Read:]))
	}
}

// If a client goes away while its prompt is read, the text ends where the stream stands.
func TestClientGoneInPrompt(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, nil)
	prompt := strings.Repeat("lazy dög 5 € ", 20000)
	id := c.open(`{"seed": 4}`)
	ctx, cancel := context.WithCancel(t.Context())
	body, _ := json.Marshal(request{Prompt: prompt, MaxTokens: 1})
	r, _ := http.NewRequestWithContext(ctx, "POST", "/sessions/"+id+"/generate", bytes.NewReader(body))
	ended := make(chan struct{})
	go func() {
		s.ServeHTTP(&header{h: http.Header{}}, r)
		close(ended)
	}()
	eventually(t, "some is read", func() bool { return s.batcher.Stats().Steps > 100 })
	cancel()
	<-ended
	var saved state
	c.want(http.StatusOK, "GET", "/sessions/"+id+"/state", nil, &saved)
	read := []rune(prompt)
	if saved.Read <= 100 || saved.Read > len(read) {
		t.Fatalf("%d tokens were read, want less than %d", saved.Read, len(read))
	}
	want := alone(t, m, 4, string(read[:saved.Read]), 20)
	if got, _ := c.generate(id, request{MaxTokens: 20}); got != want {
		t.Errorf("then %q, want %q", got, want)
	}
}

// A client that goes away while its texts are scored ends that, too.
func TestClientGoneWhileScoring(t *testing.T) {
	e, m := gru(t)
	s := newTestServer(t, e, m, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := http.NewRequestWithContext(ctx, "POST", "/score", strings.NewReader(`{"texts": ["fox"]}`))
	w := &header{h: http.Header{}}
	s.ServeHTTP(w, r)
	if w.code != statusGone || s.batcher.Stats().Streams != 0 {
		t.Errorf("code %d, %d streams, want %d and 0", w.code, s.batcher.Stats().Streams, statusGone)
	}
}

type header struct {
	h    http.Header
	code int
}

func (w *header) Header() http.Header         { return w.h }
func (w *header) WriteHeader(code int)        { w.code = code }
func (w *header) Write(b []byte) (int, error) { return len(b), nil }

// pipes are connections without a buffer: whoever writes waits for a reader.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.done); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p pipes) dial() net.Conn {
	mine, its := net.Pipe()
	p.conns <- its
	return mine
}

// generate asks for a text, and reads nothing.
func generate(c net.Conn, id string, tokens int) {
	body := fmt.Sprintf(`{"max_tokens": %d}`, tokens)
	fmt.Fprintf(c, "POST /sessions/%s/generate HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", id, len(body), body)
}

// read reads the text.
func read(c net.Conn) (string, summary, error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", summary{}, err
	}
	return (&eventReader{r: bufio.NewReader(resp.Body)}).all()
}

// slow begins a text for a client that reads nothing until the test does. The text has
// begun when slow returns.
func slow(t testing.TB, s *server, id string, tokens int) net.Conn {
	t.Helper()
	l := newPipes()
	web := &http.Server{Handler: s, ReadTimeout: 50 * time.Millisecond} // which doesn't end the text
	go web.Serve(l)
	t.Cleanup(func() { web.Close() })
	c, drawn := l.dial(), s.metrics.drawn.Load()
	generate(c, id, tokens)
	eventually(t, "the text begins", func() bool { return s.metrics.drawn.Load() > drawn })
	return c
}

// A slow reader delays nobody, keeps its session, and loses nothing.
func TestSlowReader(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, nil)
	id := c.open(`{"seed": 5}`)
	conn := slow(t, s, id, 50)
	for i := range 3 {
		want := alone(t, m, uint64(i), "", 100)
		if got, _ := c.generate(c.open(fmt.Sprintf(`{"seed": %d}`, i)), request{MaxTokens: 100}); got != want {
			t.Errorf("another client has %q, want %q", got, want)
		}
	}
	for _, of := range [][2]string{{"POST", "generate"}, {"GET", "state"}, {"PUT", "state"}} {
		var out struct{ Error string }
		c.want(http.StatusConflict, of[0], "/sessions/"+id+"/"+of[1], "{}", &out)
		if !strings.Contains(out.Error, "under way") {
			t.Errorf("%q", out.Error)
		}
	}
	time.Sleep(100 * time.Millisecond) // longer than ReadTimeout, which must play no part
	got, sum, err := read(conn)
	if want := alone(t, m, 5, "", 50); err != nil || got != want || sum.Reason != "length" {
		t.Errorf("%q, %+v, %v, want %q", got, sum, err, want)
	}
}

// A reader that takes nothing for too long loses its text, and the session is free.
func TestReaderTooSlow(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, func(o *options) { o.write = 20 * time.Millisecond })
	id := c.open(`{"seed": 5}`)
	slow(t, s, id, 50)
	eventually(t, "the text ends", func() bool { return !s.busy(id) })
	want := []rune(alone(t, m, 5, "", 50))
	var saved state
	c.want(http.StatusOK, "GET", "/sessions/"+id+"/state", nil, &saved)
	if got, _ := c.generate(id, request{MaxTokens: 10}); got != string(want[saved.Read:][:10]) {
		t.Errorf("after %d tokens %q, want %q", saved.Read, got, string(want[saved.Read:][:10]))
	}
}

// A session that is deleted ends its text.
func TestDeleteUnderWay(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, nil)
	id := c.open(nil)
	conn := slow(t, s, id, endless)
	c.want(http.StatusNoContent, "DELETE", "/sessions/"+id, nil, nil)
	if _, sum, err := read(conn); err != nil || sum.Reason != "closed" {
		t.Errorf("%+v, %v", sum, err)
	}
	c.want(http.StatusNotFound, "POST", "/sessions/"+id+"/generate", request{MaxTokens: 1}, nil)
}

// While the server ends, it refuses new work and says so, and lets its clients save their
// states. Work under way goes on.
func TestDrain(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, nil)
	id, other := c.open(`{"seed": 6}`), c.open(nil)
	c.want(http.StatusOK, "GET", "/healthz", nil, nil)
	conn := slow(t, s, id, 30)
	drained := make(chan struct{})
	go func() {
		s.drain(time.Minute)
		close(drained)
	}()
	eventually(t, "draining", func() bool {
		resp, _ := c.do("GET", "/healthz", nil)
		return resp.StatusCode == http.StatusServiceUnavailable
	})
	for path, body := range map[string]string{"/sessions": "", "/sessions/" + other + "/generate": "{}", "/score": `{"texts": ["a"]}`} {
		resp, answer := c.do("POST", path, body)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "1" || !strings.Contains(answer, "the server ends") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}
	c.want(http.StatusOK, "GET", "/sessions/"+other+"/state", nil, nil)
	c.want(http.StatusOK, "GET", "/metrics", nil, nil)
	select {
	case <-drained:
		t.Fatal("drained with a text under way")
	default:
	}
	got, sum, err := read(conn)
	if want := alone(t, m, 6, "", 30); err != nil || got != want || sum.Reason != "length" {
		t.Errorf("%q, %+v, %v, want %q", got, sum, err, want)
	}
	<-drained
}

// A signal ends the server. Each text under way ends with its state, from which another
// server goes on as if nothing had been. No goroutine stays.
func TestEnd(t *testing.T) {
	e, m := gru(t)
	path := write(t, m)
	before := runtime.NumGoroutine()
	o := testOptions()
	o.addr, o.model, o.drain = "127.0.0.1:0", path, 10*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended, said := make(chan error, 1), make(chan string, 100)
	go func() { ended <- listen(ctx, o, nil, log.New(lines(said), "", 0)) }()
	model, addr, ok := strings.Cut(strings.TrimSpace(<-said), ", on http://")
	if !ok || model != shape(m) {
		t.Fatalf("%q, want %q", model, shape(m))
	}
	tr := &http.Transport{}
	c := client{t, "http://" + addr, &http.Client{Transport: tr}}

	const clients = 8
	var texts [clients]string
	var sums [clients]summary
	var begun, all sync.WaitGroup
	for i := range clients {
		id := c.open(fmt.Sprintf(`{"seed": %d}`, i))
		resp, events := c.begin(id, request{Prompt: "The ", MaxTokens: endless})
		begun.Add(1)
		all.Go(func() {
			defer resp.Body.Close()
			var first string
			for range 5 {
				piece, _, err := events.next()
				if err != nil {
					t.Error(err)
				}
				first += piece
			}
			begun.Done()
			rest, sum, err := events.all()
			if err != nil {
				t.Error(err)
			}
			texts[i], sums[i] = first+rest, sum
		})
	}
	begun.Wait()
	c.open(nil) // an idle one
	cancel()
	all.Wait()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	tr.CloseIdleConnections()
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("it still listens")
	}

	next, _ := start(t, e, m, nil)
	for i := range clients {
		if sums[i].Reason != "shutdown" || sums[i].State == nil || sums[i].Error != "" {
			t.Fatalf("%+v", sums[i])
		}
		id := next.open(nil)
		next.want(http.StatusNoContent, "PUT", "/sessions/"+id+"/state", sums[i].State, nil)
		more, _ := next.generate(id, request{MaxTokens: 20})
		if want := alone(t, m, uint64(i), "The ", sums[i].Tokens+20); texts[i]+more != want {
			t.Errorf("client %d: the text is not that without an end", i)
		}
	}
}

// Scores that are cut off are refused as other work is.
func TestScoreCutOff(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, nil)
	go func() {
		eventually(t, "some is read", func() bool { return s.batcher.Stats().Steps > 100 })
		s.cutNow()
	}()
	resp, answer := c.do("POST", "/score", map[string]any{"texts": []string{strings.Repeat("lazy dög ", 80000)}})
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "1" || !strings.Contains(answer, "the server ends") {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
}

// A client that doesn't send all of its request is told, and keeps no goroutine.
func TestSlowWriter(t *testing.T) {
	e, m := gru(t)
	l := newPipes()
	web := &http.Server{Handler: newTestServer(t, e, m, nil), ReadTimeout: 20 * time.Millisecond}
	go web.Serve(l)
	defer web.Close()
	conn := l.dial()
	fmt.Fprint(conn, "POST /sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{}")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusRequestTimeout {
		t.Fatalf("%v, %v, want 408", resp, err)
	}
	var out struct{ Error string }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Error != errSlowBody.Error() {
		t.Errorf("%q, %v", out.Error, err)
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := testOptions()
	o.addr = l.Addr().String()
	if err := listen(t.Context(), o, nil, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
}

// Sessions go on with a model that is loaded anew. A file that doesn't fit changes nothing.
func TestReload(t *testing.T) {
	e, old := gru(t)
	path := write(t, old)
	c, s := start(t, e, old, func(o *options) { o.model = path })
	fresh := newModel(t, e, text.Char, rnn.Config{Cell: rnn.GRU}, 2)

	id := c.open(`{"seed": 8}`)
	got, _ := c.generate(id, request{MaxTokens: 20})
	_, saved := c.do("GET", "/sessions/"+id+"/state", nil)
	bad := map[string]func(){
		"damaged":              func() { os.WriteFile(path, []byte("\x89BLM\r\n\x1a\n and nothing more"), 0o600) },
		"no such file":         func() { os.Remove(path) },
		"start another server": func() { rewrite(t, path, newModel(t, e, text.Char, rnn.Config{Cell: rnn.LSTM}, 1)) },
	}
	for want, change := range bad {
		change()
		err := s.reload(t.Context())
		if err == nil || want != "damaged" && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	more, _ := c.generate(id, request{MaxTokens: 20})
	if want := alone(t, old, 8, "", 40); got+more != want {
		t.Errorf("%q and then %q, want %q", got, more, want)
	}

	small, err := fresh.Quantise()
	if err != nil {
		t.Fatal(err)
	}
	for _, fresh := range []*lm.Model{fresh, small} {
		rewrite(t, path, fresh)
		if err := s.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.model.Load(); got.Network() == old.Network() || got.Config.Int8 != fresh.Config.Int8 {
			t.Error("the old model is kept")
		}
		c.want(http.StatusNoContent, "PUT", "/sessions/"+id+"/state", saved, nil)
		more, _ = c.generate(id, request{MaxTokens: 20})
		other, _ := start(t, e, fresh, nil)
		id := other.open(nil)
		other.want(http.StatusNoContent, "PUT", "/sessions/"+id+"/state", saved, nil)
		if want, _ := other.generate(id, request{MaxTokens: 20}); more != want {
			t.Errorf("after the reload %q, the new model alone %q", more, want)
		}
	}
}

// Reloads of the same file change no text under way. The signal does it, too.
func TestReloadUnderWay(t *testing.T) {
	e, m := gru(t)
	path := write(t, m)
	s := newTestServer(t, e, m, func(o *options) { o.model = path })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hangup, said := make(chan os.Signal), make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, s, l, hangup, log.New(lines(said), "", 0)) }()
	c := client{t, "http://" + l.Addr().String(), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	var group sync.WaitGroup
	for i := range 4 {
		id := c.open(fmt.Sprintf(`{"seed": %d}`, i))
		resp, events := c.begin(id, request{MaxTokens: 400})
		group.Go(func() {
			defer resp.Body.Close()
			got, _, err := events.all()
			if want := alone(t, m, uint64(i), "", 400); err != nil || got != want {
				t.Errorf("%v, the text is not that without reloads", err)
			}
		})
	}
	for range 5 {
		hangup <- os.Interrupt // any signal
		if line := <-said; !strings.Contains(line, "is loaded anew") {
			t.Error(line)
		}
	}
	group.Wait()
	os.Remove(path)
	hangup <- os.Interrupt
	if line := <-said; !strings.Contains(line, "the model stays as it was: ") {
		t.Error(line)
	}
	if n := s.metrics.reloads; n != [2]uint64{1, 5} {
		t.Errorf("%v reloads, want 1 that failed and 5", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := s.batcher.Open(); err != streams.ErrClosed || s.batcher.Stats().Streams != 0 {
		t.Errorf("%v, %d streams are open", err, s.batcher.Stats().Streams)
	}
}

// Whoever is slow to read gets all of an answer that began before the end.
func TestEndWaits(t *testing.T) {
	e, m := gru(t)
	s := newTestServer(t, e, m, nil)
	l, said := newPipes(), make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, s, l, nil, log.New(lines(said), "", 0)) }()
	x, err := s.open(sampling{Seed: 3, Temperature: 0.8})
	if err != nil {
		t.Fatal(err)
	}
	y, err := s.open(sampling{})
	if err != nil {
		t.Fatal(err)
	}
	events, saved := l.dial(), l.dial()
	generate(events, x.id, 30)
	fmt.Fprintf(saved, "GET /sessions/%s/state HTTP/1.1\r\nHost: a\r\n\r\n", y.id)
	eventually(t, "both answers begin", func() bool {
		var page strings.Builder
		s.writeMetrics(&page)
		return s.metrics.drawn.Load() > 0 && strings.Contains(page.String(), `route="GET /sessions/{id}/state",code="200"`)
	})
	cancel()
	if line := <-said; line != "ending: new work is refused\n" {
		t.Error(line)
	}
	time.Sleep(20 * time.Millisecond) // a server that doesn't wait would be gone
	got, sum, err := read(events)
	if want := alone(t, m, 3, "", 30); err != nil || got != want || sum.Reason != "length" {
		t.Errorf("%q, %+v, %v, want %q", got, sum, err, want)
	}
	time.Sleep(20 * time.Millisecond)
	resp, err := http.ReadResponse(bufio.NewReader(saved), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(resp.Body).Decode(&state{}); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s, %v", resp.Status, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// What was trained at the start has no file, and n-gram models have no states.
func TestNoReload(t *testing.T) {
	e, m := gru(t)
	s := newTestServer(t, e, m, nil)
	if err := s.reload(t.Context()); err == nil || !strings.Contains(err.Error(), "start with -model") {
		t.Error(err)
	}
}
