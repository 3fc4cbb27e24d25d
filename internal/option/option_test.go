package option

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// TestFields: another option in a message has its field's name, or the one that a
// program gives it; other arguments stay.
func TestFields(t *testing.T) {
	err := Misuse("Epochs", "%q: %v is given too: %w", "Budget", Field("Budget"), fs.ErrExist)
	if got, want := err.Error(), `Epochs: "Budget": Budget is given too: file already exists`; got != want {
		t.Errorf("Error() is %q, want %q", got, want)
	}
	e, ok := errors.AsType[*Error](fmt.Errorf("wrapped: %w", err))
	if !ok || !errors.Is(err, fs.ErrExist) {
		t.Fatalf("%v: what it wraps is not found", err)
	}
	if got, want := e.Message(strings.ToLower), `"Budget": budget is given too: file already exists`; got != want {
		t.Errorf("Message is %q, want %q", got, want)
	}
}

func TestIsMisuse(t *testing.T) {
	for err, want := range map[error]bool{
		Misuse("A", "no"):                          true,
		fmt.Errorf("wrapped: %w", Misuse("A", "")): true,
		Failure("A", "no"):                         false,
		errors.New("no"):                           false,
	} {
		if IsMisuse(err) != want {
			t.Errorf("%v: misuse is %t, want %t", err, !want, want)
		}
	}
}
