package onnx

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

// TestFusions: products take in what follows them only where nothing else reads them.
// Every graph is compared with the same one that has a Where before each node: there
// nothing is joined.
func TestFusions(t *testing.T) {
	e := testEngine(t)
	const rows, in, width = 3, 4, 5
	products := map[string]func(g *graphMaker) string{
		"MatMul": func(g *graphMaker) string {
			return g.one("MatMul", []string{g.input(g.finite(rows, in)), g.constant(g.finite(in, width))})
		},
		"Gemm": func(g *graphMaker) string {
			return g.one("Gemm", []string{g.input(g.finite(rows, in)), g.constant(g.finite(in, width))})
		},
		"Gemm with C": func(g *graphMaker) string {
			return g.one("Gemm", []string{g.input(g.finite(rows, in)), g.constant(g.finite(in, width)), g.constant(g.finite(width))})
		},
		"Gemm with C of the run": func(g *graphMaker) string {
			return g.one("Gemm", []string{g.input(g.finite(rows, in)), g.constant(g.finite(in, width)), g.input(g.finite(width))})
		},
		"Gemm scaled": func(g *graphMaker) string {
			return g.one("Gemm", []string{g.input(g.finite(rows, in)), g.constant(g.finite(in, width)), g.constant(g.finite(rows, 1))}, floatAttribute("alpha", 0.5))
		},
		"stack": func(g *graphMaker) string {
			return g.one("MatMul", []string{g.input(g.finite(2, rows, in)), g.constant(g.finite(in, width))})
		},
		"row": func(g *graphMaker) string {
			return g.one("MatMul", []string{g.input(g.finite(in)), g.constant(g.finite(in, width))})
		},
		"row, repeated": func(g *graphMaker) string {
			same := g.one("Expand", []string{g.input(g.finite(1, in)), g.constant(vector(rows, in))})
			return g.one("MatMul", []string{same, g.constant(g.finite(in, width))})
		},
		"of the file": func(g *graphMaker) string {
			return g.one("MatMul", []string{g.constant(g.finite(rows, in)), g.constant(g.finite(in, width))})
		},
		"weights of the run": func(g *graphMaker) string {
			return g.one("MatMul", []string{g.input(g.finite(rows, in)), g.input(g.finite(in, width))})
		},
		"Conv": func(g *graphMaker) string {
			return g.one("Conv", []string{g.input(g.finite(2, 3, 6)), g.constant(g.finite(4, 3, 2))}) // [2,4,5]
		},
		"Conv with one filter": func(g *graphMaker) string {
			return g.one("Conv", []string{g.input(g.finite(2, 3, 6)), g.constant(g.finite(1, 3, 2))}) // [2,1,5]
		},
		"Conv with as many filters as steps": func(g *graphMaker) string {
			return g.one("Conv", []string{g.input(g.finite(2, 3, 6)), g.constant(g.finite(5, 3, 2))}) // [2,5,5]
		},
		"Conv with groups": func(g *graphMaker) string {
			return g.one("Conv", []string{g.input(g.finite(2, 4, 6)), g.constant(g.finite(4, 2, 2))}, intAttribute("group", 2))
		},
	}
	branch := func(g *graphMaker, op string, reads ...string) *graphProto {
		out := g.name("b")
		n := newNode(op, reads, []string{out})
		n.name = g.name(op)
		return &graphProto{name: op, nodes: []*nodeProto{n}, outputs: []valueProto{{name: out, kind: Float}}}
	}
	choice := func(g *graphMaker, reads ...string) string {
		for i, r := range reads {
			if g.apart {
				reads[i] = g.copied(r)
			}
		}
		return g.one("If", []string{g.constant(intArray(Bool, []int64{1}))},
			graphAttribute("then_branch", branch(g, "Tanh", reads...)), graphAttribute("else_branch", branch(g, "Relu", reads...)))
	}
	bias := func(g *graphMaker) string { return g.constant(g.finite(width)) }
	readers := map[string]func(g *graphMaker, p string) []string{
		"activation":    func(g *graphMaker, p string) []string { return []string{g.one("Relu", []string{p})} },
		"bias":          func(g *graphMaker, p string) []string { return []string{g.one("Add", []string{p, bias(g)})} },
		"bias in front": func(g *graphMaker, p string) []string { return []string{g.one("Add", []string{bias(g), p})} },
		"bias of one": func(g *graphMaker, p string) []string {
			return []string{g.one("Add", []string{p, g.constant(g.finite(1))})}
		},
		"bias of a run": func(g *graphMaker, p string) []string {
			return []string{g.one("Add", []string{p, g.input(g.finite(width))})}
		},
		"bias, repeated": func(g *graphMaker, p string) []string {
			b := g.one("Expand", []string{g.constant(g.finite(1)), g.constant(vector(width))})
			return []string{g.one("Add", []string{p, b})}
		},
		"column": func(g *graphMaker, p string) []string {
			return []string{g.one("Add", []string{p, g.constant(g.finite(1, 1))})}
		},
		"more axes": func(g *graphMaker, p string) []string {
			return []string{g.one("Add", []string{p, g.constant(g.finite(1, 1, 1, 1, width))})}
		},
		"bias and activation": func(g *graphMaker, p string) []string {
			return []string{g.one("Sigmoid", []string{g.one("Add", []string{p, bias(g)})})}
		},
		"activation, then bias": func(g *graphMaker, p string) []string {
			return []string{g.one("Add", []string{g.one("Tanh", []string{p}), bias(g)})}
		},
		"two biases": func(g *graphMaker, p string) []string {
			return []string{g.one("Add", []string{g.one("Add", []string{p, bias(g)}), bias(g)})}
		},
		"two activations": func(g *graphMaker, p string) []string {
			return []string{g.one("Sigmoid", []string{g.one("Relu", []string{p})})}
		},
		"read twice": func(g *graphMaker, p string) []string {
			return []string{g.one("Relu", []string{p}), g.one("Tanh", []string{p})}
		},
		"added to itself": func(g *graphMaker, p string) []string { return []string{g.one("Add", []string{p, p})} },
		"two different biases": func(g *graphMaker, p string) []string {
			return []string{g.one("Add", []string{p, bias(g)}), g.one("Add", []string{p, bias(g)})}
		},
		"bias made later": func(g *graphMaker, p string) []string {
			return []string{g.one("Add", []string{p, g.one("Abs", []string{g.input(g.finite(width))})})}
		},
		"product of a branch": func(g *graphMaker, p string) []string {
			if g.apart {
				p = g.copied(p)
			}
			w, m, r := g.constant(g.finite(width, 4)), g.name("m"), g.name("r")
			read := m
			nodes := []*nodeProto{newNode("MatMul", []string{p, w}, []string{m})}
			if g.apart {
				read = g.name("copy")
				nodes = append(nodes, newNode("Where", []string{g.constant(intArray(Bool, []int64{1})), m, m}, []string{read}))
			}
			both := &graphProto{name: "both", nodes: append(nodes, newNode("Relu", []string{read}, []string{r})), outputs: []valueProto{{name: m, kind: Float}, {name: r, kind: Float}}}
			out := g.node("If", []string{g.constant(intArray(Bool, []int64{1}))}, 2, graphAttribute("then_branch", both), graphAttribute("else_branch", both))
			return []string{g.one("Tanh", out[:1]), out[1]}
		},
		"an output": func(g *graphMaker, p string) []string { return []string{p, g.one("Relu", []string{p})} },
		"an output with bias": func(g *graphMaker, p string) []string {
			s := g.one("Add", []string{p, bias(g)})
			return []string{p, s, g.one("Relu", []string{s})}
		},
		"an output twice": func(g *graphMaker, p string) []string { return []string{p, g.one("Identity", []string{p})} },
		"in a branch":     func(g *graphMaker, p string) []string { return []string{choice(g, p)} },
		"in a branch and here": func(g *graphMaker, p string) []string {
			return []string{choice(g, p), g.one("Relu", []string{p})}
		},
		"here, then in a branch": func(g *graphMaker, p string) []string {
			r := g.one("Relu", []string{p})
			return []string{r, choice(g, p), choice(g, r)}
		},
		"out of a branch": func(g *graphMaker, p string) []string {
			return []string{g.one("Relu", []string{choice(g, p)})}
		},
		"passed on": func(g *graphMaker, p string) []string {
			same := g.one("Identity", []string{p})
			return []string{g.one("Relu", []string{same}), g.one("Tanh", []string{p})}
		},
		"passed on by Dropout": func(g *graphMaker, p string) []string {
			same := g.one("Dropout", []string{p})
			return []string{g.one("Relu", []string{p}), g.one("Add", []string{same, bias(g)})}
		},
		"passed on by a Slice of nothing": func(g *graphMaker, p string) []string {
			same := g.one("Slice", []string{p, g.constant(vector()), g.constant(vector())})
			return []string{g.one("Relu", []string{same}), g.one("Exp", []string{same}), g.one("Tanh", []string{p})}
		},
		"passed on by a Slice of nothing, and read alone": func(g *graphMaker, p string) []string {
			same := g.one("Slice", []string{p, g.constant(vector()), g.constant(vector())})
			return []string{g.one("Relu", []string{same}), g.one("Tanh", []string{p})}
		},
		"passed on by a Pad of nothing": func(g *graphMaker, p string) []string {
			sizes := g.one("Mul", []string{g.one("Shape", []string{g.one("Shape", []string{p})}), g.constant(vector(2))})
			zeros := g.one("ConstantOfShape", []string{sizes}, tensorAttribute("value", vector(0).proto("")))
			same := g.one("Pad", []string{p, zeros}, textAttribute("mode", "edge"))
			return []string{g.one("Add", []string{same, bias(g)}), g.one("Tanh", []string{p})}
		},
		"passed on, and read alone": func(g *graphMaker, p string) []string {
			return []string{g.one("Relu", []string{g.one("Identity", []string{p})})}
		},
		"transposed": func(g *graphMaker, p string) []string {
			return []string{g.one("Relu", []string{g.one("Transpose", []string{p})}), g.one("Transpose", []string{p})}
		},
		"in parts": func(g *graphMaker, p string) []string {
			parts := g.node("Split", []string{p, g.constant(vector(2, 3))}, 2, intAttribute("axis", -1))
			return []string{g.one("Relu", []string{parts[0]}), g.one("Tanh", []string{parts[1]})}
		},
		"in another shape": func(g *graphMaker, p string) []string {
			flat := g.one("Reshape", []string{p, g.constant(vector(-1))})
			return []string{g.one("Relu", []string{flat}), g.one("Sigmoid", []string{p})}
		},
		"nothing": func(g *graphMaker, p string) []string { return []string{p} },
	}
	for product, make := range products {
		for reader, read := range readers {
			for seed := range uint64(2) {
				g := newGraphMaker(seed, 17)
				g.output(Float, read(g, make(g))...)
				got, err := g.ours(e)
				if err != nil {
					t.Errorf("%s, %s: %v\n%v", product, reader, err, g)
					continue
				}
				plain := newGraphMaker(seed, 17)
				plain.apart = true
				plain.output(Float, read(plain, make(plain))...)
				want, err := plain.ours(e)
				if err != nil {
					t.Fatalf("%s, %s: %v\n%v", product, reader, err, plain)
				}
				for i, v := range g.graph.outputs {
					if err := near(got[v.name], want[plain.graph.outputs[i].name], 1e-5); err != nil {
						t.Errorf("%s, %s, output %d: %v\n%v", product, reader, i, err, g)
					}
				}
			}
		}
	}
}

