//go:build !unix || mips || mips64 || ppc64 || s390x

package text

import (
	"encoding/binary"
	"io"
	"io/fs"
	"path/filepath"
)

// mapped says whether ids stay in their files.
const mapped = false

// mapIDs reads files one after the other into one slice: this system maps no files, or has
// another order of bytes. It also describes the files. unmap does nothing. An error is a
// [fileError].
func mapIDs(files []idFile) (ids []int32, infos []fs.FileInfo, unmap func(), err error) {
	buf := make([]byte, 64<<10)
	for _, f := range files {
		file, info, err := f.open()
		if err != nil {
			return nil, nil, nil, &fileError{filepath.Base(f.path), err}
		}
		for left := f.ids; left > 0 && err == nil; {
			b := buf[:idBytes*min(left, len(buf)/idBytes)]
			_, err = io.ReadFull(file, b)
			for i := 0; i < len(b); i += idBytes {
				ids = append(ids, int32(binary.LittleEndian.Uint32(b[i:])))
			}
			left -= len(b) / idBytes
		}
		file.Close()
		if err != nil {
			return nil, nil, nil, &fileError{filepath.Base(f.path), err}
		}
		infos = append(infos, info)
	}
	return ids, infos, func() {}, nil
}
