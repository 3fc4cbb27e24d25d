package measure

// assumedMemory stands for the available memory, in bytes, where the system
// doesn't say.
const assumedMemory = 4 << 30

// FreeMemory is [AvailableMemory], or a careful guess where that isn't known.
func FreeMemory() int64 {
	if available, ok := AvailableMemory(); ok {
		return available
	}
	return assumedMemory
}