// TestFused: a layer of outputs is one step, whatever the exporter makes of it.
func TestFused(t *testing.T) {
	e := testEngine(t)
	for name, c := range map[string]struct {
		steps int
		make  func(g *graphMaker, x string) string
	}{
		"Gemm": {1, func(g *graphMaker, x string) string {
			return g.one("Relu", []string{g.one("Gemm", []string{x, g.constant(g.finite(4, 5)), g.constant(g.finite(5))})})
		}},
		"MatMul": {1, func(g *graphMaker, x string) string {
			return g.one("Tanh", []string{g.one("Add", []string{g.constant(g.finite(5)), g.one("MatMul", []string{x, g.constant(g.finite(4, 5))})})})
		}},
		"in an If": {1, func(g *graphMaker, x string) string {
			w := g.constant(g.finite(4, 5))
			then := &graphProto{name: "then", nodes: []*nodeProto{newNode("MatMul", []string{x, w}, []string{"m"}), newNode("Sigmoid", []string{"m"}, []string{"s"})}, outputs: []valueProto{{name: "s", kind: Float}}}
			return g.one("If", []string{g.constant(intArray(Bool, []int64{1}))}, graphAttribute("then_branch", then), graphAttribute("else_branch", then))
		}},
		"views alone": {0, func(g *graphMaker, x string) string {
			return g.one("Squeeze", []string{g.one("Unsqueeze", []string{g.one("Identity", []string{x}), g.constant(vector(0))}), g.constant(vector(0))})
		}},
		"constants alone": {0, func(g *graphMaker, x string) string {
			return g.one("Tanh", []string{g.one("MatMul", []string{g.constant(g.finite(2, 4)), g.constant(g.finite(4, 5))})})
		}},
	} {
		g := newGraphMaker(1, 17)
		g.output(Float, c.make(g, g.input(g.finite(2, 4))))
		m := g.loaded(t, e)
		in, out := g.tensors()
		if err := m.Run(in, out); err != nil {
			t.Fatal(err)
		}
		for _, list := range m.idle {
			if n := len(list[0].steps); n != c.steps {
				t.Errorf("%s: a plan has %d steps, want %d\n%v", name, n, c.steps, g)
			}
		}
	}
}

