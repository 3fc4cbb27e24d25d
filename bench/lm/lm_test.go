package lm

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// TestReadRefusesOtherNetworks: not every network is a language model.
func TestReadRefusesOtherNetworks(t *testing.T) {
	c, e := testCorpus(t, text.Char), newEngine(t)
	v := c.Vocab.Len()
	for want, config := range map[string]rnn.Config{
		"vectors":               {Input: v, Dense: true, Layers: 1, Hidden: 8, Output: v},
		"predict":               {Input: v, Layers: 1, Hidden: 8, Output: v, Bidirectional: true},
		"predict each token":    {Input: v, Layers: 1, Hidden: 8, Output: v, LastStep: true},
		"belong to different":   {Input: v + 1, Layers: 1, Hidden: 8, Output: v},
		"to different models":   {Input: v, Layers: 1, Hidden: 8, Output: v + 1},
		"sections belong to di": {Input: v, Layers: 1, Hidden: 8},
	} {
		n, err := rnn.New(e, config, 1)
		if err != nil {
			t.Fatal(err)
		}
		file := encode(t, NewRNN(n, c, Config{}))
		if _, err := Read(bytes.NewReader(file), int64(len(file)), e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", config, err, want)
		}
	}
}

func testCorpus(t testing.TB, level text.Level) *text.Corpus {
	t.Helper()
	source := text.New("a fable", []byte(strings.Repeat("The quick brown fox\njumps over the lazy dög. ", 50)))
	c, err := text.Build(source, text.Options{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// testNetworks returns those of testModels with weights of float32.
func testNetworks(t testing.TB, level text.Level) []*Model {
	t.Helper()
	models := testModels(t, level)
	return models[1 : len(models)-1]
}

// testModels returns an n-gram model and networks of every output layer, none of
// them any good.
func testModels(t testing.TB, level text.Level) []*Model {
	t.Helper()
	c := testCorpus(t, level)
	estimates, _, err := ngram.Estimate(c.Train, ngram.Config{Vocab: c.Vocab.Len(), Order: 3, Marks: marksOf(c)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ngram.NewModel(estimates, ngram.Trie)
	if err != nil {
		t.Fatal(err)
	}
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	models := []*Model{NewNgram(m, c, Config{Seed: 7})}
	v := c.Vocab.Len()
	for _, config := range []rnn.Config{
		{Input: v, Layers: 1, Hidden: 24, Output: v},
		{Input: v, Layers: 1, Hidden: 24, Output: v, Tied: true},
		{Input: v, Layers: 1, Hidden: 24, Output: v, Cutoffs: []int{3, 6}},
		{Input: v, Embedding: 24, Cell: rnn.GRU, Layers: 1, Hidden: 24, Output: v, Tied: true},
	} {
		n, err := rnn.New(e, config, 1)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, NewRNN(n, c, Config{ValidBits: 1.5}))
	}
	q, err := models[len(models)-1].Quantise()
	if err != nil {
		t.Fatal(err)
	}
	models = append(models, q)
	speller, err := spell.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models {
		m.WithSpeller(speller)
	}
	return models
}

func newEngine(t testing.TB) *kernels.Engine {
	t.Helper()
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func encode(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := m.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes, error %v", n, b.Len(), err)
	}
	return b.Bytes()
}

// TestCellOfAFile wants the cell of the network, whatever the configuration says: old
// files say nothing.
func TestCellOfAFile(t *testing.T) {
	for _, m := range testModels(t, text.Char) {
		want := m.Config.Cell
		if n := m.Network(); n == nil && want != "" || n != nil && want != n.Cell.String() {
			t.Errorf("%s: the cell is %q", m.Config.Name(), want)
		}
		m.Config.Cell = ""
		file := encode(t, m)
		got, err := Read(bytes.NewReader(file), int64(len(file)), newEngine(t))
		if err != nil {
			t.Fatal(err)
		}
		if got.Config.Cell != want {
			t.Errorf("%s: the cell is %q, want %q", got.Config.Name(), got.Config.Cell, want)
		}
	}
	for want, c := range map[string]Config{
		"RNN 8": {Kind: RNN, Hidden: 8}, "RNN 9": {Kind: RNN, Cell: "rnn", Hidden: 9}, "LSTM 2×8": {Kind: RNN, Cell: "lstm", Layers: 2, Hidden: 8},
		"GRU 2×8 int8 (embedding 4)": {Kind: RNN, Cell: "gru", Layers: 2, Hidden: 8, Embedding: 4, Int8: true},
		"GRU (reset before) 8":       {Kind: RNN, Cell: "gru-reset-before", Hidden: 8},
	} {
		if got := c.Name(); got != want {
			t.Errorf("%+v is named %q, want %q", c, got, want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		for _, m := range testModels(t, level) {
			file := encode(t, m)
			got, err := Read(bytes.NewReader(file), int64(len(file)), newEngine(t))
			if err != nil {
				t.Fatalf("%s: %v", m.Config.Name(), err)
			}
			if got.Config != m.Config || got.Level() != level || got.Vocab.Len() != m.Vocab.Len() || got.Bytes() != m.Bytes() {
				t.Errorf("%+v came back as %+v", m.Config, got.Config)
			}
			ids := got.Vocab.Encode(nil, level, []byte("lazy fox jumps over the zebra"))
			if !slices.Equal(ids, m.Vocab.Encode(nil, level, []byte("lazy fox jumps over the zebra"))) {
				t.Error("another vocabulary came back")
			}
			a, _ := m.NewStream().Score(ids)
			if b, err := got.NewStream().Score(ids); err != nil || a != b || !(a > 0) {
				t.Errorf("%s: %v nats before, %v after, error %v", m.Config.Name(), a, b, err)
			}
			if a, b := m.Speller.Nats("zébra"), got.Speller.Nats("zébra"); a != b || got.Speller.HasWords() != (level != text.Char) {
				t.Errorf("%s: an unknown word cost %v nats, and costs %v", m.Config.Name(), a, b)
			}
			if !bytes.Equal(encode(t, got), file) {
				t.Error("writing it again gives another file")
			}
		}
	}
}

func TestReadRefusesTruncationAndDamage(t *testing.T) {
	for _, m := range append(testModels(t, text.Char), testModels(t, text.Word)[0], testModels(t, text.Sentence)[0]) {
		file := encode(t, m)
		refuse := func(what string, b []byte) {
			t.Helper()
			_, err := Read(bytes.NewReader(b), int64(len(b)), newEngine(t))
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %s: error %v", m.Config.Name(), what, err)
			}
		}
		for n := 0; n < len(file); n += 1 + n/50 {
			refuse("cut off", file[:n])
		}
		for i := 0; i < len(file); i += 1 + i/50 {
			b := slices.Clone(file)
			b[i] ^= 0x10
			refuse("a bit flipped", b)
		}
		refuse("a byte more", append(slices.Clone(file), 0))
		refuse("text", []byte(strings.Repeat("Call me Ishmael. ", 100)))
	}
}

// seal corrects the checksum of the section that starts at the given place.
func seal(file []byte, at int) (next int) {
	end := at + durable.LengthBytes + int(binary.LittleEndian.Uint64(file[at:]))
	binary.LittleEndian.PutUint32(file[end:], crc32.Checksum(file[at:end], crc32.MakeTable(crc32.Castagnoli)))
	return end + durable.ChecksumBytes
}

func TestReadRefusesCraftedFiles(t *testing.T) {
	models := testModels(t, text.Char)
	file := encode(t, models[0])
	vocab := seal(slices.Clone(file), durable.HeadBytes) // where the second section starts
	craft := func(change func(b []byte)) []byte {
		b := slices.Clone(file)
		change(b)
		return b
	}
	swap := func(from, to string) []byte {
		if len(from) != len(to) {
			t.Fatal("another length")
		}
		return craft(func(b []byte) {
			copy(b[durable.HeadBytes:], bytes.Replace(b[durable.HeadBytes:vocab], []byte(from), []byte(to), 1))
			seal(b, durable.HeadBytes)
		})
	}
	other := encode(t, testModels(t, text.Word)[0])
	mixed := append(slices.Clone(file[:vocab]), other[seal(slices.Clone(other), durable.HeadBytes):]...)
	called := func(m *Model, int8 bool) []byte {
		other := *m
		other.Config.Int8 = int8
		return encode(t, &other)
	}
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"float32 called int8": {called(models[1], true), "another type"},
		"int8 called float32": {called(models[len(models)-1], false), "another type"},
		"another version":     {craft(func(b []byte) { b[8] = 9 }), "version 9"},
		"a huge section":      {craft(func(b []byte) { binary.LittleEndian.PutUint64(b[durable.HeadBytes:], 1<<62) }), "truncated or damaged"},
		"a huge vocabulary":   {craft(func(b []byte) { binary.LittleEndian.PutUint64(b[vocab:], 1<<40) }), "truncated or damaged"},
		"a token beyond": {craft(func(b []byte) {
			b[vocab+durable.LengthBytes] = 0xff
			b[vocab+durable.LengthBytes+1] = 0x7f
			seal(b, vocab)
		}), "reaches beyond"},
		"no <unk>":             {craft(func(b []byte) { b[vocab+durable.LengthBytes+1] = 'x'; seal(b, vocab) }), "begins with <unk>"},
		"spelled characters":   {swap(`,"corpus":"a fable"`, `,"spelling":true   `), "spelling"},
		"unknown kind":         {swap(`"ngram"`, `"ngrom"`), "ngrom"},
		"unknown level":        {swap(`"char"`, `"bark"`), "bark"},
		"no JSON":              {swap(`{"kind"`, `["kind"`), "configuration"},
		"another order":        {swap(`"order":3`, `"order":2`), "different models"},
		"n-gram called RNN":    {swap(`"order":3`, `"hidde":3`), "kind"},
		"another's vocabulary": {mixed, "vocabulary"},
	} {
		_, err := Read(bytes.NewReader(test.file), int64(len(test.file)), newEngine(t))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, empty, filepath.Join(dir, "none")} {
		if _, err := Open(path, newEngine(t)); err == nil || !strings.Contains(err.Error(), path) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// A stream reads each text from the start, and as one long text would read its
// beginning.
func TestStreamsForgetTheTextBefore(t *testing.T) {
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		for _, m := range testModels(t, level) {
			s := m.NewStream()
			for _, line := range []string{"The quick", "", strings.Repeat("brown fox ", 30), "The quick"} {
				ids := m.Vocab.Encode(nil, level, []byte(line))
				got, err := s.Score(ids)
				if err != nil {
					t.Fatal(err)
				}
				want := 0.0
				if len(ids) > 0 {
					if want, err = m.Score(t.Context(), nil, ids); err != nil {
						t.Fatal(err)
					}
				}
				if !(math.Abs(got-want) <= 1e-4*(1+want)) {
					t.Errorf("%s, %q: %v nats in a stream, %v as a text", m.Config.Name(), line, got, want)
				}
			}
			ids := m.Vocab.Encode(nil, level, []byte(strings.Repeat("brown fox ", 30)))
			if n := testing.AllocsPerRun(10, func() { s.Score(ids) }); n != 0 {
				t.Errorf("%s: %v allocations a text", m.Config.Name(), n)
			}
		}
	}
}

func TestScoreEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, m := range testModels(t, text.Char) {
		for _, tokens := range [][]int32{{1}, {1, 2, 3}} {
			if _, err := m.Score(ctx, nil, tokens); err == nil {
				t.Errorf("%s: %d tokens and no error", m.Config.Name(), len(tokens))
			}
		}
	}
}

// endsAfter is a context that has ended once it was asked a few times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestLongScoresEndWithTheirContext: an n-gram model asks for the context now and then.
func TestLongScoresEndWithTheirContext(t *testing.T) {
	m := testModels(t, text.Char)[0]
	tokens := make([]int32, 1<<16+1)
	if _, err := m.Score(&endsAfter{t.Context(), 1}, nil, tokens); err == nil {
		t.Error("Score: no error")
	}
	if _, err := m.Losses(&endsAfter{t.Context(), 1}, nil, tokens); err == nil {
		t.Error("Losses: no error")
	}
}

func TestSampler(t *testing.T) {
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		for _, m := range testModels(t, level) {
			sample := func(seed uint64, temperature float64) (ids []int32) {
				s := newSampler(t, m, rnn.Sampling{Temperature: temperature, Seed: seed})
				for range 100 {
					id, err := s.Next()
					if err != nil || id == text.Unk || m.starts(id) || int(id) >= m.Vocab.Len() {
						t.Fatalf("id %d, error %v", id, err)
					}
					ids = append(ids, id)
				}
				return ids
			}
			if !slices.Equal(sample(1, 1), sample(1, 1)) {
				t.Errorf("%s: one seed, two texts", m.Config.Name())
			}
			if slices.Equal(sample(1, 1), sample(2, 1)) {
				t.Errorf("%s: two seeds, one text", m.Config.Name())
			}
			if !slices.Equal(sample(1, 0), sample(2, 0)) {
				t.Errorf("%s: the likeliest goes with the seed", m.Config.Name())
			}
			s := newSampler(t, m, rnn.Sampling{Temperature: 1, Seed: 1})
			if n := testing.AllocsPerRun(10, func() { s.Next() }); n != 0 {
				t.Errorf("%s: %v allocations a token", m.Config.Name(), n)
			}
		}
	}
}

// TestNetwork: a model shows its network.
func TestNetwork(t *testing.T) {
	for _, m := range testModels(t, text.Char) {
		if n := m.Network(); (n == nil) != (m.Config.Kind == Ngram) {
			t.Errorf("%s: network %v", m.Config.Name(), n)
		} else if n != nil && (n.Input != m.Vocab.Len() || n.Output != m.Vocab.Len()) {
			t.Errorf("%s: a network of %d inputs and %d outputs for %d tokens", m.Config.Name(), n.Input, n.Output, m.Vocab.Len())
		}
	}
}

// TestNextFeeds: a token that was drawn is in the text.
func TestNextFeeds(t *testing.T) {
	for _, m := range testModels(t, text.Char) {
		drawn, fed := newSampler(t, m, rnn.Sampling{Temperature: 1, Seed: 1}), newSampler(t, m, rnn.Sampling{Temperature: 1, Seed: 2})
		for range 5 {
			id, err := drawn.Next()
			if err != nil {
				t.Fatal(err)
			}
			fed.Feed(id)
		}
		drawn.predict()
		fed.predict()
		if !slices.Equal(drawn.logits, fed.logits) {
			t.Errorf("%s: what comes after five drawn tokens is %v, after the same five fed %v", m.Config.Name(), drawn.logits, fed.logits)
		}
	}
}

// starts reports whether id marks the start of a sentence.
func (m *Model) starts(id int32) bool { return m.level == text.Sentence && id == m.marks.Start }

// What a sampler draws from is what a stream scores by, whatever the softmax.
func TestSamplersAndStreamsAgree(t *testing.T) {
	for _, m := range slices.Concat(testModels(t, text.Word), testModels(t, text.Char), testModels(t, text.Sentence)) {
		for _, history := range [][]int32{nil, {2}, {2, 7, 4}, {7, 4, 2, 3}} {
			s := newSampler(t, m, rnn.Sampling{Temperature: 1, Seed: 1})
			for _, id := range history {
				s.Feed(id)
			}
			s.predict()
			var total float64
			for id, v := range s.logits {
				if m.ngram == nil || !m.starts(int32(id)) { // n-grams list no share of it
					total += math.Exp(v)
				}
			}
			before, _ := m.NewStream().Score(history)
			for id, v := range s.logits {
				if m.starts(int32(id)) {
					continue
				}
				after, err := m.NewStream().Score(append(slices.Clone(history), int32(id)))
				if err != nil {
					t.Fatal(err)
				}
				if got, want := math.Log(total)-v, after-before; !(math.Abs(got-want) <= 1e-5) {
					t.Errorf("%s softmax, after %v: token %d costs %v in sampling, %v in scoring", m.Config.Softmax, history, id, got, want)
				}
			}
		}
	}
}

// TestLosses: they are the terms of the score, and end with their context.
func TestLosses(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		for _, m := range testModels(t, level) {
			for _, history := range [][]int32{nil, {2, 3}} {
				tokens := []int32{1, 2, 3, 1, 1}
				losses, err := m.Losses(t.Context(), history, tokens)
				if err != nil || len(losses) != len(tokens) {
					t.Fatalf("%s: %d losses, error %v", m.Config.Name(), len(losses), err)
				}
				var sum float64
				for _, v := range losses {
					sum += float64(v)
				}
				if want, err := m.Score(t.Context(), history, tokens); err != nil || !(math.Abs(sum-want) <= 1e-4*want) {
					t.Errorf("%s: losses add up to %v, the score is %v, error %v", m.Config.Name(), sum, want, err)
				}
				if _, err := m.Losses(ended, history, tokens); err == nil {
					t.Errorf("%s: losses after the end of the context", m.Config.Name())
				}
			}
		}
	}
}

func TestAppendText(t *testing.T) {
	for level, want := range map[text.Level]string{text.Char: "ab", text.Word: "fox the", text.Sentence: "fox the\nfox\n"} {
		m := testModels(t, level)[0]
		var written []byte
		for _, token := range strings.Fields(map[text.Level]string{text.Char: "a b", text.Word: "fox the", text.Sentence: "fox the </s> fox </s>"}[level]) {
			written = m.AppendText(written, m.Vocab.ID(token))
		}
		if string(written) != want {
			t.Errorf("%v: %q, want %q", level, written, want)
		}
	}
}

func TestDescriptions(t *testing.T) {
	c, e := testCorpus(t, text.Char), newEngine(t)
	v := c.Vocab.Len()
	for want, of := range map[string]struct {
		network rnn.Config
		config  Config
	}{
		"RNN 8":   {rnn.Config{Input: v, Layers: 1, Hidden: 8, Output: v}, Config{}},
		"RNN 2×8": {rnn.Config{Input: v, Layers: 2, Hidden: 8, Output: v}, Config{}},
		"GRU 2×8 (embedding 8) with tied weights": {
			rnn.Config{Input: v, Cell: rnn.GRU, Embedding: 8, Layers: 2, Hidden: 8, Output: v, Tied: true}, Config{}},
		"RNN 8 with an adaptive softmax, trained with a dropout of 0.25": {
			rnn.Config{Input: v, Layers: 1, Hidden: 8, Output: v, Cutoffs: []int{4}}, Config{Dropout: 0.25}},
		"RNN 8 with tied weights, its rate halved where it stood still": {
			rnn.Config{Input: v, Layers: 1, Hidden: 8, Output: v, Tied: true}, Config{Halve: true}},
	} {
		n, err := rnn.New(e, of.network, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := NewRNN(n, c, of.config).Config.Description(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := testModels(t, text.Char)[0].Config.Description(); got != "3-gram" {
		t.Errorf("%q, want 3-gram", got)
	}
}

func FuzzRead(f *testing.F) {
	for _, m := range append(testModels(f, text.Char), testModels(f, text.Word)[0], testModels(f, text.Sentence)[0]) {
		file := encode(f, m)
		f.Add(file)
		f.Add(file[:len(file)/2])
	}
	f.Add([]byte(fileMagic))
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		// Checksums would keep nearly every input from the parsers.
		sealed := slices.Clone(data)
		for at := durable.HeadBytes; at+durable.LengthBytes <= len(sealed); {
			if n := binary.LittleEndian.Uint64(sealed[at:]); n > uint64(len(sealed)) || at+durable.LengthBytes+int(n)+durable.ChecksumBytes > len(sealed) {
				break
			}
			at = seal(sealed, at)
		}
		for _, b := range [][]byte{data, sealed} {
			m, err := Read(bytes.NewReader(b), int64(len(b)), e)
			if err != nil {
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("error of several lines: %q", err)
				}
				continue
			}
			m.NewStream().Score([]int32{0})
			sampler := newSampler(t, m, rnn.Sampling{Temperature: 1, Seed: 1})
			if m.Speller != nil && m.Speller.HasWords() {
				sampler.Spell()
			}
			if id, err := sampler.Next(); err == nil {
				sampler.AppendText(nil, id)
			}
		}
	})
}
