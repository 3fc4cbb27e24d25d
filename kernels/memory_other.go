//go:build !linux

package kernels

// adviseHuge does nothing: other systems promote pages by themselves or not at
// all.
func adviseHuge([]float32) {}
