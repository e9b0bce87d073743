package decode

import (
	"regexp"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// lines finds fields by parsing the text again: it happens for diagnostics
// only, and a text is far smaller than its nodes.
type lines struct {
	text   string
	offset int // lines of the file before the text
}

// Line implements resource.Lines.
func (l lines) Line(path string) int {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(l.text), &root); err != nil || len(root.Content) == 0 {
		return l.offset + 1
	}
	return l.offset + find(root.Content[0], path)
}

// find walks down as far as the path is there. The keys of maps may hold dots
// and brackets (attachment[user]): the longest key that fits is taken.
func find(n *yaml.Node, path string) int {
	line := n.Line
	for path != "" {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		next, at, rest := child(n, strings.TrimPrefix(path, "."))
		if next == nil {
			break
		}
		n, line, path = next, at, rest
	}
	return line
}

func child(n *yaml.Node, path string) (next *yaml.Node, line int, rest string) {
	if n.Kind == yaml.SequenceNode && strings.HasPrefix(path, "[") {
		index, after, _ := strings.Cut(path[1:], "]")
		if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i].Line, after
		}
		return nil, 0, ""
	}
	if n.Kind != yaml.MappingNode {
		return nil, 0, ""
	}
	best := ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		after, ok := strings.CutPrefix(path, key)
		if ok && key != "" && len(key) > len(best) && (after == "" || after[0] == '.' || after[0] == '[') {
			best, next, line, rest = key, n.Content[i+1], n.Content[i].Line, after
		}
	}
	return next, line, rest
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlError takes the line out of the parser's message; 0 where it has none.
func yamlError(err error, firstLine int) (line int, message string) {
	message = err.Error()
	m := yamlLine.FindStringSubmatch(message)
	if m == nil {
		return firstLine, message
	}
	line = firstLine
	if n, err := strconv.Atoi(m[1]); err == nil {
		line = firstLine - 1 + n
	}
	return line, message[len(m[0]):]
}
