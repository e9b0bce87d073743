// Package explain joins what the control plane compiles with the engine's own
// route table: which route, clusters and endpoints a described request takes,
// why the routes before did not match, and which resources one proxy is served.
// The command line and the console call it. It decides nothing by itself: what
// it says is what compile made and what the route table answered.
package explain
