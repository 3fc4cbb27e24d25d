package main

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func (c client) metrics() map[string]float64 {
	c.Helper()
	resp, answer := c.do("GET", "/metrics", nil)
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "text/plain; version=0.0.4; charset=utf-8" {
		c.Errorf("%s %q", resp.Status, got)
	}
	values, err := parseMetrics(answer)
	if err != nil {
		c.Fatalf("%v in\n%s", err, answer)
	}
	return values
}

var (
	headLine   = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\\n]|\\\\|\\n)+)$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$`)
	labelsPart = regexp.MustCompile(`^\{([a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"(,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*")*)\}$`)
	leLabel    = regexp.MustCompile(`,?le="([^"]*)"`)
)

// parseMetrics returns the samples of Prometheus' text format. It wants more than the
// format does: a help and a type before each group, no empty lines, names as they are
// recommended, and histograms that are whole and in order.
func parseMetrics(page string) (map[string]float64, error) {
	body, ok := strings.CutSuffix(page, "\n")
	if !ok {
		return nil, fmt.Errorf("no line feed at the end")
	}
	values, kinds := map[string]float64{}, map[string]string{}
	var name, kind, help string
	type series struct {
		le, last float64
		buckets  int
	}
	histograms := map[string]*series{}
	for n, line := range strings.Split(body, "\n") {
		fail := func(why string) error { return fmt.Errorf("line %d: %s: %q", n+1, why, line) }
		if head := headLine.FindStringSubmatch(line); head != nil {
			switch {
			case head[1] == "HELP" && kinds[head[2]] != "":
				return nil, fail("a second group")
			case head[1] == "HELP":
				help = head[2]
			case head[2] != help || kinds[help] != "":
				return nil, fail("a type without its help")
			default:
				name, kind = head[2], head[3]
				kinds[name] = kind
				if kind != "counter" && kind != "gauge" && kind != "histogram" {
					return nil, fail("a type that is none")
				}
				if (kind == "counter") != strings.HasSuffix(name, "_total") {
					return nil, fail("counters, and they alone, end in _total")
				}
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fail("no sample")
		}
		if m[2] != "" && !labelsPart.MatchString(m[2]) {
			return nil, fail("labels")
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil || math.IsNaN(v) || v < 0 {
			return nil, fail("value")
		}
		if _, twice := values[m[1]+m[2]]; twice {
			return nil, fail("twice")
		}
		values[m[1]+m[2]] = v
		if kind != "histogram" {
			if m[1] != name {
				return nil, fail("a sample outside its group")
			}
			if kind == "counter" && v != math.Trunc(v) {
				return nil, fail("a count that is no integer")
			}
			continue
		}
		of := name + strings.ReplaceAll(leLabel.ReplaceAllString(m[2], ""), "{}", "")
		s := histograms[of]
		if s == nil {
			s = &series{le: math.Inf(-1)}
			histograms[of] = s
		}
		switch strings.TrimPrefix(m[1], name) {
		case "_bucket":
			le, err := strconv.ParseFloat(leLabel.FindStringSubmatch(m[2])[1], 64)
			if err != nil || !(le > s.le) || v < s.last {
				return nil, fail("buckets")
			}
			s.le, s.last = le, v
			s.buckets++
		case "_sum":
		case "_count":
			if !math.IsInf(s.le, 1) || v != s.last || s.buckets < 2 {
				return nil, fail("the last bucket is not +Inf, or not the count")
			}
			if _, ok := values[name+"_sum"+m[2]]; !ok {
				return nil, fail("no sum")
			}
			s.buckets = -1
		default:
			return nil, fail("a sample outside its group")
		}
	}
	for of, s := range histograms {
		if s.buckets != -1 {
			return nil, fmt.Errorf("%s has no count", of)
		}
	}
	return values, nil
}

func TestMetrics(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, func(o *options) { o.streams = 2 })
	before := c.metrics()
	id := c.open(nil)
	c.open(nil)
	c.do("POST", "/sessions", nil) // one too many
	c.do("GET", `/"a\b`, nil)
	c.do("GET", "/"+strings.Repeat("%0A", 3), nil)
	c.generate(id, request{Prompt: "fox", MaxTokens: 20})
	c.want(http.StatusNoContent, "DELETE", "/sessions/"+id, nil, nil)
	c.want(http.StatusOK, "POST", "/score", `{"texts": ["quick", ""]}`, nil)
	s.reload(t.Context())
	after := c.metrics()
	for name, want := range map[string]float64{
		"serve_sessions_open":       1,
		"serve_streams_open":        1,
		"serve_streams_limit":       2,
		"serve_calls_waiting":       0,
		"serve_passes_total":        21,
		"serve_steps_total":         4 + 19 + 5,
		"serve_steps_per_pass":      28. / 21,
		"serve_tokens_drawn_total":  20,
		"serve_tokens_scored_total": 5,

		`serve_reloads_total{result="failed"}`:                                         1,
		`serve_reloads_total{result="done"}`:                                           0,
		`serve_requests_total{route="POST /sessions",code="201"}`:                      2,
		`serve_requests_total{route="POST /sessions",code="503"}`:                      1,
		`serve_requests_total{route="none",code="404"}`:                                2,
		`serve_requests_total{route="DELETE /sessions/{id}",code="204"}`:               1,
		`serve_requests_total{route="POST /sessions/{id}/generate",code="200"}`:        1,
		`serve_requests_total{route="POST /score",code="200"}`:                         1,
		`serve_requests_total{route="GET /metrics",code="200"}`:                        1,
		`serve_request_seconds_count{route="POST /sessions"}`:                          3,
		`serve_request_seconds_bucket{route="POST /sessions/{id}/generate",le="+Inf"}`: 1,
	} {
		if got, ok := after[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if len(before) < 10 || before["serve_passes_total"] != 0 {
		t.Errorf("at the start %v", before)
	}
}

// A latency is in the first bucket whose bound it does not exceed.
func TestBuckets(t *testing.T) {
	e, m := gru(t)
	s := newTestServer(t, e, m, nil)
	for _, took := range []time.Duration{0, time.Millisecond, time.Millisecond + 1, 300 * time.Millisecond, 30 * time.Second, time.Minute} {
		s.metrics.observe("a \"b\\\n", 200, took)
	}
	var page strings.Builder
	s.writeMetrics(&page)
	values, err := parseMetrics(page.String())
	if err != nil {
		t.Fatal(err)
	}
	for le, want := range map[string]float64{"0.001": 2, "0.003": 3, "0.1": 3, "0.3": 4, "10": 4, "30": 5, "+Inf": 6} {
		if got := values[`serve_request_seconds_bucket{route="a \"b\\\n",le="`+le+`"}`]; got != want {
			t.Errorf("at most %s s: %v, want %v", le, got, want)
		}
	}
	if got := values[`serve_request_seconds_sum{route="a \"b\\\n"}`]; !(math.Abs(got-90.302) <= 1e-6) {
		t.Errorf("%v s in all", got)
	}
}

// The checker of the tests takes nothing that is wrong.
func TestParseMetrics(t *testing.T) {
	const good = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"y\"} 1\n"
	const histogram = "# HELP h H.\n# TYPE h histogram\n"
	if _, err := parseMetrics(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{
		"", good[:len(good)-1], good + good, good + "b 1\n", good + "\n", good + "a_total{x=\"y\"} 2\n", good + "a_total{x=\"z} 2\n", good + "a_total 1.5\n", good + "a_total NaN\n",
		"a_total 1\n", "# TYPE a_total counter\n", "# HELP a A.\n# TYPE a counter\na 1\n", "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n", "# HELP a A.\n# TYPE a thing\na 1\n",
		histogram + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
		histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
		histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 1\n",
		histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\n",
		histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\n",
	} {
		if _, err := parseMetrics(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
