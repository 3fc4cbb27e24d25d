package onnx_test

import (
	"bytes"
	"fmt"
	"log"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/onnx"
)

// An LSTM is written and read again. Then it reads a stream step by step: the last states
// of one run are the initial states of the next.
func Example() {
	engine, err := kernels.New("", 1)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	network, err := rnn.New(engine, rnn.Config{Cell: rnn.LSTM, Dense: true, Input: 4, Layers: 1, Hidden: 8, Output: 2}, 1)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := onnx.Write(&file, network); err != nil {
		log.Fatal(err)
	}

	m, err := onnx.Load(engine, &file)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range m.Inputs() {
		fmt.Println("reads ", v)
	}
	for _, v := range m.Outputs() {
		fmt.Println("writes", v)
	}
	x := &onnx.Tensor{Shape: []int{1, 1, 4}, Floats: make([]float32, 4)}
	h := &onnx.Tensor{Shape: []int{1, 1, 8}, Floats: make([]float32, 8)}
	c := &onnx.Tensor{Shape: []int{1, 1, 8}, Floats: make([]float32, 8)}
	y := new(onnx.Tensor)
	in := map[string]*onnx.Tensor{"input": x, "h0": h, "c0": c}
	out := map[string]*onnx.Tensor{"output": y, "hn": h, "cn": c}
	for step := range 3 {
		x.Floats[step] = 1
		if err := m.Run(in, out); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(y.Shape)
	// Output:
	// reads  "input" float[length,batch,4]
	// reads  "h0" float[1,batch,8]
	// reads  "c0" float[1,batch,8]
	// writes "output" float[length,batch,2]
	// writes "hn" float[1,batch,8]
	// writes "cn" float[1,batch,8]
	// [1 1 2]
}
