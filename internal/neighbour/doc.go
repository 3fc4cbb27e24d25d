// Package neighbour makes the conditions in which an engine shares its machine,
// and times passes in them. It knows nothing of engines: a pass is a func().
//
// A [Condition] says who else is busy. A [Side] is the callers of one engine. Two
// sides take short turns within one condition, so that both meet the same
// machine.
//
// A program that enters conditions calls [ServeChild] first thing in main, and
// its tests in TestMain: busy processes are the same executable, started again.
package neighbour
