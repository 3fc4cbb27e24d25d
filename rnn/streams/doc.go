// Package streams runs many independent sequences on one network, together and with the
// same answers as alone.
//
// A [Batcher] runs a model. A [Stream] is a sequence with its state: a user's session, a
// microphone, a sensor. Streams are opened, fed and closed at any time, from any
// goroutine. Calls that wait when a pass begins form its batch.
//
//	b, err := streams.New(model, streams.Options{})
//	s, err := b.Open()
//	defer s.Close()
//	n, err := s.Step(ctx, streams.Call{IDs: ids, Logits: logits})   // feeds ids; the logits after the last one
//	id, err := s.Sample(ctx, sampler, ids)                          // feeds ids and draws the next
//	err = s.State(state)                                            // to go on elsewhere
//
// Every output has the same bits as that of an [rnn.Workspace] that reads the stream
// alone, step by step. Other streams, the length of chunks and the number of threads
// change nothing. NaN in one stream stays there.
//
// # What to use
//
//	one stream            rnn.Workspace of one row: Forward, Logits, Carry. Or a Stream,
//	                      which costs little more
//	hundreds of streams   a Batcher. A goroutine for each stream calls Stream.Step; or one
//	                      goroutine calls Batcher.Step for all that have input
//	a batch job           rnn.Workspace of many rows with SetLengths, sorted by length
//
// The more steps a call has, the less it costs for each: give a prompt or a line as one
// chunk. For single steps at a high rate prefer Batcher.Step, because waking a goroutine
// costs as much as a step of a small network.
//
// # Passes
//
// A pass takes the calls that have waited longest, up to Options.Rows. All of them take the
// same number of steps: as many as the shortest chunk has left, up to Options.Steps. So a
// long chunk never delays another stream's single step by more than one pass. A call waits
// for the pass that runs, and is in the next one, as long as no more than Options.Rows
// calls wait.
//
// Passes run on the goroutines of the callers. One of them leads until its own call is
// done, then hands over to the one that has waited longest. Before a pass it lets other
// goroutines run that are ready to, so that their calls join. There is no timer, unless
// Options.Window is set. A window makes larger batches and longer waits. It seldom pays,
// because calls gather anyway while a pass runs.
//
// The threads of a pass are those of the model's engine: kernels.New("", 1) leaves the
// other processors to the rest of the program.
//
// # Back-pressure
//
// A stream has one call at a time, so never more calls wait than streams are open.
// Options.MaxStreams bounds both. Open then returns [ErrFull], and a server refuses the
// client. A call itself waits; its context bounds how long. A slow reader delays nobody:
// its stream is in no pass until its next call.
//
// A context that ends in the middle of a chunk ends the call. The state of the stream is
// then that after the steps that Step returns.
package streams
