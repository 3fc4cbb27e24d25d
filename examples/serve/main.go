// Serve is an HTTP server that draws and scores text with a language model. It runs all
// its clients in one batch (package rnn/streams), and each gets what it would get alone.
//
//	go run ./examples/serve                  a small model of characters, trained in seconds
//	go run ./cmd/rnnbench train --level word --cell gru --out book.lm
//	go run ./examples/serve -model book.lm   a model of characters, words or sentences
//
// # Sessions
//
// A session is a text that goes on from request to request. The same seed draws the same
// text, which is that of rnnbench sample. The body and each of its fields may be left out:
//
//	$ curl -d '{"seed": 1, "temperature": 0.8, "top_k": 0, "top_p": 1}' localhost:8080/sessions
//	{"id":"HWFPXC5MQOULA2TREO3IQEYDEE","seed":1,"temperature":0.8,"top_k":0,"top_p":1}
//	$ ID=HWFPXC5MQOULA2TREO3IQEYDEE
//
// This reads a prompt and draws up to 100 tokens, which are characters or words. It ends
// earlier as soon as the text has "stop" in it. Each token is a server-sent event:
//
//	$ curl -N -d '{"prompt": "The ", "max_tokens": 100, "stop": ","}' localhost:8080/sessions/$ID/generate
//	event: token
//	data: {"text":"d"}
//
//	...
//	event: done
//	data: {"reason":"stop","prompt_tokens":4,"prompt_unk":0,"tokens":57}
//
// The reason is "length" or "stop"; "closed" if the session was; "shutdown" if the server
// ends, with the state to go on from; or "error". If the client goes away, the text ends
// at its last token. The next request goes on from there.
//
// The state can be saved, and restored in another session. This may be on another server
// that has a model of the same shape and vocabulary. The text goes on as without a break:
//
//	$ curl -o state.json localhost:8080/sessions/$ID/state
//	$ curl -T state.json localhost:8080/sessions/$ID2/state
//	$ curl -X DELETE localhost:8080/sessions/$ID
//
// # Scores
//
// The texts of a request run together. A log-probability is in nats. "per_token" adds that
// of each token:
//
//	$ curl -d '{"texts": ["The light", "eht thgil"], "per_token": false}' localhost:8080/score
//	{"scores":[{"tokens":9,"unk":0,"log_prob":-14.975148282945156,"bits_per_token":2.4005080182646505},{...}]}
//
// # Operation
//
//	$ curl localhost:8080/metrics            for Prometheus
//	$ curl localhost:8080/healthz            200, or 503 while the server ends
//	$ kill -HUP $PID                         loads the file of -model anew, also one of int8
//	$ kill $PID                              refuses new work, lets what is under way end
//
// Errors are {"error": "..."} with 400 for a wrong request, 404 for an unknown session, 408
// and 413 for a body too slow or too large, and 409 for a session with a request under
// way. 500 says that the model's scores are not finite. 503 with Retry-After says that all
// streams are in use, or that the server ends. Unknown paths and methods get a 404 or 405
// in plain text. The server has no passwords and no TLS. It listens to this machine alone,
// unless -addr says otherwise.
//
// The load test has 64 clients, checks each answer, and prints tokens/s:
//
//	go test ./examples/serve -run Load -v -load 30s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"batchrnn/kernels"
)

type options struct {
	addr      string
	model     string
	threads   int
	streams   int
	maxTokens int
	maxBody   int64
	idle      time.Duration
	drain     time.Duration
	write     time.Duration
}

func flags(f *flag.FlagSet) *options {
	var o options
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` to listen on")
	f.StringVar(&o.model, "model", "", "`path` of a recurrent model of rnnbench train; without one a small model is trained")
	f.IntVar(&o.threads, "threads", 1, "threads of the model; 0 is all cores")
	f.IntVar(&o.streams, "streams", 1024, "`number` of streams: open sessions and texts being scored")
	f.IntVar(&o.maxTokens, "max-tokens", 4096, "`number` of tokens that a request may draw, and that it may read")
	f.Int64Var(&o.maxBody, "max-body", 1<<20, "`bytes` of a request's body")
	f.DurationVar(&o.idle, "idle", 10*time.Minute, "a session without requests ends after this `time`")
	f.DurationVar(&o.drain, "drain", 10*time.Second, "requests under way have this `time` to end after SIGINT or SIGTERM")
	f.DurationVar(&o.write, "write", 10*time.Second, "a reader has this `time` to take each event or answer")
	return &o
}

func (o *options) check() error {
	switch {
	case o.streams < 1:
		return fmt.Errorf("-streams %d: at least 1", o.streams)
	case o.maxTokens < 1:
		return fmt.Errorf("-max-tokens %d: at least 1", o.maxTokens)
	case o.maxBody < 1:
		return fmt.Errorf("-max-body %d: at least 1", o.maxBody)
	case o.idle <= 0 || o.write <= 0:
		return errors.New("-idle and -write are above 0")
	case o.drain < 0:
		return fmt.Errorf("-drain %v: 0 or more", o.drain)
	}
	return nil
}

func main() {
	o := flags(flag.CommandLine)
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "serve: %q is no flag: see -help\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	if err := listen(ctx, *o, hangup, log.New(os.Stderr, "serve: ", 0)); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func listen(ctx context.Context, o options, hangup <-chan os.Signal, logger *log.Logger) error {
	if err := o.check(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.addr) // before a training, so that an address in use is told at once
	if err != nil {
		return err
	}
	defer l.Close()
	engine, err := kernels.New("", o.threads)
	if err != nil {
		return err
	}
	defer engine.Close()
	if o.model == "" {
		logger.Print("training a small model: -model takes one of rnnbench train")
	}
	m, err := load(ctx, engine, o.model)
	if err != nil {
		return err
	}
	s, err := newServer(engine, m, o)
	if err != nil {
		return err
	}
	logger.Printf("%s, on http://%s", shape(m), l.Addr())
	return serve(ctx, s, l, hangup, logger)
}

const (
	headerTime = 5 * time.Second
	readTime   = 10 * time.Second // of a whole request
	aliveTime  = 2 * time.Minute  // of a connection without requests
	maxHeader  = 16 << 10
)

// serve answers requests until ctx ends, and then ends the server.
func serve(ctx context.Context, s *server, l net.Listener, hangup <-chan os.Signal, logger *log.Logger) error {
	web := &http.Server{
		Handler: s, ErrorLog: logger, MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: s.write, IdleTimeout: aliveTime,
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(l) }()
	for {
		select {
		case err := <-failed:
			s.drain(0)
			s.close()
			return err
		case <-hangup:
			if err := s.reload(ctx); err != nil {
				logger.Printf("the model stays as it was: %v", err)
			} else {
				logger.Printf("%s is loaded anew", s.options.model)
			}
		case <-ctx.Done():
			logger.Print("ending: new work is refused")
			s.drain(s.options.drain)
			// Whoever reads the state of a session still gets it.
			last, cancel := context.WithTimeout(context.Background(), s.write)
			defer cancel()
			err := web.Shutdown(last)
			if err != nil {
				err = errors.Join(fmt.Errorf("connections are cut off: %w", err), web.Close())
			}
			s.close()
			return err
		}
	}
}
