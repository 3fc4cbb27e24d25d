package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// In silence the stand-in gives 0 to the first frame, and 100 to 3000 to the next ones
// (see TestWhatModelsAreGiven).
func TestRun(t *testing.T) {
	second, half := make([]byte, 32000), make([]byte, 8000)
	a, b := write(t, "a.wav", wav(1, 1, 16000, 16, second)), write(t, "b.wav", wav(1, 1, 8000, 16, half))
	cut := write(t, "c.wav", wav(1, 1, 16000, 16, second)[:44+16000])
	empty := write(t, "d.wav", wav(1, 1, 16000, 16, nil))
	for _, c := range []struct {
		name        string
		change      func(*options)
		files       []string
		stdin       []byte
		want, speed string
		err         string
	}{
		{"a file", nil, []string{a}, nil, "speech 0.002 1.000\n", "1 stream, 1.0 s in all: a frame takes the model", ""},
		{"files of two rates", nil, []string{a, b}, nil, "speech 0.002 0.500 b.wav\nspeech 0.002 1.000 a.wav\n", "2 streams, 1.5 s", ""},
		{"streams", func(o *options) { o.streams = 64 }, []string{a}, nil, "speech 0.002 1.000\n", "64 streams, 64.0 s", ""},
		{"probabilities", func(o *options) { o.probs = true }, []string{"-"}, wav(1, 1, 16000, 16, bytes.Repeat([]byte{0, 0x40}, 1030)),
			"frame 0.000 5.000000\nframe 0.032 105.500000\nframe 0.064 200.558594\n", "1 stream, 0.1 s", ""}, // 6 samples are 0.5
		{"raw", func(o *options) { o.raw = 16000 }, []string{"-"}, second, "speech 0.002 1.000\n", "1 stream, 1.0 s", ""},
		{"nothing", nil, []string{empty}, nil, "", "1 stream, 0.0 s in all\n", ""},
		{"cut off", nil, []string{cut, a}, nil, "speech 0.002 0.500 c.wav\nspeech 0.002 1.000 a.wav\n", "2 streams", "c.wav: cut off: its audio has 32000 bytes, and ends after 16000"},
		{"not audio", nil, []string{a, write(t, "e", []byte("This is text."))}, nil, "", "", "no WAV file"},
		{"no file", nil, []string{a + "x"}, nil, "", "", "a.wavx"},
		{"no files", nil, nil, nil, "", "", "no audio: name WAV files"},
		{"no model", func(o *options) { o.model = "" }, []string{a}, nil, "", "", "@ricky0123/vad-web"},
		{"a missing model", func(o *options) { o.model = "x.onnx" }, []string{a}, nil, "", "", "@ricky0123/vad-web"},
		{"audio as a model", func(o *options) { o.model = a }, []string{a}, nil, "", "", "a.wav: "},
		{"another model", func(o *options) { o.model = "testdata/other.onnx" }, []string{a}, nil, "", "", "other.onnx: not a model of Silero VAD"},
		{"too few streams", func(o *options) { o.streams = 1 }, []string{a, b}, nil, "", "", "-streams 1: at least 2 files"},
		{"too many streams", func(o *options) { o.streams = 1025 }, []string{a}, nil, "", "", "more than 1024"},
		{"standard input twice", nil, []string{"-", "-"}, nil, "", "", "once only"},
		{"standard input 64 times", func(o *options) { o.streams = 64 }, []string{"-"}, nil, "", "", "once only"},
		{"threshold", func(o *options) { o.rule.Threshold = 1.5 }, []string{a}, nil, "", "", "-threshold 1.5"},
		{"release", func(o *options) { o.rule.Release = 0.6 }, []string{a}, nil, "", "", "-release 0.6"},
		{"pad", func(o *options) { o.rule.Pad = -time.Second }, []string{a}, nil, "", "", "-pad"},
		{"rate", func(o *options) { o.raw = 100 }, []string{a}, nil, "", "", "100 Hz"},
		{"threads", func(o *options) { o.threads = 5000 }, []string{a}, nil, "", "", "5000 threads"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options{model: "testdata/standin_v5.onnx", threads: 1, rule: silero, files: c.files}
			if c.change != nil {
				c.change(&o)
			}
			var out, diag bytes.Buffer
			err := run(&out, &diag, bytes.NewReader(c.stdin), o)
			got := regexp.MustCompile(`\t[^\t]*/`).ReplaceAllString(out.String(), "\t")
			if got = strings.ReplaceAll(got, "\t", " "); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if !strings.HasPrefix(diag.String(), c.speed) {
				t.Errorf("speed %q, want %q", &diag, c.speed)
			}
			switch {
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n")):
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}