// TestWeightsAreKeptOnce: plans of other shapes have the same packed weights.
func TestWeightsAreKeptOnce(t *testing.T) {
	e := testEngine(t)
	g := newGraphMaker(1, 17)
	g.graph.inputs = []valueProto{newValue("x", Float, named("t"), named("b"), sized(3))}
	w := func(n ...int) string { return g.constant(g.finite(n...)) }
	y := g.node("LSTM", []string{"x", w(1, 20, 3), w(1, 20, 5), w(1, 40)}, 1)[0]
	y = g.one("MatMul", []string{g.axesNode("Squeeze", y, []int64{1}, 13), w(5, 6)})
	y = g.one("Transpose", []string{y}, intsAttribute("perm", 1, 2, 0))
	g.output(Float, g.one("Conv", []string{y, w(2, 6, 1)}))
	m := g.loaded(t, e)
	var kept []any
	for n := 1; n < 4; n++ {
		in := map[string]*Tensor{"x": {Shape: []int{n, n + 1, 3}, Floats: g.finite(n, n+1, 3).Floats}}
		if err := m.Run(in, nil); err != nil {
			t.Fatal(err)
		}
		var now []any
		for _, v := range m.weights {
			now = append(now, v)
		}
		if len(now) != 3 || kept != nil && slices.ContainsFunc(now, func(v any) bool { return !slices.Contains(kept, v) }) {
			t.Errorf("run %d: %d kept weights, or others than before: want the same 3", n, len(now))
		}
		kept = now
	}
}

