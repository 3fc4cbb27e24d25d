//go:build !linux

package durable

import (
	"errors"
	"os"
)

// openNameless is for Linux.
func openNameless(string) (*os.File, error) { return nil, errors.ErrUnsupported }
