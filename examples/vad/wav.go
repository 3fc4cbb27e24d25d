package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A reader gives audio of one channel, sample by sample, 1 being full scale. read fills
// dst; it returns fewer samples, and io.EOF, only at the end.
type reader interface {
	read(dst []float32) (n int, err error)
}

// pcm reads uncompressed audio from a WAV file or a raw stream. Channels are averaged.
// No length that a file states is allocated or trusted.
//
// The format: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html.
// Of Go's libraries, github.com/go-audio/wav reads no pipes, and gopxl/beep no floats; it
// also allocates by a stated length.
type pcm struct {
	rate     int // samples a second
	channels int
	width    int // bytes of a sample of one channel
	decode   func(b []byte) float32

	r    *bufio.Reader
	left int64  // bytes of audio to come; unknown if negative
	told int64  // left at the start
	buf  []byte // whole frames: a sample of each channel
	done int64  // frames that have been read
}

const (
	lowestRate  = 8000
	highestRate = 192000
	remedy      = "ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav makes a file that is read"
)

// openRaw returns the audio of a stream of 16-bit samples of one channel, signed and
// little-endian.
func openRaw(r io.Reader, rate int) (*pcm, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	p := &pcm{rate: rate, channels: 1, width: 2, decode: int16Sample, r: bufio.NewReaderSize(r, 1<<14), left: -1}
	p.allocate()
	return p, nil
}

// openWAV returns the audio of a WAV file: integers of 8, 16, 24 and 32 bits, and floats
// of 32 bits. Programs that write to a pipe can't state the length of the audio; it then
// ends with r.
func openWAV(r io.Reader) (*pcm, error) {
	p := &pcm{r: bufio.NewReaderSize(r, 1<<14)}
	var head [12]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return nil, cut(err, "its first 12 bytes")
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, fmt.Errorf("no WAV file: it begins with %q; %s; -raw HZ reads samples alone", head[:4], remedy)
	}
	whole := binary.LittleEndian.Uint32(head[4:])
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(p.r, chunk[:]); err != nil {
			return nil, cut(err, "a chunk of audio")
		}
		name, size := string(chunk[:4]), binary.LittleEndian.Uint32(chunk[4:])
		switch name {
		case "fmt ":
			if err := p.format(size); err != nil {
				return nil, err
			}
		case "data":
			if p.decode == nil {
				return nil, errors.New("damaged WAV file: its data chunk comes before its fmt chunk")
			}
			p.left = int64(size)
			if unknown(size) || size == 0 && (whole == 0 || unknown(whole)) {
				p.left = -1
			}
			p.told = p.left
			p.allocate()
			return p, nil
		default:
			if err := p.skip(int64(size) + int64(size&1)); err != nil { // chunks have an even length
				return nil, cut(err, fmt.Sprintf("its chunk %q", name))
			}
		}
	}
}

// unknown tells whether a length is one that programs write into a pipe: about 2 GiB, or
// all bits set.
func unknown(size uint32) bool {
	return size == math.MaxUint32 || size>>16 == 0x7fff
}

// format reads a fmt chunk of size bytes.
func (p *pcm) format(size uint32) error {
	var raw [26]byte // as far as the sub-format
	const short = 16 // bytes without an extension
	if size < short {
		return fmt.Errorf("damaged WAV file: a fmt chunk of %d bytes, at least %d are needed", size, short)
	}
	b := raw[:min(size, uint32(len(raw)))]
	if _, err := io.ReadFull(p.r, b); err != nil {
		return cut(err, "its fmt chunk")
	}
	if err := p.skip(int64(size) - int64(len(b)) + int64(size&1)); err != nil {
		return cut(err, "its fmt chunk")
	}
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(b[at:])) }
	code, bits, align := u16(0), u16(14), u16(12)
	p.channels = u16(2)
	const extensible = 0xfffe
	if code == extensible && len(b) == len(raw) {
		code = u16(24)
	}
	switch [2]int{code, bits} {
	case [2]int{1, 8}:
		p.decode = uint8Sample
	case [2]int{1, 16}:
		p.decode = int16Sample
	case [2]int{1, 24}:
		p.decode = int24Sample
	case [2]int{1, 32}:
		p.decode = int32Sample
	case [2]int{3, 32}:
		p.decode = floatSample
	default:
		return fmt.Errorf("WAV format %d of %d bits is not read here: %s", code, bits, remedy)
	}
	p.width = bits / 8
	if p.channels == 0 || align != p.channels*p.width {
		return fmt.Errorf("damaged WAV file: %d channels of %d bits in frames of %d bytes", p.channels, bits, align)
	}
	rate := binary.LittleEndian.Uint32(b[4:])
	p.rate = int(min(rate, math.MaxInt32))
	return checkRate(p.rate)
}

func checkRate(rate int) error {
	if rate < lowestRate || rate > highestRate {
		return fmt.Errorf("a sample rate of %d Hz: it must be %d to %d Hz", rate, lowestRate, highestRate)
	}
	return nil
}

func (p *pcm) skip(n int64) error {
	_, err := io.CopyN(io.Discard, p.r, n)
	return err
}

// allocate makes the buffer: some kilobytes, or one frame, which has at most 256 KiB.
func (p *pcm) allocate() {
	align := p.channels * p.width
	p.buf = make([]byte, align*max(1, 4096/align))
}

// cut returns the error about a file that ends inside of what.
func cut(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("no WAV file, or one cut off: it ends before the end of %s", what)
	}
	return err
}

func (p *pcm) read(dst []float32) (n int, err error) {
	align := p.channels * p.width
	for n < len(dst) && err == nil {
		b := p.buf[:min(len(p.buf), (len(dst)-n)*align)]
		if p.left >= 0 && int64(len(b)) > p.left {
			b = b[:p.left/int64(align)*int64(align)]
			if len(b) == 0 {
				return n, io.EOF
			}
		}
		var got int
		got, err = io.ReadFull(p.r, b)
		if p.left >= 0 {
			p.left -= int64(got)
		}
		frames := b[:got/align*align]
		for ; len(frames) > 0; frames = frames[align:] {
			var sum float32
			for c := 0; c < align; c += p.width {
				sum += p.decode(frames[c:])
			}
			x := sum / float32(p.channels)
			if x-x != 0 {
				return n, fmt.Errorf("sample %d is %v: audio is finite", p.done, x)
			}
			dst[n] = x
			n++
			p.done++
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	if err == io.EOF && p.left > 0 {
		err = fmt.Errorf("cut off: its audio has %d bytes, and ends after %d", p.told, p.told-p.left)
	}
	return n, err
}

func uint8Sample(b []byte) float32 { return float32(int(b[0])-128) / 128 }
func int16Sample(b []byte) float32 {
	return float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
}
func int24Sample(b []byte) float32 {
	return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
}
func int32Sample(b []byte) float32 {
	return float32(int32(binary.LittleEndian.Uint32(b))) / (1 << 31)
}
func floatSample(b []byte) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b))
}
