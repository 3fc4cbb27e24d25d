//go:build unix && !(mips || mips64 || ppc64 || s390x)

package text

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapped says whether ids stay in their files.
const mapped = true

// mapIDs maps files one after the other, as one slice that can't be written. Each but the
// last has a multiple of fileUnit ids. It also describes the files. unmap ends the
// mapping. An error is a [fileError], or about all of them.
func mapIDs(files []idFile) (ids []int32, infos []fs.FileInfo, unmap func(), err error) {
	total := 0
	for _, f := range files {
		if f.ids > math.MaxInt/idBytes-total {
			return nil, nil, nil, errors.New("more addresses than this system has")
		}
		total += f.ids
	}
	if total == 0 {
		return nil, nil, func() {}, nil
	}
	// The range is reserved first, so that nothing else comes to lie between two files.
	size := uintptr(total) * idBytes
	base, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("no range of addresses for %d ids (%w)", total, err)
	}
	unmap = func() { unix.MunmapPtr(base, size) }
	at := uintptr(0)
	for _, f := range files {
		info, err := f.mapTo(unsafe.Add(base, at))
		if err != nil {
			unmap()
			return nil, nil, nil, &fileError{filepath.Base(f.path), err}
		}
		infos = append(infos, info)
		at += uintptr(f.ids) * idBytes
	}
	return unsafe.Slice((*int32)(base), total), infos, unmap, nil
}

// mapTo maps the file to addresses that are reserved.
func (f idFile) mapTo(base unsafe.Pointer) (fs.FileInfo, error) {
	file, info, err := f.open()
	if err != nil {
		return nil, err
	}
	defer file.Close() // the mapping stays
	_, err = unix.MmapPtr(int(file.Fd()), 0, base, uintptr(f.ids)*idBytes, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_FIXED)
	return info, err
}
