package onnx

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"batchrnn/kernels"
)

// load returns the model of a test.
func load(t testing.TB, e *kernels.Engine, m *modelProto) *Model {
	t.Helper()
	model, err := Load(e, bytes.NewReader(m.encode(nil)))
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// stream is a model whose state goes out and in again: an LSTM, a product and a sigmoid.
func stream(hidden int) *modelProto {
	h := int64(hidden)
	return modelOf([]valueProto{
		newValue("x", Float, named("t"), named("n"), sized(3)),
		newValue("h", Float, sized(1), named("n"), sized(hidden)),
		newValue("c", Float, sized(1), named("n"), sized(hidden)),
	}, []*tensorProto{
		weights("w", 1, 4*h, 3), weights("r", 1, 4*h, h), weights("b", 1, 8*h), weights("p", h, 5), weights("q", 5),
		newInts("one", []int64{1}, 1),
	},
		newNode("Squeeze", []string{"y", "one"}, []string{"s"}),
		newNode("LSTM", []string{"x", "w", "r", "b", "", "h", "c"}, []string{"y", "hn", "cn"}, intAttribute("hidden_size", h)),
		newNode("MatMul", []string{"s", "p"}, []string{"m"}), newNode("Add", []string{"m", "q"}, []string{"a"}), newNode("Sigmoid", []string{"a"}, []string{"z"}),
		newNode("Identity", []string{"z"}, []string{"out"}),
	)
}

func streamModel(t testing.TB, e *kernels.Engine) *Model {
	m := stream(8)
	m.graph.outputs = append(m.graph.outputs, newValue("hn", Float), newValue("cn", Float))
	return load(t, e, m)
}

// streamInputs returns inputs of T steps and B rows.
func streamInputs(steps, batch, seed int) map[string]*Tensor {
	tensor := func(shape ...int) *Tensor {
		t := &Tensor{Shape: shape, Floats: make([]float32, count(shape))}
		for i := range t.Floats {
			t.Floats[i] = float32(math.Sin(float64(i*7 + seed)))
		}
		return t
	}
	return map[string]*Tensor{"x": tensor(steps, batch, 3), "h": tensor(1, batch, 8), "c": tensor(1, batch, 8)}
}

// bits fails unless the tensors have the same shape and bits.
func bits(t *testing.T, what string, got, want *Tensor) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) || len(got.Floats) != len(want.Floats) || !slices.Equal(got.Ints, want.Ints) {
		t.Fatalf("%s: shape %v, want %v", what, got.Shape, want.Shape)
	}
	for i, v := range want.Floats {
		if math.Float32bits(got.Floats[i]) != math.Float32bits(v) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got.Floats[i], v)
		}
	}
}