// TestRunsAllocateNothing has plans of every operator run again.
func TestRunsAllocateNothing(t *testing.T) {
	e, runs := testEngine(t), 0
	defer func() {
		if runs < 100 {
			t.Errorf("%d graphs ran: want more", runs)
		}
	}()
	for op, k := range operatorMakers() {
		for seed := range uint64(3) {
			g := newGraphMaker(seed, max(operators[op].since, 17))
			out := k.draw(g)
			if !k.whole {
				out = []string{g.one(op, out)}
			}
			g.output(0, out...)
			m, err := Load(e, bytes.NewReader(g.model()))
			if err != nil {
				continue // see TestOperators
			}
			in, res := g.tensors()
			if m.Run(in, res) != nil {
				continue
			}
			runs++
			if n := testing.AllocsPerRun(2, func() {
				if err := m.Run(in, res); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s: a run allocates %v times\n%v", op, n, g)
			}
		}
	}
}

// TestBatchChangesNoBits: each sequence of a batch has the bits that it has alone.
func TestBatchChangesNoBits(t *testing.T) {
	e := testEngine(t)
	g := newGraphMaker(3, 17)
	w := func(n ...int) string { return g.constant(g.finite(n...)) }
	const length, batch = 40, 7
	g.graph.inputs = []valueProto{newValue("x", Float, named("b"), sized(2), sized(length))}
	x := g.one("Relu", []string{g.one("Conv", []string{"x", w(8, 2, 5), w(8)}, intsAttribute("strides", 2), intsAttribute("pads", 2, 2))})
	x = g.one("Transpose", []string{x}, intsAttribute("perm", 2, 0, 1))
	x = g.node("GRU", []string{x, w(2, 30, 8), w(2, 30, 10), w(2, 60)}, 1, textAttribute("direction", "bidirectional"))[0]
	x = g.one("Reshape", []string{g.one("Transpose", []string{x}, intsAttribute("perm", 2, 0, 1, 3)), g.constant(vector(0, 0, -1))})
	x = g.one("Softmax", []string{g.one("MatMul", []string{x, w(20, 6)})}, intAttribute("axis", -1))
	g.output(Float, g.one("ReduceMean", []string{x}, intsAttribute("axes", 1)))
	m := g.loaded(t, e)
	all := g.finite(batch, 2, length).Floats
	run := func(x []float32) []float32 {
		out := map[string]*Tensor{g.graph.outputs[0].name: {}}
		if err := m.Run(map[string]*Tensor{"x": {Shape: []int{len(x) / (2 * length), 2, length}, Floats: x}}, out); err != nil {
			t.Fatal(err)
		}
		return out[g.graph.outputs[0].name].Floats
	}
	want := run(all)
	for b := range batch {
		for i, v := range run(all[b*2*length:][:2*length]) {
			if math.Float32bits(v) != math.Float32bits(want[b*6+i]) {
				t.Fatalf("sequence %d alone: element %d is %v, want %v", b, i, v, want[b*6+i])
			}
		}
	}
}
