package codectest

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
)

// Capture is one conversation, read from a *.frames file.
type Capture struct {
	Name     string   // path of the file
	Comments []string // its comment lines, without the sign
	Frames   []Frame  // in the order in which they were sent
}

// Frame is one whole message.
type Frame struct {
	Side  codec.Side // who sent it
	Line  int        // where it stands in the file, from 1
	Bytes []byte
}

// LoadCaptures reads all *.frames files in fsys and its folders, in the order
// of their names. No file is an error, and so is a file without a message.
func LoadCaptures(fsys fs.FS) ([]Capture, error) {
	var captures []Capture
	err := fs.WalkDir(fsys, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".frames") {
			return err
		}
		text, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		c, err := parseCapture(path, string(text))
		captures = append(captures, c)
		return err
	})
	if err == nil && len(captures) == 0 {
		err = fmt.Errorf("codectest: no *.frames file with captures")
	}
	return captures, err
}

func parseCapture(name, text string) (Capture, error) {
	c := Capture{Name: name}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			c.Comments = append(c.Comments, strings.TrimSpace(comment))
			continue
		}
		f, err := parseFrame(line)
		if err != nil {
			return c, fmt.Errorf("codectest: %s:%d: %w", name, i+1, err)
		}
		f.Line = i + 1
		c.Frames = append(c.Frames, f)
	}
	if len(c.Frames) == 0 {
		return c, fmt.Errorf("codectest: %s holds no message", name)
	}
	return c, nil
}

func parseFrame(line string) (Frame, error) {
	side, digits, _ := strings.Cut(line, " ")
	f := Frame{Side: codec.FromClient}
	switch side {
	case "C":
	case "S":
		f.Side = codec.FromServer
	default:
		return f, fmt.Errorf("a line is C or S and hexadecimal digits, not %.20q", line)
	}
	b, err := hex.DecodeString(strings.TrimSpace(digits))
	if err == nil && len(b) == 0 {
		err = fmt.Errorf("a message has no bytes")
	}
	f.Bytes = b
	return f, err
}
