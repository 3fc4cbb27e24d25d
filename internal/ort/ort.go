// Package ort runs ONNX models in ONNX Runtime, for tests that compare results. `make
// models` brings it, and the models.
package ort

import (
	"bufio"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
)

// Env names another folder in the place of models.
const Env = "BATCHRNN_MODELS"

// File returns the path of a file that `make models` brings. Where it is missing the test
// is skipped; in CI it fails.
func File(t testing.TB, name string) string {
	t.Helper()
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		missing(t, fmt.Sprintf("%s is missing: run make models", path))
	}
	return path
}

// folder returns that of the models.
func folder() (string, error) {
	if dir := os.Getenv(Env); dir != "" {
		return filepath.Abs(dir)
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		models := filepath.Join(dir, "bench", "models")
		if _, err := os.Stat(filepath.Join(models, "fetch.sh")); err == nil {
			return models, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no folder above %s has bench/models/fetch.sh: name the folder of the models in %s", wd, Env)
		}
	}
}

// missing ends a test that lacks something which CI has.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip("SKIPPED: " + what)
}

// A Runtime is ONNX Runtime in a child process. Goroutines may share it.
type Runtime struct {
	mu     sync.Mutex
	in     *bufio.Writer
	out    *bufio.Reader
	models int // number of models so far
}

//go:embed ort.cjs
var script string

// Start starts ONNX Runtime until the end of the test. Where it or Node is missing the
// test is skipped; in CI it fails.
func Start(t testing.TB) *Runtime {
	t.Helper()
	File(t, filepath.Join("node_modules", "onnxruntime-node"))
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is missing: install Debian's nodejs, and run make models")
	}
	cmd := exec.Command(node, "-e", script)
	if cmd.Dir, err = folder(); err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // which ends it
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	r := &Runtime{in: bufio.NewWriterSize(in, 1<<16), out: bufio.NewReaderSize(out, 1<<16)}
	if _, err := r.call(message{Op: "hello"}); err != nil {
		t.Fatalf("ONNX Runtime does not start: %v: run make models", err)
	}
	return r
}

// A Tensor is an input or output.
type Tensor struct {
	Shape []int
	Data  any // []float32, []float64, []int32, []int64 or []bool, row-major
}

// A Model is a model that ONNX Runtime has accepted.
type Model struct {
	r  *Runtime
	id int
}

// Load gives ONNX Runtime the bytes of a model. It computes on one thread. The error is
// its own where it refuses the model.
func (r *Runtime) Load(model []byte) (*Model, error) {
	r.mu.Lock()
	r.models++
	id := r.models
	r.mu.Unlock()
	bytes := header{Name: "model", Type: "uint8", Dims: []int{len(model)}, data: model}
	if _, err := r.call(message{Op: "load", Model: id, Arrays: []header{bytes}}); err != nil {
		return nil, err
	}
	return &Model{r, id}, nil
}

// Run returns all outputs of the model by their names. The error is ONNX Runtime's own
// where it refuses the inputs.
func (m *Model) Run(inputs map[string]Tensor) (map[string]Tensor, error) {
	req := message{Op: "run", Model: m.id}
	for name, x := range inputs {
		h := header{Name: name, Type: typeName(x.Data), Dims: x.Shape, data: x.Data}
		if h.Type == "" {
			return nil, fmt.Errorf("input %q: elements of %T, want []float32, []float64, []int32, []int64 or []bool", name, x.Data)
		}
		n := 1
		for _, d := range x.Shape {
			n *= d
		}
		if have := reflect.ValueOf(x.Data).Len(); have != n {
			return nil, fmt.Errorf("input %q: %d elements of shape %v", name, have, x.Shape)
		}
		if h.Dims == nil {
			h.Dims = []int{} // a scalar
		}
		req.Arrays = append(req.Arrays, h)
	}
	rep, err := m.r.call(req)
	if err != nil {
		return nil, err
	}
	outputs := map[string]Tensor{}
	for _, h := range rep.Arrays {
		outputs[h.Name] = Tensor{h.Dims, h.data}
	}
	return outputs, nil
}

// Close frees the model's memory. The end of the test does so too.
func (m *Model) Close() error {
	_, err := m.r.call(message{Op: "close", Model: m.id})
	return err
}

// A message is a line of JSON, then the arrays that it names, little-endian and in order.
type message struct {
	Op     string   `json:"op,omitempty"` // hello, load, run or close
	Model  int      `json:"model,omitempty"`
	Error  string   `json:"error,omitempty"`
	Arrays []header `json:"arrays"`
}

type header struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Dims []int  `json:"dims"`
	data any
}

func typeName(data any) string {
	switch data.(type) {
	case []float32:
		return "float32"
	case []float64:
		return "float64"
	case []int32:
		return "int32"
	case []int64:
		return "int64"
	case []bool:
		return "bool"
	}
	return ""
}

// room returns the slice for the elements of an array.
func (h header) room() (any, error) {
	n := 1
	for _, d := range h.Dims {
		n *= d
	}
	switch h.Type {
	case "float32":
		return make([]float32, n), nil
	case "float64":
		return make([]float64, n), nil
	case "int32":
		return make([]int32, n), nil
	case "int64":
		return make([]int64, n), nil
	case "bool":
		return make([]bool, n), nil
	}
	return nil, fmt.Errorf("output %q has elements of type %s, which package ort does not take", h.Name, h.Type)
}

// call sends a request and returns the reply.
func (r *Runtime) call(req message) (message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.Arrays == nil {
		req.Arrays = []header{}
	}
	line, err := json.Marshal(req)
	if err != nil {
		return message{}, err
	}
	_, err = r.in.Write(append(line, '\n'))
	for _, h := range req.Arrays {
		if err == nil {
			err = binary.Write(r.in, binary.LittleEndian, h.data)
		}
	}
	if err == nil {
		err = r.in.Flush()
	}
	if err != nil {
		return message{}, fmt.Errorf("ONNX Runtime has ended: %w", err)
	}
	line, err = r.out.ReadBytes('\n')
	if err != nil {
		if err == io.EOF {
			err = errors.New("its process is gone")
		}
		return message{}, fmt.Errorf("ONNX Runtime gives no answer: %w", err)
	}
	var rep message
	if err := json.Unmarshal(line, &rep); err != nil {
		return message{}, fmt.Errorf("ONNX Runtime's answer %.100q: %w", line, err)
	}
	if rep.Error != "" {
		return message{}, errors.New(rep.Error)
	}
	for i := range rep.Arrays {
		h := &rep.Arrays[i]
		if h.data, err = h.room(); err == nil {
			err = binary.Read(r.out, binary.LittleEndian, h.data)
		}
		if err != nil {
			return message{}, err
		}
	}
	return rep, nil
}
