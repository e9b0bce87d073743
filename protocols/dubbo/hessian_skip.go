package dubbo

// hessianSkip passes over one value.
func (c *cursor) hessianSkip() bool {
	c.stack = c.stack[:0]
	for {
		s := c.hessianStep()
		if s == fault {
			return false
		}
		if !c.settle(s) {
			return true
		}
	}
}

// hessianStep passes over one tag and its own bytes.
func (c *cursor) hessianStep() step {
	if c.off >= c.end {
		return fault
	}
	tag := c.b[c.off]
	if size := int(hessianFixed[tag]); size > 0 {
		c.off += size
		return complete(c.off <= c.end)
	}
	switch {
	case tag < hessianBinary, tag >= hessianString2 && tag < hessianBinary2,
		tag == hessianStringLast, tag == hessianStringChunk:
		return complete(c.hessianString())
	case tag >= hessianObjectOf && tag < hessianTypedOf:
		c.off++
		return c.hessianFields(int64(tag - hessianObjectOf))
	case tag >= hessianTypedOf && tag < hessianListOf:
		c.off++
		return c.hessianValues(c.hessianType(), int64(tag-hessianTypedOf))
	case tag >= hessianListOf && tag < 0x80:
		c.off++
		return c.hessianValues(true, int64(tag-hessianListOf))
	}
	return c.hessianNamed(tag)
}

// hessianNamed is hessianStep for the tags that are letters.
func (c *cursor) hessianNamed(tag byte) step {
	switch tag {
	case hessianBinary2, hessianBinary2 + 1, hessianBinary2 + 2, hessianBinary2 + 3,
		hessianBinaryChunk, hessianBinaryLast:
		return complete(c.hessianBytes())
	}
	c.off++
	switch tag {
	case hessianMap:
		return c.open(keyOrEnd)
	case hessianTypedMap:
		return c.openAfter(c.hessianType(), keyOrEnd)
	case hessianOpen:
		return c.open(valueOrEnd)
	case hessianTypedOpen:
		return c.openAfter(c.hessianType(), valueOrEnd)
	case hessianList:
		n, ok := c.hessianCount()
		return c.hessianValues(ok, n)
	case hessianTypedList:
		typed := c.hessianType()
		n, ok := c.hessianCount()
		return c.hessianValues(typed && ok, n)
	case hessianObject:
		n, ok := c.hessianCount()
		if !ok {
			return fault
		}
		return c.hessianFields(n)
	case hessianRef:
		_, ok := c.hessianCount()
		return complete(ok)
	case hessianClass:
		return c.hessianDefine()
	}
	return fault
}

func complete(ok bool) step {
	if ok {
		return whole
	}
	return fault
}

func (c *cursor) open(left int32) step { return c.openAfter(true, left) }

// openAfter opens a structure if what stood before it was read.
func (c *cursor) openAfter(ok bool, left int32) step {
	if ok && c.push(left) {
		return opened
	}
	return fault
}

// hessianValues opens a structure of n values. Each takes at least a byte.
func (c *cursor) hessianValues(ok bool, n int64) step {
	if !ok || n < 0 || n > int64(c.end-c.off) {
		return fault
	}
	if n == 0 {
		c.compound = true
		return whole
	}
	return c.open(int32(n))
}

// hessianFields opens an object of a class defined before.
func (c *cursor) hessianFields(class int64) step {
	c.objects = true
	if class < 0 || class >= int64(len(c.defs)) {
		return fault
	}
	return c.hessianValues(true, int64(c.defs[class]))
}

// hessianDefine passes over a class definition: its name, the number of its
// fields, their names (section 4.10.1). An object of it, or of another class,
// or any value follows.
func (c *cursor) hessianDefine() step {
	c.compound, c.objects = true, true
	if !c.hessianString() {
		return fault
	}
	n, ok := c.hessianCount()
	if !ok || n > int64(c.end-c.off) {
		return fault
	}
	for range n {
		if !c.hessianString() {
			return fault
		}
	}
	c.defs = append(c.defs, uint32(n))
	return prefix
}

// hessianType passes over the type of a list or map: its name, or the number
// of one named before (section 4.14).
func (c *cursor) hessianType() bool {
	if _, ok := c.hessianCount(); ok {
		return true
	}
	return c.hessianString()
}

// hessianOpenMap enters a map, or passes over a null.
func (c *cursor) hessianOpenMap() (there, ok bool) {
	if c.off >= c.end {
		return false, false
	}
	tag := c.b[c.off]
	c.off++
	switch tag {
	case hessianNull:
		return false, true
	case hessianMap:
		return true, true
	case hessianTypedMap:
		return true, c.hessianType()
	}
	return false, false
}

// hessianOpenList enters a list and returns the number of its values, -1
// where an end follows the last.
func (c *cursor) hessianOpenList() (n int64, ok bool) {
	if c.off >= c.end {
		return 0, false
	}
	tag := c.b[c.off]
	c.off++
	switch {
	case tag == hessianOpen:
		return -1, true
	case tag == hessianTypedOpen:
		return -1, c.hessianType()
	case tag == hessianList:
		return c.hessianCount()
	case tag == hessianTypedList:
		if !c.hessianType() {
			return 0, false
		}
		return c.hessianCount()
	case tag >= hessianTypedOf && tag < hessianListOf:
		return int64(tag - hessianTypedOf), c.hessianType()
	case tag >= hessianListOf && tag < 0x80:
		return int64(tag - hessianListOf), true
	}
	return 0, false
}
