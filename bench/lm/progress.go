package lm

import "context"

// jsonFormat is the version of the JSON forms of [Evaluation], [Sample] and [Score].
const jsonFormat = 1

// Unknown as [Progress.Fraction] means that nobody knows how far the work is.
const Unknown = -1

// What [Progress.Work] says.
const (
	workEstimating = "estimating"
	workTraining   = "training"
	workStoring    = "storing"
	workValid      = "scoring the validation split"
	workTest       = "scoring the test split"
	workReading    = "reading the text"
	workEncoding   = "cutting the text into tokens"
	workScoring    = "scoring"
	workSpelling   = "spelling the unknown words"
)

// part returns a function that calls on with p, of another work, and how far that is.
func (p Progress) part(work string, on func(Progress)) func(fraction float64) {
	p.Work, p.Detail, p.Left, p.Fraction = work, "", 0, Unknown
	return func(fraction float64) {
		p.Fraction = fraction
		on(p)
	}
}

// awaitTold is [Await] for work that tells how far it is. It calls on from the caller's
// goroutine, and not after it has returned.
func awaitTold(ctx context.Context, work func(tell func(fraction float64)) error, on func(fraction float64)) error {
	fractions := make(chan float64, 1)
	done := make(chan error, 1)
	go func() {
		done <- work(func(fraction float64) {
			select {
			case fractions <- fraction:
			default: // the one before wasn't read yet
			}
		})
	}()
	for {
		select {
		case fraction := <-fractions:
			on(fraction)
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
