package memory

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// DisableHugePages asks the kernel to back this process with small pages only,
// so that resident memory is not rounded up to 2 MiB for every region. It
// holds for memory touched from now on and for child processes; call it first
// thing. It is for measuring memory, not speed: huge pages save address
// translation.
func DisableHugePages() error {
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("disable huge pages: prctl: %w", err)
	}
	return nil
}
