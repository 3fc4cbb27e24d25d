package memory

// assumedMemory stands for the available memory, in bytes, where the system
// doesn't say.
const assumedMemory = 4 << 30

// Free is [Available], or a careful guess where that isn't known.
func Free() int64 {
	if available, ok := Available(); ok {
		return available
	}
	return assumedMemory
}
