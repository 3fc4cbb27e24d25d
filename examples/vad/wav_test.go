package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// wav returns a WAV file of one data chunk.
func wav(format, channels, rate, bits int, data []byte, chunks ...[]byte) []byte {
	b := []byte("RIFF    WAVEfmt ")
	u16, u32 := binary.LittleEndian.AppendUint16, binary.LittleEndian.AppendUint32
	b = u32(b, 16)
	b = u16(b, uint16(format))
	b = u16(b, uint16(channels))
	b = u32(b, uint32(rate))
	b = u32(b, uint32(rate*channels*bits/8))
	b = u16(b, uint16(channels*bits/8))
	b = u16(b, uint16(bits))
	b = append(b, bytes.Join(chunks, nil)...)
	b = append(b, "data"...)
	b = u32(b, uint32(len(data)))
	b = append(b, data...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

// set returns b with bytes at an offset replaced.
func set(b []byte, at int, by ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], by)
	return b
}

func TestWAVFormats(t *testing.T) {
	float := func(x ...float32) (b []byte) {
		for _, x := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	int16s := []byte{0, 0x40, 0, 0x80, 0xff, 0x7f}
	half := []float32{0.5, -1, 32767. / 32768}
	extensible := wav(0xfffe, 1, 16000, 16, int16s)
	extensible = slices.Concat(extensible[:16], []byte{40, 0, 0, 0}, extensible[20:36], // the fmt chunk of 16 bytes grows to 40
		[]byte{22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}, extensible[36:])
	simple := wav(1, 1, 8000, 16, int16s)
	for _, c := range []struct {
		name string
		file []byte
		rate int
		want []float32
	}{
		{"8 bits", wav(1, 1, 8000, 8, []byte{128, 0, 255, 192}), 8000, []float32{0, -1, 127. / 128, 0.5}},
		{"16 bits", simple, 8000, half},
		{"24 bits", wav(1, 1, 44100, 24, []byte{0, 0, 0x40, 0, 0, 0x80, 1, 0, 0}), 44100, []float32{0.5, -1, 1. / (1 << 23)}},
		{"32 bits", wav(1, 1, 48000, 32, []byte{0, 0, 0, 0x40, 0, 0, 0, 0x80}), 48000, []float32{0.5, -1}},
		{"floats", wav(3, 1, 16000, 32, float(0.25, -3)), 16000, []float32{0.25, -3}},
		{"stereo", wav(1, 2, 16000, 16, []byte{0, 0x40, 0, 0x80, 0, 0x40, 0, 0x20}), 16000, []float32{-0.25, 0.375}},
		{"extensible", extensible, 16000, half},
		{"an odd format", slices.Concat(simple[:16], []byte{17, 0, 0, 0}, simple[20:36], []byte{9, 0}, simple[36:]), 8000, half},
		{"another chunk before", wav(1, 1, 8000, 16, int16s, []byte("LIST\x03\x00\x00\x00abc\x00")), 8000, half},
		{"another chunk behind", append(slices.Clone(simple), "LIST\x04\x00\x00\x00abcd"...), 8000, half},
		{"length of a pipe", set(set(simple, 4, 255, 255, 255, 255), 40, 255, 255, 255, 255), 8000, half},
		{"length of SoX in a pipe", set(simple, 40, 0, 0xf0, 0xff, 0x7f), 8000, half},
		{"length 0 in a pipe", set(set(simple, 4, 0, 0, 0, 0), 40, 0, 0, 0, 0), 8000, half},
		{"no audio", wav(1, 1, 8000, 16, nil), 8000, nil},
		{"half a frame behind", wav(1, 2, 8000, 16, int16s), 8000, []float32{-0.25}},
	} {
		p, err := openWAV(bytes.NewReader(c.file))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := all(t, p, 2)
		if err != io.EOF || p.rate != c.rate || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d Hz, %v, %v, want %d Hz, %v", c.name, p.rate, got, err, c.rate, c.want)
		}
	}
}

func TestBadWAV(t *testing.T) {
	good := wav(1, 1, 16000, 16, make([]byte, 1000))
	nan := wav(3, 1, 16000, 32, []byte{0, 0, 0, 0, 0, 0, 0xc0, 0x7f})
	huge := []byte{0xfe, 0xff, 0xff, 0xf0} // a length of 4 GB
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "cut off"},
		{"text", []byte("To be, or not to be"), `begins with "To b"`},
		{"RIFF of another kind", set(good, 8, 'A', 'V', 'I', ' '), "no WAV file"},
		{"head alone", good[:12], "cut off"},
		{"cut in the format", good[:30], "its fmt chunk"},
		{"short format", set(good, 16, 4), "a fmt chunk of 4 bytes"},
		{"huge format", set(good, 16, huge...), "cut off"},
		{"huge chunk", wav(1, 1, 16000, 16, nil, append([]byte("junk"), huge...)), `its chunk "junk"`},
		{"no format", set(good, 12, 'x'), "before its fmt chunk"},
		{"no data", set(good, 36, 'x'), "a chunk of audio"},
		{"ADPCM", set(good, 20, 2), "format 2 of 16 bits"},
		{"64-bit floats", wav(3, 1, 16000, 64, nil), "format 3 of 64 bits"},
		{"no channels", set(good, 22, 0), "0 channels"},
		{"other frames", set(good, 32, 3), "frames of 3 bytes"},
		{"65535 channels", set(good, 22, 255, 255), "65535 channels"},
		{"no rate", set(good, 24, 0, 0, 0, 0), "0 Hz"},
		{"huge rate", set(good, 24, 255, 255, 255, 255), "Hz"},
		{"cut audio", good[:544], "its audio has 1000 bytes, and ends after 500"},
		{"huge audio", set(good, 40, huge...), "ends after 1000"},
		{"NaN", nan, "sample 1 is NaN"},
		{"infinity", set(nan, len(nan)-2, 0x80), "sample 1 is +Inf"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := openWAV(bytes.NewReader(c.file))
		if err == nil {
			_, err = all(t, p, 512)
		}
		runtime.ReadMemStats(&after)
		if err == io.EOF || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want one with %q", c.name, err, c.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes allocated", c.name, used)
		}
	}
}

func TestRaw(t *testing.T) {
	p, err := openRaw(bytes.NewReader([]byte{0, 0x40, 0, 0x80, 7}), 16000)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := all(t, p, 512); err != io.EOF || !slices.Equal(got, []float32{0.5, -1}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, rate := range []int{-1, 7999, 192001} {
		if _, err := openRaw(nil, rate); err == nil {
			t.Errorf("a rate of %d is taken", rate)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	p, err := openRaw(zeroReader{}, 44100)
	if err != nil {
		t.Fatal(err)
	}
	r, frame := resample(p, newFilter(44100, 16000)), make([]float32, 512)
	r.read(frame)
	if n := testing.AllocsPerRun(100, func() { r.read(frame) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Any bytes are read, or refused in one line.
func FuzzWAV(f *testing.F) {
	f.Add(wav(1, 1, 16000, 16, make([]byte, 64)))
	f.Add(wav(3, 2, 44100, 32, make([]byte, 64), []byte("LIST\x03\x00\x00\x00abc\x00")))
	f.Add(set(wav(0xfffe, 3, 8000, 24, make([]byte, 64)), 16, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := openWAV(bytes.NewReader(b))
		n := 0
		if err == nil {
			var x []float32
			x, err = all(t, resample(p, newFilter(p.rate, 16000)), 512)
			n = len(x)
		}
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q", err)
		}
		if n > 2*len(b)+1 {
			t.Errorf("%d samples of %d bytes", n, len(b))
		}
	})
}
