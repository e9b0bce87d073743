// Package nearest finds the name that a user probably meant. It knows words
// only, not what they name.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// maxWord bounds the words that are compared, in bytes: the time goes with the
// product of two lengths.
const maxWord = 256

// Of returns the name that is most like the word, "" if none is like it: equal
// but for case, the first label of a longer name ("hello" for
// "hello.demo.svc"), or at most two slips away (one in words of up to 4
// letters). Ties go to the first by the alphabet.
func Of(word string, names []string) string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	lower := strings.ToLower(word)
	for _, n := range names {
		name := strings.ToLower(n)
		d := Distance(lower, name)
		if word != "" && strings.HasPrefix(name, lower+".") {
			d = 1
		}
		if d <= allowed(word) && n != word {
			found = append(found, candidate{n, d})
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.MinFunc(found, func(a, b candidate) int {
		return cmp.Or(a.distance-b.distance, strings.Compare(a.name, b.name))
	}).name
}

func allowed(word string) int {
	if len(word) <= 4 {
		return 1
	}
	return 2
}

// Distance counts the slips between two words: a byte too many, too few,
// wrong, or swapped with the next one.
func Distance(a, b string) int {
	if len(a) > maxWord || len(b) > maxWord {
		return maxWord
	}
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
