//go:build !linux

package kernels

// adviseHuge does nothing: other systems promote pages by themselves, or never.
func adviseHuge([]float32) {}
