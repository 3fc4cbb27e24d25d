package lm

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"batchrnn/bench/lm/text"
)

// TestScoreLines: each line costs what its text costs, whatever ends it, and the total
// is the sum.
func TestScoreLines(t *testing.T) {
	lines := []string{"The fox", "", "dög \xff", strings.Repeat("jumps over ", 7000), "x"}
	for _, m := range testModels(t, text.Char)[:2] {
		stream := m.NewStream()
		var want []Score
		var sum Score
		for i, line := range lines {
			ids := m.Vocab.Encode(nil, m.Level(), []byte(line))
			losses, err := stream.Losses(ids)
			if err != nil {
				t.Fatal(err)
			}
			s := Score{Format: jsonFormat, Line: i + 1}
			tally(&s.Costs, m, ids, losses, m.Vocab.Unknown(m.Level(), []byte(line)))
			want = append(want, s)
			sum.join(s.Costs)
		}
		sum.Format, sum.Lines, sum.Model = jsonFormat, len(lines), &m.Config
		if sum.Unk == 0 {
			t.Errorf("%+v: want something unknown", sum)
		}
		for name, input := range map[string]string{
			"\\n":    strings.Join(lines, "\n") + "\n",
			"\\r\\n": strings.Join(lines, "\r\n"),
		} {
			for _, r := range []io.Reader{strings.NewReader(input), iotest.OneByteReader(strings.NewReader(input))} {
				var got []Score
				wasLast := false
				total, err := ScoreLines(m, r, false, func(s Score, last bool) error {
					got, wasLast = append(got, s), last
					return nil
				})
				if err != nil || !reflect.DeepEqual(total, sum) || len(got) != len(want) || !wasLast {
					t.Fatalf("%s: total %+v of %d lines, the last is last: %t, error %v, want %+v", name, total, len(got), wasLast, err, sum)
				}
				for i := range got {
					if !reflect.DeepEqual(got[i], want[i]) {
						t.Errorf("%s: line %+v, want %+v", name, got[i], want[i])
					}
				}
			}
		}
		stop := errors.New("stop")
		if total, err := ScoreLines(m, strings.NewReader("a\nb\n"), false, func(Score, bool) error { return stop }); err != stop || total.Lines != 1 {
			t.Errorf("stopped after %d lines with error %v", total.Lines, err)
		}
		if _, err := ScoreLines(m, strings.NewReader(""), false, nil); err == nil {
			t.Error("nothing was scored, and no error")
		}
		if _, err := ScoreLines(m, iotest.ErrReader(stop), false, nil); !errors.Is(err, stop) {
			t.Errorf("a reader that fails: error %v", err)
		}
	}
}
