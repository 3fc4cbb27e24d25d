package memory

// assumedMemory is the available memory in bytes that is assumed where the system
// doesn't report it.
const assumedMemory = 4 << 30

// Free returns [Available], or a cautious guess if that is unknown.
func Free() int64 {
	if available, ok := Available(); ok {
		return available
	}
	return assumedMemory
}
