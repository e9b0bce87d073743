package dubbo

// jsonbSkip passes over one value.
func (c *cursor) jsonbSkip() bool {
	c.stack = c.stack[:0]
	for {
		s := c.jsonbStep()
		if s == fault {
			return false
		}
		if !c.settle(s) {
			return true
		}
	}
}

// jsonbStep passes over one tag and its own bytes.
func (c *cursor) jsonbStep() step {
	if c.off >= c.end {
		return fault
	}
	tag := c.b[c.off]
	if size := int(jsonbFixed[tag]); size > 0 {
		c.off += size
		return complete(c.off <= c.end)
	}
	c.off++
	switch {
	case tag == jsonbObject:
		return c.open(keyOrEnd)
	case tag >= jsonbArrayOf && tag < jsonbArray:
		return c.jsonbValues(int64(tag-jsonbArrayOf), true)
	case tag == jsonbArray:
		return c.jsonbValues(c.jsonbLength())
	case tag == jsonbTyped:
		c.compound = true
		if c.jsonbName() {
			return prefix
		}
		return fault
	case tag == jsonbSymbol:
		c.compound = true // it may be what later symbols refer to
		c.off--
		return complete(c.jsonbName())
	}
	return complete(c.jsonbRest(tag))
}

// jsonbValues opens an array of n values. Each takes at least a byte.
func (c *cursor) jsonbValues(n int64, ok bool) step {
	if !ok || n > int64(c.end-c.off) {
		return fault
	}
	if n == 0 {
		c.compound = true
		return whole
	}
	return c.open(int32(n))
}

// jsonbName passes over the name of a type or a symbol: a number given
// before, or a string and the number that it gets.
func (c *cursor) jsonbName() bool {
	if c.off < c.end && c.b[c.off] == jsonbSymbol {
		c.off++
	}
	if _, ok := c.jsonbInteger(); ok {
		return true
	}
	if !c.jsonbString() {
		return false
	}
	_, ok := c.jsonbInteger()
	return ok
}

// jsonbString passes over a string.
func (c *cursor) jsonbString() bool {
	if c.off >= c.end || c.b[c.off] < jsonbASCII || c.b[c.off] > jsonbGB18030 {
		return false
	}
	_, ok := c.jsonbText()
	return ok
}

// jsonbRest passes over what follows a tag that is no structure.
func (c *cursor) jsonbRest(tag byte) bool {
	fixed, counted, ints, ok := 0, false, 0, true
	switch tag {
	case jsonbLatin1, jsonbUTF8, jsonbUTF16, jsonbUTF16LE, jsonbUTF16BE, jsonbGB18030, jsonbBinary, jsonbBig:
		counted = true
	case jsonbReference:
		return c.jsonbString()
	case jsonbChar, jsonbDoubleLong, jsonbFloatInt, jsonbDecLong, jsonbBigLong:
		ints = 1
	case jsonbTime:
		fixed, ints = 3, 1
	case jsonbDateTime, jsonbZonedTime:
		fixed, ints = 7, 1
	case jsonbInstant:
		ints = 2
	case jsonbDecimal:
		return c.jsonbScaled()
	default:
		return false
	}
	c.off += fixed
	for ; ints > 0 && ok; ints-- {
		_, ok = c.jsonbInteger()
	}
	if counted {
		var n int64
		if n, ok = c.jsonbLength(); ok {
			ok = n <= int64(c.end-c.off)
			c.off += int(min(n, int64(c.end-c.off)))
		}
	}
	if tag == jsonbZonedTime {
		ok = ok && c.jsonbString()
	}
	return ok && c.off <= c.end
}

// jsonbScaled passes over a decimal: its scale and its digits.
func (c *cursor) jsonbScaled() bool {
	if _, ok := c.jsonbInteger(); !ok || c.off >= c.end {
		return false
	}
	switch tag := c.b[c.off]; tag {
	case jsonbBig, jsonbBigLong:
		c.off++
		return c.jsonbRest(tag)
	}
	_, ok := c.jsonbInteger()
	return ok
}

// jsonbOpenMap enters an object, typed or not, or passes over a null.
func (c *cursor) jsonbOpenMap() (there, ok bool) {
	if !c.jsonbUntype() {
		return false, false
	}
	tag := c.b[c.off]
	c.off++
	return tag == jsonbObject, tag == jsonbObject || tag == jsonbNull
}

// jsonbOpenList enters an array, typed or not, and returns the number of its
// values.
func (c *cursor) jsonbOpenList() (n int64, ok bool) {
	if !c.jsonbUntype() {
		return 0, false
	}
	tag := c.b[c.off]
	c.off++
	switch {
	case tag >= jsonbArrayOf && tag < jsonbArray:
		return int64(tag - jsonbArrayOf), true
	case tag == jsonbArray:
		return c.jsonbLength()
	}
	return 0, false
}

// jsonbUntype passes over the name of a type, if one stands before the value
// at off. It fails where there is no value.
func (c *cursor) jsonbUntype() bool {
	if c.off < c.end && c.b[c.off] == jsonbTyped {
		c.off++
		if !c.jsonbName() {
			return false
		}
	}
	return c.off < c.end
}
