// Package option holds the error that is about one option of a program.
package option

import (
	"errors"
	"fmt"
)

// An Error says that an option can't be used as it was given.
type Error struct {
	// Name is that of the field that was set, such as "MaxOrder", of several such as
	// "Hidden and Batch", or of an environment variable.
	Name string
	Err  error
	// Failed tells a failure from a misuse: the option makes sense, but what it names
	// can't be had.
	Failed bool
}

func (e *Error) Error() string { return e.Name + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Misuse returns an Error about an option that makes no sense.
func Misuse(name, format string, args ...any) error {
	return &Error{Name: name, Err: fmt.Errorf(format, args...)}
}

// Failure returns an Error about an option that makes sense.
func Failure(name, format string, args ...any) error {
	return &Error{Name: name, Err: fmt.Errorf(format, args...), Failed: true}
}

// IsMisuse says whether err is about an option that makes no sense.
func IsMisuse(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && !e.Failed
}
