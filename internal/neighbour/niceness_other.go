//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package neighbour

import "errors"

const hasNiceness = false

func setNiceness(int) error { return errors.ErrUnsupported }
