package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// A child is another language's runtime that answers requests. A request is a line of
// JSON, then the arrays that it names, little-endian 32-bit and in order. Between
// requests the child waits in a blocking read of its standard input.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

type request struct {
	Op       string   `json:"op"` // hello, new, results, run, close
	Workload any      `json:"workload,omitempty"`
	Threads  int      `json:"threads,omitempty"`
	Times    int      `json:"times,omitempty"`
	Arrays   []header `json:"arrays"`

	data []any // []float32 or []int32, one for each array
}

type header struct {
	Name string `json:"name"`
	Len  int    `json:"len"`
}

type reply struct {
	Error   string   `json:"error"`
	Version string   `json:"version"`
	NS      float64  `json:"ns"`
	Arrays  []header `json:"arrays"`

	data Results
}

// add appends an array to the request unless it is empty.
func (r *request) add(name string, x any) {
	n := 0
	switch x := x.(type) {
	case []float32:
		n = len(x)
	case []int32:
		n = len(x)
	}
	if n > 0 {
		r.Arrays = append(r.Arrays, header{name, n})
		r.data = append(r.data, x)
	}
}

func startChild(name string, args ...string) (*child, reply, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, reply{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, reply{}, err
	}
	if err := cmd.Start(); err != nil {
		return nil, reply{}, err
	}
	c := &child{cmd, in, bufio.NewReaderSize(out, 1<<20)}
	hello, err := c.call(request{Op: "hello"})
	if err != nil {
		c.stop()
		return nil, reply{}, err
	}
	return c, hello, nil
}

// stop ends the child by closing its input.
func (c *child) stop() {
	c.in.Close()
	c.cmd.Wait()
}

// call sends a request and returns the reply.
func (c *child) call(req request) (reply, error) {
	if req.Arrays == nil {
		req.Arrays = []header{}
	}
	line, err := json.Marshal(req)
	if err != nil {
		return reply{}, err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return reply{}, fmt.Errorf("%s has ended: %w", c.cmd.Path, err)
	}
	w := bufio.NewWriterSize(c.in, 1<<20)
	for _, x := range req.data {
		if err := binary.Write(w, binary.LittleEndian, x); err != nil {
			return reply{}, err
		}
	}
	if err := w.Flush(); err != nil {
		return reply{}, err
	}
	return readReply(c.out)
}

func readReply(r *bufio.Reader) (reply, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return reply{}, fmt.Errorf("no answer: %w", err)
	}
	var rep reply
	if err := json.Unmarshal(line, &rep); err != nil {
		return reply{}, fmt.Errorf("answer %.100q: %w", line, err)
	}
	if rep.Error != "" {
		return reply{}, errors.New(rep.Error)
	}
	rep.data = Results{}
	for _, h := range rep.Arrays {
		x := make([]float32, h.Len)
		if err := binary.Read(r, binary.LittleEndian, x); err != nil {
			return reply{}, err
		}
		rep.data[h.Name] = widen(x)
	}
	return rep, nil
}

// A childInstance is the one workload that a child holds.
type childInstance struct{ c *child }

func (i childInstance) Results() (Results, error) {
	r, err := i.c.call(request{Op: "results"})
	return r.data, err
}

func (i childInstance) Run(n int) (time.Duration, error) {
	r, err := i.c.call(request{Op: "run", Times: n})
	return time.Duration(r.NS), err
}

func (i childInstance) Close() {
	// An error shows at the next request.
	_, _ = i.c.call(request{Op: "close"})
}