// TestGoroutines: many goroutines run one model on different shapes, each with the results
// of a run alone.
func TestGoroutines(t *testing.T) {
	m := streamModel(t, testEngine(t))
	shapes := [][2]int{{1, 1}, {2, 1}, {5, 3}, {1, 16}, {20, 2}}
	want := make([]map[string]*Tensor, len(shapes))
	for i, s := range shapes {
		want[i] = outputsOf(m)
		if err := m.Run(streamInputs(s[0], s[1], i), want[i]); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			out := outputsOf(m)
			for k := range 20 {
				i := (g + k) % len(shapes)
				if err := m.Run(streamInputs(shapes[i][0], shapes[i][1], i), out); err != nil {
					t.Error(err)
					return
				}
				for name := range out {
					if !slices.Equal(out[name].Floats, want[i][name].Floats) {
						t.Errorf("output %s of shape %v is another one beside other runs", name, shapes[i])
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// TestLoadInBranches: goroutines take the two branches of an If for the first time at once.
func TestLoadInBranches(t *testing.T) {
	for _, s := range seeds() {
		if s.name != "If" {
			continue
		}
		m := load(t, testEngine(t), s.model)
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				in, out := small(m, 1+g/2), outputsOf(m)
				in["r"].Ints[0] = int64(3 + g%2)
				if err := m.Run(in, out); err != nil {
					t.Error(err)
					return
				}
				x, w := in["x"].Floats[0], ramp(4)[0]
				want := 2 * (x + w)
				if g%2 == 1 {
					want = 2 * (x - w)
				}
				if got := out["y"].Floats[0]; got != want {
					t.Errorf("branch %d: %v, want %v", g%2, got, want)
				}
			})
		}
		all.Wait()
	}
}

// TestNoAllocations: runs allocate nothing after the first of each shape, also when shapes
// and values alternate.
func TestNoAllocations(t *testing.T) {
	engine := testEngine(t)
	check := func(name string, m *Model, ins []map[string]*Tensor) {
		out := outputsOf(m)
		run := func() {
			for _, in := range ins {
				if err := m.Run(in, out); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		run()
		if n := testing.AllocsPerRun(5, run); n != 0 {
			t.Errorf("%s: %v allocations in %d runs", name, n, len(ins))
		}
	}
	m := streamModel(t, engine)
	check("stream", m, []map[string]*Tensor{streamInputs(1, 1, 0), streamInputs(7, 1, 0), streamInputs(2, 9, 0)})
	for _, s := range seeds() {
		if strings.HasSuffix(s.name, "of computed weights") { // these are packed anew if they change
			continue
		}
		m := load(t, engine, s.model)
		check(s.name, m, []map[string]*Tensor{small(m, 1), small(m, 3), small(m, 2)})
	}
}

// checkIdle fails unless the model's idle plans are counted right and within the limits.
func checkIdle(t *testing.T, m *Model) {
	t.Helper()
	sum := idleSum{}
	for key, list := range m.idle {
		if len(list) == 0 {
			t.Errorf("no plan of the key %q", key)
		}
		for _, p := range list {
			sum.plans++
			sum.elements += p.size
		}
	}
	if sum != m.idleSum {
		t.Errorf("%+v plans are idle, and counted as %+v", sum, m.idleSum)
	}
	if sum.plans > maxIdle || sum.plans > 1 && sum.elements > maxIdleElements {
		t.Errorf("%+v plans are idle", sum)
	}
}

// TestManyShapes: runs of 10,000 lengths keep the memory of few plans.
func TestManyShapes(t *testing.T) {
	m := load(t, testEngine(t), modelOf([]valueProto{newValue("x", Float, named("n"))}, nil, newNode("Neg", []string{"x"}, []string{"y"})))
	all := ramp(10000)
	in, out := map[string]*Tensor{"x": {}}, outputsOf(m)
	for n := 1; n <= len(all); n++ {
		in["x"].Shape, in["x"].Floats = []int{n}, all[:n]
		if err := m.Run(in, out); err != nil {
			t.Fatal(err)
		}
		if y := out["y"]; len(y.Floats) != n || y.Floats[n-1] != -all[n-1] {
			t.Fatalf("length %d: %d elements, the last is %v", n, len(y.Floats), y.Floats[n-1])
		}
	}
	checkIdle(t, m)
	if n := len(m.idle); n != maxIdle {
		t.Errorf("%d plans are kept, want the last %d", n, maxIdle)
	}
}

// TestLargePlansAreDropped: the elements of idle plans are limited too, and the latest plan
// stays.
func TestLargePlansAreDropped(t *testing.T) {
	m := load(t, testEngine(t), modelOf([]valueProto{newValue("x", Float, named("n"))}, nil, newNode("Neg", []string{"x"}, []string{"y"})))
	for i := range 4 {
		p := &plan{key: fmt.Sprint(i % 2), size: maxIdleElements/2 + i}
		m.give(p)
		checkIdle(t, m)
		if list := m.idle[p.key]; len(list) == 0 || list[len(list)-1] != p {
			t.Errorf("plan %d is not kept", i)
		}
	}
}

// TestValuesDecideThePlan: integers that decide a branch or a shape may differ in each run.
func TestValuesDecideThePlan(t *testing.T) {
	engine := testEngine(t)
	find := func(name string) *modelProto {
		for _, s := range seeds() {
			if s.name == name {
				return s.model
			}
		}
		t.Fatal(name)
		return nil
	}
	m := load(t, engine, find("Reshape by value"))
	in, out := small(m, 3), outputsOf(m)
	for _, shape := range [][]int64{{3, 4}, {4, 3}, {2, -1}, {12, 1}, {3, 4}, {-1, 6}} {
		in["i"].Ints = shape
		if err := m.Run(in, out); err != nil {
			t.Fatal(err)
		}
		want := []int{int(shape[0]), int(shape[1])}
		for i := range want {
			if want[i] < 0 {
				want[i] = 12 / want[1-i]
			}
		}
		bits(t, fmt.Sprint(shape), out["y"], &Tensor{Shape: want, Floats: in["x"].Floats})
	}
	in["i"].Ints = []int64{5, 5}
	if err := m.Run(in, out); err == nil || !strings.Contains(err.Error(), "Reshape node number 0") {
		t.Errorf("a shape that doesn't fit: error %v", err)
	}

	m = load(t, engine, find("If"))
	in, out = small(m, 2), outputsOf(m)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for v := range int64(10000) {
		in["r"].Ints[0] = v
		if err := m.Run(in, out); err != nil {
			t.Fatal(err)
		}
		x, w := in["x"].Floats[1], ramp(4)[1]
		want := 2 * (x - w)
		if v == 3 {
			want = 2 * (x + w)
		}
		if got := out["y"].Floats[1]; got != want {
			t.Fatalf("value %d: %v, want %v", v, got, want)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	checkIdle(t, m)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("the heap has grown by %d bytes in runs of 10,000 values", grown)
	}
}

// TestManyValues: more values than a plan may depend on are refused.
func TestManyValues(t *testing.T) {
	m := load(t, testEngine(t), modelOf([]valueProto{newValue("i", Int64, named("n"))}, nil, newNode("ConstantOfShape", []string{"i"}, []string{"y"})))
	err := m.Run(map[string]*Tensor{"i": {Shape: []int{5000}, Ints: make([]int64, 5000)}}, outputsOf(m))
	checkWords(t, err, []string{`input "i"`, "5000", "at most 4096"})
}

// TestKeysOfPlans: inputs whose ranks the file doesn't tell have no plan in common with
// others.
func TestKeysOfPlans(t *testing.T) {
	m := load(t, testEngine(t), modelOf([]valueProto{{name: "i", kind: Int64}, {name: "x", kind: Float}}, nil,
		newNode("Shape", []string{"x"}, []string{"s"}), newNode("Expand", []string{"i", "s"}, []string{"j"}), newNode("Identity", []string{"j"}, []string{"y"})))
	// A value of 2, zigzag-coded, is the rank of the shape before the last one.
	for _, shape := range [][]int{{1, 2}, {2}, {2, 1}, {1, 1, 2}, {}, {1}, {2, 3}, {3}} {
		in := map[string]*Tensor{"i": {Shape: []int{1}, Ints: []int64{2}}, "x": {Shape: shape, Floats: ramp(count(shape))}}
		out := outputsOf(m)
		if err := m.Run(in, out); err != nil {
			t.Fatal(err)
		}
		want := shape
		if len(want) == 0 {
			want = []int{1}
		}
		if !slices.Equal(out["y"].Shape, want) {
			t.Errorf("shape %v, want %v", out["y"].Shape, want)
		}
		m.byValue[0] = !m.byValue[0] // as if another shape had needed it
	}
}

// TestStateFedBack: one tensor is an input and an output. Several runs of a stream have the
// bits of one.
func TestStateFedBack(t *testing.T) {
	m := streamModel(t, testEngine(t))
	const steps, batch = 6, 3
	in, whole := streamInputs(steps, batch, 1), outputsOf(m)
	if err := m.Run(in, whole); err != nil {
		t.Fatal(err)
	}
	state := streamInputs(steps, batch, 1)
	h, c, out := state["h"], state["c"], new(Tensor)
	for s := range steps {
		n := batch * 3
		x := &Tensor{Shape: []int{1, batch, 3}, Floats: in["x"].Floats[s*n:][:n]}
		if err := m.Run(map[string]*Tensor{"x": x, "h": h, "c": c}, map[string]*Tensor{"out": out, "hn": h, "cn": c}); err != nil {
			t.Fatal(err)
		}
		bits(t, fmt.Sprint("step ", s), out, &Tensor{Shape: []int{1, batch, 5}, Floats: whole["out"].Floats[s*batch*5:][:batch*5]})
	}
	bits(t, "h", h, whole["hn"])
	bits(t, "c", c, whole["cn"])
}

// TestExactness: results have the same bits for any number of threads, for a row in any
// batch, and from AVX2 and AVX-512. Portable kernels are within a bound.
func TestExactness(t *testing.T) {
	const steps, batch = 9, 17
	in := streamInputs(steps, batch, 2)
	var first map[string]*Tensor
	var from string
	for _, isa := range kernels.FloatISAs() {
		for _, threads := range []int{1, 2, 4} {
			e, err := kernels.New(isa, threads)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Close)
			m := streamModel(t, e)
			out := outputsOf(m)
			if err := m.Run(in, out); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first, from = out, isa
			}
			for name, o := range out {
				if (isa == "generic") == (from == "generic") {
					bits(t, fmt.Sprintf("%s, %d threads, %s", isa, threads, name), o, first[name])
				} else {
					compare(t, isa+", "+name, o, first[name], 1e-5)
				}
			}
			for b := range batch {
				row := func(t *Tensor) *Tensor {
					width := t.Shape[2]
					r := &Tensor{Shape: []int{t.Shape[0], 1, width}}
					for s := range t.Shape[0] {
						r.Floats = append(r.Floats, t.Floats[(s*batch+b)*width:][:width]...)
					}
					return r
				}
				alone := outputsOf(m)
				if err := m.Run(map[string]*Tensor{"x": row(in["x"]), "h": row(in["h"]), "c": row(in["c"])}, alone); err != nil {
					t.Fatal(err)
				}
				for name := range alone {
					bits(t, fmt.Sprintf("%s, row %d alone, %s", isa, b, name), alone[name], row(out[name]))
				}
			}
		}
	}
}

func TestIsModel(t *testing.T) {
	for _, s := range seeds() {
		if !IsModel(s.bytes()[:3]) {
			t.Errorf("%s is no model", s.name)
		}
	}
	for _, head := range []string{"", "\x08", "\x08\x08", "\x08\x08\x08", "text", "\x10\x00\x00\x00\x00\x00\x00\x00{\"", "\x00\x00\x00", "\x08\x80\x01"} {
		if IsModel([]byte(head)) {
			t.Errorf("%q is a model", head)
		}
	}
}

func TestValuesAsText(t *testing.T) {
	for want, v := range map[string]valueProto{
		`"x" float[batch,512,?]`:    newValue("x", Float, named("batch"), sized(512), dimProto{}),
		`"x" int64[]`:               newValue("x", Int64),
		`"x" bool of any shape`:     {name: "x", kind: Bool},
		`"a\nb" int32[?]`:           newValue("a\nb", Int32, sized(-1)),
		`"" undefined of any shape`: {},
	} {
		if got := valueOf(&v).String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestOperatorsAreListed holds the list of the package's documentation to the operators.
func TestOperatorsAreListed(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	list, _, _ := strings.Cut(string(text), "on tensors of")
	for op := range operators {
		if !regexp.MustCompile(`\b` + op + `\b`).MatchString(list) {
			t.Errorf("the documentation does not list %s", op)
		}
	}
	for _, op := range regexp.MustCompile(`\b[A-Z]\w+\b`).FindAllString(list[strings.Index(list, "There are"):], -1) {
		if _, ok := operators[op]; !ok && op != "There" {
			t.Errorf("the documentation lists %s, and it is no operator", op)
		}
	}
	if !strings.Contains(string(text), fmt.Sprintf("Versions %d to %d", minOpset, maxOpset)) {
		t.Errorf("the documentation does not list the versions %d to %d", minOpset, maxOpset)
	}
}

// TestWeightsOfTheRun: a node whose weights are computed in each run takes those of this
// run, from the first one on.
func TestWeightsOfTheRun(t *testing.T) {
	e := testEngine(t)
	x, pads := newValue("x", Float, named("t"), named("n"), sized(3)), newInts("pads", make([]int64, 6), 6)
	inputs := []valueProto{x, newValue("w", Float, sized(1), sized(4), sized(3)), newValue("r", Float, sized(1), sized(4), sized(4))}
	one := newFloats("one", []float32{1})
	m := load(t, e, modelOf(inputs, []*tensorProto{pads, one},
		newNode("Pad", []string{"w", "pads", "one"}, []string{"w1"}), // before a run it holds ones
		newNode("Pad", []string{"r", "pads", "one"}, []string{"r1"}),
		newNode("RNN", []string{"x", "w1", "r1"}, []string{"", "h"}, intAttribute("hidden_size", 4)),
	))
	for i, scale := range []float32{0, 0.5, 0.5, 0} {
		in := map[string]*Tensor{"x": {Shape: []int{2, 1, 3}, Floats: ramp(6)}, "w": {Shape: []int{1, 4, 3}}, "r": {Shape: []int{1, 4, 4}}}
		for _, name := range []string{"w", "r"} {
			in[name].Floats = ramp(count(in[name].Shape))
			for j, v := range in[name].Floats {
				in[name].Floats[j] = scale * (v + 1) // 0, and not -0
			}
		}
		fixed := load(t, e, modelOf([]valueProto{x}, []*tensorProto{newFloats("w", in["w"].Floats, 1, 4, 3), newFloats("r", in["r"].Floats, 1, 4, 4)},
			newNode("RNN", []string{"x", "w", "r"}, []string{"", "h"}, intAttribute("hidden_size", 4))))
		var got, want Tensor
		if err := m.Run(in, map[string]*Tensor{"h": &got}); err != nil {
			t.Fatal(err)
		}
		if err := fixed.Run(map[string]*Tensor{"x": in["x"]}, map[string]*Tensor{"h": &want}); err != nil {
			t.Fatal(err)
		}
		bits(t, fmt.Sprint("run ", i), &got, &want)
	}
}

// TestBools: any number but 0 is true.
func TestBools(t *testing.T) {
	m := load(t, testEngine(t), modelOf([]valueProto{newValue("a", Bool, named("n")), newValue("b", Bool, named("n"))}, nil,
		newNode("Equal", []string{"a", "b"}, []string{"c"}), newNode("Cast", []string{"c"}, []string{"y"}, intAttribute("to", int64(Float)))))
	out := outputsOf(m)
	err := m.Run(map[string]*Tensor{"a": {Shape: []int{4}, Ints: []int64{0, 1, 2, -5}}, "b": {Shape: []int{4}, Ints: []int64{0, 3, 0, 1 << 40}}}, out)
	if err != nil {
		t.Fatal(err)
	}
	bits(t, "equal", out["y"], &Tensor{Shape: []int{4}, Floats: []float32{1, 1, 0, 1}})
}

// TestNodeNamesMayRepeat: names of nodes are for people, and identify nothing.
func TestNodeNamesMayRepeat(t *testing.T) {
	model := modelOf([]valueProto{newValue("x", Float, named("n"))}, nil,
		newNode("Neg", []string{"x"}, []string{"a"}), newNode("Abs", []string{"a"}, []string{"y"}))
	for _, n := range model.graph.nodes {
		n.name = "same"
	}
	m := load(t, testEngine(t), model)
	out := outputsOf(m)
	if err := m.Run(map[string]*Tensor{"x": {Shape: []int{2}, Floats: []float32{1, -2}}}, out); err != nil {
		t.Fatal(err)
	}
	bits(t, "y", out["y"], &Tensor{Shape: []int{2}, Floats: []float32{1, 2}})
}

// TestWrittenInPlace: a node writes its result over an input only where each run makes that
// input anew.
func TestWrittenInPlace(t *testing.T) {
	e := testEngine(t)
	x := newValue("x", Float, named("n"), sized(2))
	for _, c := range []struct {
		name      string
		constants []*tensorProto
		nodes     []*nodeProto
		want      []float32 // of x = [[0,0]]
	}{
		{"padded borders", []*tensorProto{newInts("pads", []int64{0, 1, 0, 1}, 4)}, []*nodeProto{
			newNode("Pad", []string{"x", "pads"}, []string{"p"}), newNode("Exp", []string{"p"}, []string{"out"})}, []float32{1, 1, 1, 1}},
		{"a product of nothing", []*tensorProto{newInts("no", []int64{0}, 1), newInts("columns", []int64{1}, 1), newFloats("two", []float32{2}, 1)}, []*nodeProto{
			newNode("Slice", []string{"x", "no", "no", "columns"}, []string{"e"}), newNode("Transpose", []string{"e"}, []string{"f"}),
			newNode("MatMul", []string{"e", "f"}, []string{"m"}), newNode("Exp", []string{"m"}, []string{"y"}), newNode("Add", []string{"y", "two"}, []string{"out"})}, []float32{3}},
		{"an input", nil, []*nodeProto{newNode("Exp", []string{"x"}, []string{"y"}), newNode("Add", []string{"y", "x"}, []string{"out"})}, []float32{1, 1}},
		{"a view", nil, []*nodeProto{newNode("Exp", []string{"x"}, []string{"y"}), newNode("Transpose", []string{"y"}, []string{"v"}),
			newNode("Exp", []string{"v"}, []string{"w"}), newNode("Transpose", []string{"w"}, []string{"u"}), newNode("Sub", []string{"u", "y"}, []string{"out"})},
			[]float32{math.E - 1, math.E - 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := load(t, e, modelOf([]valueProto{x}, c.constants, c.nodes...))
			for range 3 {
				out := map[string]*Tensor{"out": {}}
				if err := m.Run(map[string]*Tensor{"x": {Shape: []int{1, 2}, Floats: []float32{0, 0}}}, out); err != nil {
					t.Fatal(err)
				}
				for i, v := range out["out"].Floats {
					if d := math.Abs(float64(v - c.want[i])); !(d <= 1e-6) || len(c.want) != len(out["out"].Floats) {
						t.Fatalf("got %v, want %v", out["out"].Floats, c.want)
					}
				}
			}
		})
	}
}

// TestLargeSteps: a Slice with the largest step takes one element, whose axis can be cut
// again.
func TestLargeSteps(t *testing.T) {
	e := testEngine(t)
	for _, step := range []int64{math.MaxInt64, 1 << 62, math.MinInt64 + 1} {
		m := load(t, e, modelOf([]valueProto{newValue("x", Float, sized(3), sized(4))},
			[]*tensorProto{newInts("one", []int64{1}, 1), newInts("zero", []int64{0}, 1), newInts("end", []int64{1 << 40}, 1), newInts("start", []int64{-1 << 40}, 1), newInts("step", []int64{step}, 1)},
			newNode("Slice", []string{"x", "one", map[bool]string{true: "end", false: "start"}[step > 0], "zero", "step"}, []string{"row"}),
			newNode("Slice", []string{"row", "one", "one", "zero"}, []string{"none"}),
			newNode("Concat", []string{"row", "none", "row"}, []string{"y"}, intAttribute("axis", 0)),
		))
		var y Tensor
		if err := m.Run(map[string]*Tensor{"x": {Shape: []int{3, 4}, Floats: ramp(12)}}, map[string]*Tensor{"y": &y}); err != nil {
			t.Fatal(err)
		}
		row := ramp(12)[4:8]
		bits(t, fmt.Sprint("step ", step), &y, &Tensor{Shape: []int{2, 4}, Floats: slices.Concat(row, row)})
	}
}

// TestInitialStatesOfTheFile: a state in the file counts as the same one of the run, also
// where some of its elements are 0.
func TestInitialStatesOfTheFile(t *testing.T) {
	e := testEngine(t)
	x, w, r := newValue("x", Float, named("t"), named("n"), sized(3)), weights("w", 1, 2, 3), weights("r", 1, 2, 2)
	node := newNode("RNN", []string{"x", "w", "r", "", "", "h"}, []string{"", "y"})
	free := load(t, e, modelOf([]valueProto{x, newValue("h", Float, sized(1), named("n"), sized(2))}, []*tensorProto{w, r}, node))
	in := map[string]*Tensor{"x": {Shape: []int{1, 1, 3}, Floats: ramp(3)}}
	for _, h := range [][]float32{{1, 0}, {0, 1}, {0, 0}, {1, 1}} {
		fixed := load(t, e, modelOf([]valueProto{x}, []*tensorProto{w, r, newFloats("h", h, 1, 1, 2)}, node))
		var got, want Tensor
		if err := fixed.Run(in, map[string]*Tensor{"y": &got}); err != nil {
			t.Fatal(err)
		}
		if err := free.Run(map[string]*Tensor{"x": in["x"], "h": {Shape: []int{1, 1, 2}, Floats: h}}, map[string]*Tensor{"y": &want}); err != nil {
			t.Fatal(err)
		}
		bits(t, fmt.Sprint("state ", h), &got, &want)
	}
}
