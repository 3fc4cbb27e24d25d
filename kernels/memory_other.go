//go:build !linux

package kernels

// adviseHuge does nothing: other systems use huge pages by themselves, or not at all.
func adviseHuge([]byte) {}
