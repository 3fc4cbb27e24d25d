// Package option holds the error that is about one option of a program.
package option

import (
	"errors"
	"fmt"
	"slices"
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

	format string // of Err
	args   []any
}

// A Field, as an argument of a message, is the field of another option, such as
// "Budget". A program writes it by its own name, see [Error.Message].
type Field string

func (e *Error) Error() string { return e.Name + ": " + e.Err.Error() }

// Message is that of Err, with each [Field] in it by the name that name returns.
func (e *Error) Message(name func(field string) string) string {
	args := slices.Clone(e.args)
	for i, arg := range args {
		if field, ok := arg.(Field); ok {
			args[i] = name(string(field))
		}
	}
	return fmt.Errorf(e.format, args...).Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Misuse returns an Error about an option that makes no sense.
func Misuse(name, format string, args ...any) error {
	return newError(name, false, format, args...)
}

// Failure returns an Error about an option that makes sense.
func Failure(name, format string, args ...any) error {
	return newError(name, true, format, args...)
}

func newError(name string, failed bool, format string, args ...any) error {
	return &Error{Name: name, Err: fmt.Errorf(format, args...), Failed: failed, format: format, args: args}
}

// IsMisuse says whether err is about an option that makes no sense.
func IsMisuse(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && !e.Failed
}
