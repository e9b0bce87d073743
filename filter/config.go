package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Decode decodes a filter's configuration strictly into v: an unknown field
// and anything behind the object are errors.
func Decode(config []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(config))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("configuration goes on after its object")
	}
	return nil
}
