package text

import "testing"

func TestNewRepairs(t *testing.T) {
	for _, tc := range []struct {
		name, raw, data string
		bad             int
	}{
		{"empty", "", "", 0},
		{"valid", "naïve 語 😀", "naïve 語 😀", 0},
		{"a U+FFFD of its own", "a\uFFFDb", "a\uFFFDb", 0},
		{"Latin-1", "na\xefve", "na\uFFFDve", 1},
		{"every byte of a run", "\xfd\xff\xfe", "\uFFFD\uFFFD\uFFFD", 3},
		{"cut off at the end", "a\xe8\xaa", "a\uFFFD\uFFFD", 2},
		{"surrogate half", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", 3},
		{"overlong", "\xc0\xaf", "\uFFFD\uFFFD", 2},
		{"bad beside good", "\xef\xbf\xbd\xef\xbf", "\uFFFD\uFFFD\uFFFD", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := New("test", []byte(tc.raw))
			if string(text.Data) != tc.data || text.BadBytes != tc.bad {
				t.Errorf("%q with %d bad, want %q with %d", text.Data, text.BadBytes, tc.data, tc.bad)
			}
		})
	}
}

func TestSHA256IsOfTheRawBytes(t *testing.T) {
	const want = "8dd06b5ab6b594257e41b7d8dd440a4062eddc67fdab5c13b4dc300176896f6e" // printf 'a\377' | sha256sum
	if got := New("test", []byte("a\xff")).SHA256; got != want {
		t.Errorf("SHA-256 %s, want %s", got, want)
	}
}
