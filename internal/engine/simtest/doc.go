// Package simtest proves the engine by simulation: whole meshes in one process,
// every delay, split, reset, reordering and change of configuration drawn from
// a seed. A failure names its seed; -sim.seed replays it. The package has tests
// only; bugs/ holds planted bugs, which the suite must find.
package simtest
