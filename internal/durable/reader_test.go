package durable

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestOtherVersions: a file of another version says which it has, and which are read.
func TestOtherVersions(t *testing.T) {
	const magic = "\x89TEST\r\n\x1a"
	var file bytes.Buffer
	if _, err := NewWriter(&file, magic, 7); err != nil {
		t.Fatal(err)
	}
	_, err := NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()), "a test file", magic, 3)
	other, ok := errors.AsType[*VersionError](err)
	if !ok || *other != (VersionError{Have: 7, First: 3, Last: 3}) || err.Error() != "version 7: this program reads version 3" {
		t.Errorf("error %v", err)
	}
	if got, want := (&VersionError{Have: 9, First: 3, Last: 5}).Error(), "version 9: this program reads versions 3 to 5"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSections: a Reader tells what it has read, with the checksums that are in the file.
func TestSections(t *testing.T) {
	const magic = "\x89TEST\r\n\x1a"
	var file bytes.Buffer
	w, err := NewWriter(&file, magic, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{"first", ""} {
		if err := w.Section(strings.NewReader(payload)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()), "a test file", magic, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := r.Bytes(name, r.Left()); err != nil {
			t.Fatal(err)
		}
	}
	b := file.Bytes()
	sum := func(end int) uint32 {
		return uint32(b[end-4]) | uint32(b[end-3])<<8 | uint32(b[end-2])<<16 | uint32(b[end-1])<<24
	}
	first := HeadBytes + LengthBytes + len("first") + ChecksumBytes
	if want := []Section{{"a", 5, sum(first)}, {"b", 0, sum(len(b))}}; !slices.Equal(r.Sections(), want) {
		t.Errorf("sections %+v, want %+v", r.Sections(), want)
	}
}
