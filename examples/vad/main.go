// Vad finds speech in audio with a model of the family Silero VAD. The model is an ONNX
// file, which package rnn/onnx runs:
//
//	make models
//	go run ./examples/vad -model bench/models/silero_vad_v5.onnx talk.wav
//	arecord -t raw -f S16_LE -r 16000 | go run ./examples/vad -model bench/models/silero_vad_v5.onnx -raw 16000 -
//
// make models brings silero_vad_v5.onnx, _v6.onnx and _legacy.onnx. Without a checkout,
// npm pack @ricky0123/vad-web@0.0.31 brings the package that has them in package/dist.
//
// It prints a line for each segment of speech, as soon as its end is known: its start
// and end in seconds. -probs adds a line for each frame of 32 ms: its start, and the
// probability of speech. Each line ends with the name of the file if there are more.
//
// All files are read at once, as streams of one batch. -streams 64 repeats them until
// there are 64, to show how fast that is. The last line, on standard error, is the speed
// of the model as a multiple of real time.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"batchrnn/internal/figures"
	"batchrnn/kernels"
	"batchrnn/rnn/onnx"
)

type options struct {
	model   string
	raw     int
	streams int
	threads int
	probs   bool
	rule    Rule
	files   []string
}

func main() {
	var o options
	var release float64
	threshold := flag.Float64("threshold", 0.5, "`probability` at which speech begins")
	flag.Float64Var(&release, "release", -1, "`probability` below which speech may end; -1 is the threshold - 0.15, at least 0.01")
	flag.StringVar(&o.model, "model", "", "`path` of silero_vad_v5.onnx, _v6.onnx or _legacy.onnx; "+whence)
	flag.IntVar(&o.raw, "raw", 0, "the files are not WAV but samples of 16 bits, little-endian, of one channel; this is their `rate` in Hz")
	flag.IntVar(&o.streams, "streams", 0, "`number` of streams at once: the files are repeated until there are as many; 0 is one for each file")
	flag.IntVar(&o.threads, "threads", 1, "threads of the model; 0 is all cores")
	flag.BoolVar(&o.probs, "probs", false, "print the probability of each frame too")
	flag.DurationVar(&o.rule.MinSpeech, "min-speech", 250*time.Millisecond, "segments must be longer")
	flag.DurationVar(&o.rule.MinSilence, "min-silence", 100*time.Millisecond, "shorter silence doesn't end a segment")
	flag.DurationVar(&o.rule.Pad, "pad", 30*time.Millisecond, "is added to both ends of a segment")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: vad -model MODEL.onnx [flags] FILE.wav ...      (- is standard input)")
		flag.PrintDefaults()
	}
	flag.Parse()
	o.files = flag.Args()
	o.rule.Threshold = float32(*threshold)
	if release < 0 {
		release = max(*threshold-0.15, 0.01)
	}
	o.rule.Release = float32(release)
	if err := run(os.Stdout, os.Stderr, os.Stdin, o); err != nil {
		fmt.Fprintln(os.Stderr, "vad:", err)
		os.Exit(1)
	}
}

const whence = "npm pack @ricky0123/vad-web@0.0.31 brings a package that has it in package/dist"

func (o *options) check() error {
	r := o.rule
	switch {
	case o.model == "":
		return errors.New("no model: -model takes the path of silero_vad_v5.onnx; " + whence)
	case len(o.files) == 0:
		return errors.New("no audio: name WAV files, or - for standard input")
	case !(r.Threshold > 0 && r.Threshold <= 1):
		return fmt.Errorf("-threshold %v: it is above 0 and at most 1", r.Threshold)
	case !(r.Release > 0 && r.Release <= r.Threshold):
		return fmt.Errorf("-release %v: it is above 0 and at most the threshold, %v", r.Release, r.Threshold)
	case min(r.MinSpeech, r.MinSilence, r.Pad) < 0 || max(r.MinSpeech, r.MinSilence, r.Pad) > time.Hour:
		return errors.New("-min-speech, -min-silence and -pad are 0 to 1h")
	case o.streams < 0 || o.streams > 0 && o.streams < len(o.files):
		return fmt.Errorf("-streams %d: at least %s", o.streams, figures.Plural(len(o.files), "file"))
	case o.streams > most || len(o.files) > most:
		return fmt.Errorf("more than %d streams: begin further processes", most)
	}
	o.streams = max(o.streams, len(o.files))
	if i := slices.Index(o.files, "-"); i >= 0 && (o.streams > len(o.files) || slices.Contains(o.files[i+1:], "-")) {
		return errors.New("standard input can be read once only: name a file")
	}
	return nil
}

const most = 1024 // streams

func run(stdout, stderr io.Writer, stdin io.Reader, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	engine, err := kernels.New("", o.threads)
	if err != nil {
		return err
	}
	defer engine.Close()
	m, err := load(engine, o.model)
	if err != nil {
		return err
	}
	audio := make([]*pcm, o.streams)
	for i := range audio {
		name := o.files[i%len(o.files)]
		file := stdin
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			file = f
		}
		if o.raw != 0 {
			audio[i], err = openRaw(file, o.raw)
		} else {
			audio[i], err = openWAV(file)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	rate := 16000
	if !slices.ContainsFunc(audio, func(p *pcm) bool { return p.rate != 8000 }) {
		rate = 8000
	}
	d, err := NewDetector(m, rate, o.streams)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	w := &lines{Writer: bufio.NewWriter(stdout), rate: float64(rate)}
	streams := make([]*stream, o.streams)
	filters := map[int]*filter{}
	for i, p := range audio {
		s := &stream{audio: p}
		if p.rate != rate {
			if filters[p.rate] == nil {
				filters[p.rate] = newFilter(p.rate, rate)
			}
			s.audio = resample(p, filters[p.rate])
		}
		if len(o.files) > 1 {
			s.name = o.files[i%len(o.files)]
		}
		found := func(Segment) {}
		if i < len(o.files) { // the others repeat it
			found = func(g Segment) { w.segment(g, s.name) }
			s.probs = o.probs
		}
		s.segments = newSegmenter(o.rule, rate, d.Frame(), found)
		streams[i] = s
	}
	begin := time.Now()
	times, err := detect(w, d, streams)
	if err != nil {
		return err
	}
	report(stderr, streams, float64(rate), times, time.Since(begin))
	var bad error
	for i, s := range streams[:len(o.files)] {
		if s.end != io.EOF {
			bad = errors.Join(bad, fmt.Errorf("%s: %w", o.files[i], s.end))
		}
	}
	return bad
}

func load(e *kernels.Engine, path string) (*onnx.Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, whence)
	}
	defer f.Close()
	m, err := onnx.Load(e, bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// report prints how fast it was. Each of times is of one frame of all streams.
func report(w io.Writer, streams []*stream, rate float64, times []time.Duration, all time.Duration) {
	total := 0.0
	for _, s := range streams {
		total += float64(s.samples) / rate
	}
	fmt.Fprintf(w, "%s, %.1f s in all", figures.Plural(len(streams), "stream"), total)
	if len(times) > 0 {
		slices.Sort(times)
		median := times[len(times)/2].Seconds()
		fmt.Fprintf(w, ": a frame takes the model %s (median), %s times real time; with reading and writing %s times",
			figures.Seconds(median), figures.Count(int64(float64(len(streams))*frameSeconds/median)), figures.Count(int64(total/all.Seconds())))
	}
	fmt.Fprintln(w)
}
