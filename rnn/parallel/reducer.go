package parallel

// A Reducer adds the gradients of the processes of a training, its ranks. All ranks make
// the same calls in the same order, each from one goroutine.
type Reducer interface {
	// Rank is the number of this process, from 0 on. Ranks is the number of processes.
	Rank() int
	Ranks() int

	// Sum begins to add x, of the same length in all ranks. Neighbours are added first,
	// then their sums, and so on: every rank gets the same bits. x must not be read or
	// written before Wait.
	Sum(x []float32)

	// SumRows is Sum for a table, rows of width floats each, that is zero but in some rows,
	// which ascend. The ranks may have different rows. The sum has the bits of Sum.
	SumRows(table []float32, width int, rows []int32)

	// Wait ends all sums that were begun. Its error says which rank is lost, or what the
	// transport says.
	Wait() error

	// Gather returns the bytes of every rank, in the order of the ranks. The lengths may
	// differ.
	Gather(own []byte) ([][]byte, error)

	// Close ends the communication of this process. The other ranks must close too.
	Close() error
}
