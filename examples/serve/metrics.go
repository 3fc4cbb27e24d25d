package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// buckets are the upper bounds of latencies in seconds.
var buckets = []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30}

type metrics struct {
	drawn, scored atomic.Uint64 // tokens

	mu      sync.Mutex
	codes   map[answered]uint64
	latency map[string]*histogram // of each route
	reloads [2]uint64             // failed, done
}

type answered struct {
	route string
	code  int
}

type histogram struct {
	counts []uint64 // of each bucket alone, and of those beyond the last bound
	sum    float64
}

// observe counts an answer. The route "" is of requests that no route takes.
func (m *metrics) observe(route string, code int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.codes == nil {
		m.codes, m.latency = map[answered]uint64{}, map[string]*histogram{}
	}
	m.codes[answered{route, code}]++
	h := m.latency[route]
	if h == nil {
		h = &histogram{counts: make([]uint64, len(buckets)+1)}
		m.latency[route] = h
	}
	i, _ := slices.BinarySearch(buckets, took.Seconds()) // a bound is part of its bucket
	h.counts[i]++
	h.sum += took.Seconds()
}

func (m *metrics) reloaded(ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ok {
		m.reloads[1]++
	} else {
		m.reloads[0]++
	}
}

const metricsType = "text/plain; version=0.0.4; charset=utf-8"

func (s *server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	s.writeMetrics(&b)
	w.Header().Set("Content-Type", metricsType)
	w.Write(b.Bytes()) // an error means that the client is gone
	return nil
}

// writeMetrics writes Prometheus' text format
// (https://prometheus.io/docs/instrumenting/exposition_formats).
func (s *server) writeMetrics(w io.Writer) {
	s.mu.Lock()
	sessions := len(s.sessions)
	s.mu.Unlock()
	stats := s.batcher.Stats()
	head := func(name, kind, help string) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	one := func(name, kind, help string, value float64) {
		head(name, kind, help)
		fmt.Fprintf(w, "%s %s\n", name, number(value))
	}
	one("serve_sessions_open", "gauge", "Open sessions.", float64(sessions))
	one("serve_streams_open", "gauge", "Open sessions, and texts being scored.", float64(stats.Streams))
	one("serve_streams_limit", "gauge", "The most streams that can be open.", float64(s.options.streams))
	one("serve_calls_waiting", "gauge", "Streams that wait for a pass.", float64(stats.Waiting))
	one("serve_passes_total", "counter", "Passes of the network.", float64(stats.Passes))
	one("serve_steps_total", "counter", "Tokens that the network has read.", float64(stats.Steps))
	one("serve_steps_per_pass", "gauge", "Mean number of tokens in a pass since the start.", float64(stats.Steps)/float64(max(1, stats.Passes)))
	one("serve_tokens_drawn_total", "counter", "Tokens that were drawn.", float64(s.metrics.drawn.Load()))
	one("serve_tokens_scored_total", "counter", "Tokens that were scored.", float64(s.metrics.scored.Load()))

	m := &s.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	head("serve_reloads_total", "counter", "Reloads of the model by their result.")
	fmt.Fprintf(w, "serve_reloads_total{result=\"failed\"} %d\nserve_reloads_total{result=\"done\"} %d\n", m.reloads[0], m.reloads[1])

	head("serve_requests_total", "counter", "Requests by route and status code; 0 if the client went away before an answer.")
	keys := slices.SortedFunc(maps.Keys(m.codes), func(a, b answered) int {
		if a.route != b.route {
			return strings.Compare(a.route, b.route)
		}
		return a.code - b.code
	})
	for _, k := range keys {
		fmt.Fprintf(w, "serve_requests_total{route=\"%s\",code=\"%d\"} %d\n", label(k.route), k.code, m.codes[k])
	}
	const name = "serve_request_seconds"
	head(name, "histogram", "Time from a request's header to the end of its answer.")
	for _, route := range slices.Sorted(maps.Keys(m.latency)) {
		h, sum := m.latency[route], uint64(0)
		for i, bound := range buckets {
			sum += h.counts[i]
			fmt.Fprintf(w, "%s_bucket{route=\"%s\",le=\"%s\"} %d\n", name, label(route), number(bound), sum)
		}
		sum += h.counts[len(buckets)]
		fmt.Fprintf(w, "%s_bucket{route=\"%s\",le=\"+Inf\"} %d\n", name, label(route), sum)
		fmt.Fprintf(w, "%s_sum{route=\"%s\"} %s\n", name, label(route), number(h.sum))
		fmt.Fprintf(w, "%s_count{route=\"%s\"} %d\n", name, label(route), sum)
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// label escapes the value of a label.
func label(v string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v)
}
