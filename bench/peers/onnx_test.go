package main

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

// A field of an encoded message: a number or bytes.
type field struct {
	number int
	value  uint64
	bytes  []byte
}

// decode reads a message back.
func decode(t *testing.T, b []byte) []field {
	t.Helper()
	var fields []field
	uvarint := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			t.Fatal("the message is cut short")
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		tag := uvarint()
		f := field{number: int(tag >> 3)}
		switch tag & 7 {
		case 0:
			f.value = uvarint()
		case 2:
			n := int(uvarint())
			if n > len(b) {
				t.Fatal("a field is longer than its message")
			}
			f.bytes, b = b[:n], b[n:]
		default:
			t.Fatalf("wire type %d", tag&7)
		}
		fields = append(fields, f)
	}
	return fields
}

func all(fields []field, number int) (found []field) {
	for _, f := range fields {
		if f.number == number {
			found = append(found, f)
		}
	}
	return found
}

func texts(fields []field, number int) (found []string) {
	for _, f := range all(fields, number) {
		found = append(found, string(f.bytes))
	}
	return found
}

func TestRNNModel(t *testing.T) {
	for _, steps := range []int{1, 5} {
		w := Workload{Kind: "rnn", Pass: "forward", Act: "relu", H: 3, B: 4, T: steps, E: 2}
		d := NewData(w)
		b := rnnModel(w, d)
		model := decode(t, b)
		graph := decode(t, all(model, 7)[0].bytes)
		node := decode(t, all(graph, 1)[0].bytes)

		inputs, values := []string{"X", "W", "R", "B"}, 1
		if steps == 1 {
			inputs, values = append(inputs, "", "H0"), 2
		}
		if got := texts(node, 1); !slices.Equal(got, inputs) {
			t.Errorf("inputs of the node: %q, want %q", got, inputs)
		}
		if got := texts(node, 4); !slices.Equal(got, []string{"RNN"}) {
			t.Errorf("operator %q", got)
		}
		if got := len(all(graph, 11)); got != values {
			t.Errorf("%d inputs of the graph, want %d", got, values)
		}
		attributes := all(node, 5)
		if a := decode(t, attributes[0].bytes); texts(a, 1)[0] != "hidden_size" || all(a, 3)[0].value != 3 {
			t.Errorf("first attribute: %+v", a)
		}
		if a := decode(t, attributes[1].bytes); texts(a, 1)[0] != "activations" || texts(a, 9)[0] != "Relu" {
			t.Errorf("second attribute: %+v", a)
		}

		constants := all(graph, 5)
		first := decode(t, constants[0].bytes)
		var dims []uint64
		for _, f := range all(first, 1) {
			dims = append(dims, f.value)
		}
		if !slices.Equal(dims, []uint64{1, 3, 2}) {
			t.Errorf("W has dims %d", dims)
		}
		// W[0][h][e] is our Wx[e][h].
		raw := all(first, 9)[0].bytes
		for h := range 3 {
			for e := range 2 {
				got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(h*2+e):]))
				if want := d.Wx[e*3+h]; got != want {
					t.Errorf("W[%d][%d] = %g, want %g", h, e, got, want)
				}
			}
		}
		if n := len(all(decode(t, constants[2].bytes), 9)[0].bytes); n != 4*2*3 {
			t.Errorf("B has %d bytes, want both biases' 24", n)
		}
	}
}

func TestGatedModels(t *testing.T) {
	for _, tc := range []struct {
		cell            string
		steps           int
		inputs, outputs []string
		attributes      []string
	}{
		{"lstm", 5, []string{"X", "W", "R", "B"}, []string{"h"}, []string{"hidden_size"}},
		{"lstm", 1, []string{"X", "W", "R", "B", "", "H0", "C0"}, []string{"h", "H1", "C1"}, []string{"hidden_size"}},
		{"gru", 5, []string{"X", "W", "R", "B"}, []string{"h"}, []string{"hidden_size", "linear_before_reset"}},
		{"gru", 1, []string{"X", "W", "R", "B", "", "H0"}, []string{"h", "H1"}, []string{"hidden_size", "linear_before_reset"}},
	} {
		w := Workload{Kind: "rnn", Pass: "forward", Cell: tc.cell, H: 3, B: 4, T: tc.steps, E: 2}
		b := rnnModel(w, NewData(w))
		graph := decode(t, all(decode(t, b), 7)[0].bytes)
		node := decode(t, all(graph, 1)[0].bytes)
		if got, want := texts(node, 4), strings.ToUpper(tc.cell); !slices.Equal(got, []string{want}) {
			t.Errorf("operator %q, want %s", got, want)
		}
		if got := texts(node, 1); !slices.Equal(got, tc.inputs) {
			t.Errorf("%s: inputs %q, want %q", tc.cell, got, tc.inputs)
		}
		if got := texts(node, 2); !slices.Equal(got, tc.outputs) {
			t.Errorf("%s: outputs %q, want %q", tc.cell, got, tc.outputs)
		}
		var names []string
		for _, f := range all(node, 5) {
			a := decode(t, f.bytes)
			names = append(names, texts(a, 1)...)
			want := map[string]uint64{"hidden_size": 3, "linear_before_reset": 1}[texts(a, 1)[0]]
			if got := all(a, 3)[0].value; got != want {
				t.Errorf("%s: %s = %d, want %d", tc.cell, texts(a, 1)[0], got, want)
			}
		}
		if !slices.Equal(names, tc.attributes) {
			t.Errorf("%s: attributes %q, want %q", tc.cell, names, tc.attributes)
		}
		if got := len(all(graph, 12)); got != len(tc.outputs) {
			t.Errorf("%s: %d outputs of the graph, want %d", tc.cell, got, len(tc.outputs))
		}
	}
}
