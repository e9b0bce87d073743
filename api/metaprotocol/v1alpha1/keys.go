package v1alpha1

import (
	"maps"
	"slices"
)

// sortedKeys keeps errors in one order, whatever order a map has.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
