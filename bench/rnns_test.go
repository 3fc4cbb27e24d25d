package bench

import (
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
)

// RNNs of words have dropout and a rate that is halved, unless somebody says
// otherwise; what comes of it says so.
func TestWordsAreTrainedOtherwise(t *testing.T) {
	no, none := false, 0.0
	for _, test := range []struct {
		change  func(*Options)
		dropout float64
		halve   bool
	}{
		{func(o *Options) {}, 0, false},
		{func(o *Options) { o.Level = text.Word }, wordDropout, true},
		{func(o *Options) { o.Level, o.halve = text.Word, &no }, wordDropout, false},
		{func(o *Options) { o.Level, o.dropout = text.Word, &none }, 0, true},
	} {
		c := newComparison(t, func(o *Options) { o.MaxOrder, o.Hidden = 1, []int{4}; test.change(o) })
		o := c.rnnOptions(4)
		if o.Dropout != test.dropout || o.Halve != test.halve {
			t.Errorf("%v: dropout %v, halving %v", c.options.Level, o.Dropout, o.Halve)
		}
		r := Result{Models: []Model{{Kind: KindRNN, Hidden: 4, Dropout: o.Dropout, Halve: o.Halve}}}
		notes := strings.Join(c.notes(r), " ")
		if strings.Contains(notes, "dropout") != (o.Dropout > 0) || strings.Contains(notes, "halved") != o.Halve {
			t.Errorf("dropout %v, halving %v: notes %s", o.Dropout, o.Halve, notes)
		}
	}
}

// A text whose words are all different has no vocabulary of words seen twice.
func TestTextOfRareWords(t *testing.T) {
	var source strings.Builder
	for i := range 100 {
		source.WriteString(strings.Repeat("x", i+1) + " ")
	}
	o := goodOptions()
	o.Level, o.Corpus = text.Word, Stdin
	if _, err := New(o, strings.NewReader(source.String())); err == nil || !strings.Contains(err.Error(), "--min-count") {
		t.Errorf("error %v", err)
	}
	one := 1
	o.MinCount = &one
	c, err := New(o, strings.NewReader(source.String()))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
