// Package simtest proves the engine by simulation: whole meshes in one process,
// every delay, split, reset, reordering and change of configuration drawn from
// a seed. A failure names its seed; -sim.seed replays it. The package has tests
// only: profile_test.go says what kinds of mesh there are, world_test.go makes
// one, rules_test.go changes its configuration, client_test.go and
// server_test.go live in it, watch_test.go and settle_test.go look at the
// workers. bugs/ holds planted bugs, which the suite must find.
package simtest
