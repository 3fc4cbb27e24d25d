package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

const metadataKey = "__metadata__"

// header parses a JSON header token by token. encoding/json would accept duplicate keys
// and keys in the wrong case.
type header struct{ *json.Decoder }

// parse reads the header into f. It checks the form of numbers, not their values.
func (f *File) parse(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("not UTF-8: not a safetensors file, or damaged")
	}
	if !bytes.HasPrefix(raw, []byte{'{'}) {
		return errors.New("does not begin with {: not a safetensors file, or damaged")
	}
	h := header{json.NewDecoder(bytes.NewReader(raw))}
	h.UseNumber()
	err := h.object(func(key string) error {
		if key == metadataKey {
			var err error
			f.Metadata, err = h.metadata()
			return err
		}
		t, err := h.tensor()
		t.Name = key
		f.Tensors = append(f.Tensors, t)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := h.Token(); err != io.EOF {
		return errors.New("something follows it that is not white space: damaged")
	}
	return nil
}

// metadata reads an object of strings, or null, which is none.
func (h header) metadata() (map[string]string, error) {
	token, err := h.next()
	if err != nil || token == nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, fmt.Errorf("%s instead of {", describe(token))
	}
	m := map[string]string{}
	return m, h.members(func(key string) (err error) {
		m[key], err = h.text()
		return err
	})
}

func (h header) tensor() (t Tensor, err error) {
	found := 0
	err = h.object(func(key string) (err error) {
		found++
		switch key {
		case "dtype":
			t.DType, err = h.text()
		case "shape":
			err = h.array(func(n int64) error {
				if int64(int(n)) != n {
					return fmt.Errorf("a dimension of %d: more than fits this machine", n)
				}
				t.Shape = append(t.Shape, int(n))
				return nil
			})
		case "data_offsets":
			var offsets []int64
			err = h.array(func(n int64) error { offsets = append(offsets, n); return nil })
			if err == nil && len(offsets) != 2 {
				err = fmt.Errorf("%d numbers instead of 2", len(offsets))
			}
			if err == nil {
				t.lo, t.hi = offsets[0], offsets[1]
			}
		default:
			return errors.New("not one of dtype, shape and data_offsets")
		}
		return err
	})
	if err == nil && found != 3 {
		err = errors.New("wants all of dtype, shape and data_offsets")
	}
	return t, err
}

// object reads a JSON object. It calls value to read the value of each key.
func (h header) object(value func(key string) error) error {
	if err := h.delimiter('{'); err != nil {
		return err
	}
	return h.members(value)
}

// members reads the rest of an object.
func (h header) members(value func(key string) error) error {
	seen := map[string]bool{}
	for h.More() {
		key, err := h.text()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("key %s is there twice: damaged", quote(key))
		}
		seen[key] = true
		if err := value(key); err != nil {
			return fmt.Errorf("%s: %w", quote(key), err)
		}
	}
	return h.delimiter('}')
}

// array reads a JSON array of non-negative integers.
func (h header) array(value func(n int64) error) error {
	if err := h.delimiter('['); err != nil {
		return err
	}
	for h.More() {
		token, err := h.next()
		if err != nil {
			return err
		}
		number, ok := token.(json.Number)
		if !ok {
			return fmt.Errorf("%s instead of a number", describe(token))
		}
		n, err := strconv.ParseInt(string(number), 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%s is no whole number from 0 to 2⁶³-1", quote(string(number)))
		}
		if err := value(n); err != nil {
			return err
		}
	}
	return h.delimiter(']')
}

func (h header) text() (string, error) {
	token, err := h.next()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("%s instead of a string", describe(token))
	}
	return s, nil
}

func (h header) delimiter(want json.Delim) error {
	token, err := h.next()
	if err == nil && token != want {
		err = fmt.Errorf("%s instead of %v", describe(token), want)
	}
	return err
}

// next returns the next token.
func (h header) next() (json.Token, error) {
	token, err := h.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		err = fmt.Errorf("not JSON: %w", err)
	}
	return token, err
}

// describe formats a token for an error message.
func describe(token json.Token) string { return quote(fmt.Sprint(token)) }
