package main

// #cgo CFLAGS: -O2 -std=gnu11
// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "dl.h"
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// libraries lists the file names of each C library, the newest first. -lib puts another
// in front.
var libraries = map[string][]string{
	"openblas": {"libopenblas.so.0", "libopenblas.so"},
	"blis":     {"libblis.so.4", "libblis.so"},
	"onednn":   {"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"},
	"sleef":    {"libsleef.so.3", "libsleef.so"},

	"onnxruntime": ortFiles(),
}

// setLibrary is the flag -lib name=file.
func setLibrary(s string) error {
	name, file, ok := strings.Cut(s, "=")
	if !ok || libraries[name] == nil {
		return fmt.Errorf("want openblas, blis, onednn, onnxruntime or sleef, then = and a file")
	}
	libraries[name] = []string{file}
	return nil
}

// open opens a library by the first of its file names that works.
func open(library string) (unsafe.Pointer, error) {
	for _, file := range libraries[library] {
		name := C.CString(file)
		lib := C.dl_open(name)
		C.free(unsafe.Pointer(name))
		if lib != nil {
			return lib, nil
		}
	}
	return nil, fmt.Errorf("no %s", strings.Join(libraries[library], ", no "))
}

// symbol returns the address of a function, or nil.
func symbol(lib unsafe.Pointer, name string) unsafe.Pointer {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return C.dl_sym(lib, s)
}

// floats copies n floats from C memory.
func floats(p unsafe.Pointer, n int) []float32 {
	return append([]float32(nil), unsafe.Slice((*float32)(p), n)...)
}
