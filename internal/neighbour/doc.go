// Package neighbour makes the conditions in which an engine shares its machine, and
// times passes in them. It does not depend on engines: a pass is a func().
//
// A [Condition] says what else is busy. A [Side] is the callers of one engine. Two
// sides take short turns within one condition, so that both meet the same state of the
// machine.
//
// Busy processes are the same executable, started again. So a program that enters
// conditions must call [ServeChild] first in main, and its tests in TestMain.
package neighbour
