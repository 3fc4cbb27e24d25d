// Package parallel trains one model in several processes, the ranks, with the bits of one
// process.
//
// Each rank has the whole model and some rows of each batch. Between Backward and Step the
// gradients of all ranks are added. The batch is cut into shards whose gradients are added
// in a fixed tree ([rnn.Shard]), so 1, 2, 4 or 8 ranks train the same model bit by bit.
//
// # Use
//
//	r, err := parallel.Start()                             // MPI under mpirun, else one rank
//	part, err := rnn.Shard{Shards: 8, Rows: B}.Of(r.Rank(), r.Ranks())
//	own := part.Own()                                      // this rank's rows of the batch
//	ws := m.NewTraining(T, own.Len())
//	ws.Shard(part)
//	joined := parallel.Join(r, ws)
//	for each batch {
//		ws.Forward(ids)                                // ids [T,own.Len()]
//		ws.Backward(targets)                           // sums begin while it runs
//		loss, err := joined.Wait()                     // of the whole batch
//		m.Step(opt, ws.Grads.Slab, 5)                  // the same step in all ranks
//		ws.Carry()
//	}
//	err = r.Close()
//
// All ranks must begin with the same model and make the same calls in the same order. After
// an error a rank should end its process, or call [Abort]: then the launcher ends the others.
//
// # MPI
//
// [MPI] opens the library of the mpirun that has started the process: Open MPI, or MPICH and
// its family. Nothing is linked, and there is no cgo. BATCHRNN_MPI names another library
// file. One thread makes all calls of the library. It does not spin for long, so ranks may
// be more than cores.
//
// On Linux a program that imports this package needs the C library's loader, also if it is
// built with CGO_ENABLED=0. The build tag nompi leaves MPI out.
//
// [Local] has the ranks in one process, for tests.
package parallel
